use std::path::PathBuf;

use super::from_file;

/// A folder of this test alone, with files.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("operator-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("a file");
    }
    folder
}

const CLUSTER: &str = "apiVersion: v1
kind: Config
clusters: [{ name: c, cluster: { server: 'https://192.0.2.1', insecure-skip-tls-verify: true } }]
";
const CONTEXT: &str = "apiVersion: v1
kind: Config
current-context: x
contexts: [{ name: x, context: { cluster: c, user: u, namespace: team } }]
users: [{ name: u, user: { token: t } }]
";

#[tokio::test]
async fn a_kubeconfig_may_be_several_files_of_which_one_may_be_missing() {
    let folder = folder("several", &[("cluster", CLUSTER), ("context", CONTEXT)]);
    let list = ["cluster", "missing", "context"].map(|name| folder.join(name));
    let list = std::env::join_paths(list).expect("a list");
    let config = from_file(list.as_ref()).await.expect("a configuration");
    assert_eq!(config.default_namespace, "team");
    assert!(config.accept_invalid_certs);
    let error = from_file(&folder.join("missing")).await.expect_err("it is missing");
    assert!(error.contains("missing"), "{error}");
    std::fs::remove_dir_all(folder).expect("it is there");
}
