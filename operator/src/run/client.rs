//! The way to the API server: `KUBECONFIG` wherever it is set, else from inside the cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// A request that is not a watch, from its first byte to its last.
const READ: Duration = Duration::from_secs(300);
const CONNECT: Duration = Duration::from_secs(10);

/// # Errors
/// In one sentence, what is missing or wrong.
pub(super) async fn client(kubeconfig: Option<&Path>) -> Result<Client, String> {
    let mut config = match kubeconfig {
        Some(path) => from_file(path).await?,
        None => Config::incluster().map_err(|error| {
            format!("this is no pod of a cluster ({error}), and neither KUBECONFIG nor --kubeconfig says where one is")
        })?,
    };
    config.connect_timeout = Some(CONNECT);
    // Above the longest watch, so that a connection that died is noticed.
    config.read_timeout = Some(READ);
    Client::try_from(config).map_err(|error| format!("the API server cannot be used: {error}"))
}

async fn from_file(path: &Path) -> Result<Config, String> {
    let failed = |error: &dyn std::fmt::Display| {
        format!("the kubeconfig {} cannot be used: {error}", path.display())
    };
    let file = Kubeconfig::read_from(path).map_err(|error| failed(&error))?;
    Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .map_err(|error| failed(&error))
}

/// The namespace that a pod runs in.
pub(super) fn own_namespace() -> Option<String> {
    let path = PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/namespace");
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
