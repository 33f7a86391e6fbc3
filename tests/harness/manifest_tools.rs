//! helm, kustomize and kubectl, as an administrator runs them.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::network::Network;
use crate::{artifacts, cache};

/// The chart of the operator.
pub fn chart() -> PathBuf {
    artifacts::source().join("packaging/helm/blue-elephant-operator")
}

/// The base for kustomize.
pub fn kustomization() -> PathBuf {
    artifacts::source().join("packaging/kustomize")
}

/// What `helm template NAME --namespace NAMESPACE` prints with these further arguments, or what is
/// wrong.
pub fn helm_template(name: &str, namespace: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = helm(&["template", name]);
    command.arg(chart()).args(["--namespace", namespace]).args(arguments);
    said(&mut command)
}

/// A helm that knows nothing of the person who runs the tests.
pub fn helm(arguments: &[&str]) -> Command {
    let mut command = alone("helm");
    command.args(arguments);
    command
}

/// What `kustomize build` prints of a folder.
pub fn kustomize_build(folder: &std::path::Path) -> Result<String, String> {
    said(alone("kustomize").arg("build").arg(folder))
}

/// kubectl with a kubeconfig, where the API server is.
pub fn kubectl(network: &Network, kubeconfig: &std::path::Path, arguments: &[&str]) -> Command {
    let mut command = network.command(cache::manifest_tool("kubectl"));
    command.env_clear().env("HOME", "/nonexistent").arg("--kubeconfig").arg(kubeconfig);
    // It keeps what it learns of an API server, by its address, which is the same for all of ours.
    command.args(["--cache-dir=/dev/null"]).args(arguments);
    command
}

/// The objects in a YAML stream.
pub fn objects(text: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(text).expect("YAML");
    all.into_iter().filter(|object| !object.is_null()).collect()
}

/// The standard output of a command that went well, or what it said instead.
pub fn said(command: &mut Command) -> Result<String, String> {
    let Output { status, stdout, stderr } = command.output().map_err(|error| error.to_string())?;
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    if status.success() { Ok(stdout.into_owned()) } else { Err(format!("{stderr}{stdout}")) }
}

/// What it keeps of its own accord goes into a folder that goes away.
fn alone(program: &str) -> Command {
    let mut command = Command::new(cache::manifest_tool(program));
    let home = std::env::temp_dir();
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin");
    for name in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(name, "/nonexistent");
    }
    command
}
