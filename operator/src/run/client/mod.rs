//! The way to the API server: `KUBECONFIG` wherever it is set, else from inside the cluster.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::limit::Limit;
use crate::leader::Term;

/// From a request to the first byte, and between two, also of a command in a pod, which may say nothing
/// for hours: above the minute after which kube asks whether the other end of that is still there.
const READ: Duration = Duration::from_secs(90);
const CONNECT: Duration = Duration::from_secs(10);

/// # Errors
/// In one sentence, what is missing or wrong.
pub(super) async fn client(kubeconfig: Option<&Path>, term: Arc<Term>) -> Result<Client, String> {
    let mut config = match kubeconfig.filter(|path| !path.as_os_str().is_empty()) {
        Some(path) => from_file(path).await?,
        None => Config::incluster().map_err(|error| {
            format!("this is no pod of a cluster ({error}), and neither KUBECONFIG nor --kubeconfig says where one is")
        })?,
    };
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(READ);
    // The queue comes again, later each time, and holds no worker meanwhile.
    config.default_retry = false;
    if config.accept_invalid_certs {
        // Nobody is to be trusted, so there need not be anybody whom the machine trusts.
        config.root_cert.get_or_insert_default();
    }
    let client = ClientBuilder::try_from(config);
    let client = client.map_err(|error| format!("the API server cannot be used: {error}"))?;
    Ok(client.with_layer(&Limit::new(term)).build())
}

/// One file, or several as `KUBECONFIG` lists them: of two that say something, the first counts,
/// and one of several may be missing.
async fn from_file(paths: &Path) -> Result<Config, String> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        format!("the kubeconfig {} cannot be used: {error}", path.display())
    };
    let all: Vec<PathBuf> =
        std::env::split_paths(paths).filter(|path| !path.as_os_str().is_empty()).collect();
    let mut merged = Kubeconfig::default();
    for path in all.iter().filter(|path| all.len() == 1 || path.exists()) {
        let file = Kubeconfig::read_from(path).map_err(|error| failed(path, &error))?;
        merged = merged.merge(file).map_err(|error| failed(path, &error))?;
    }
    Config::from_custom_kubeconfig(merged, &KubeConfigOptions::default())
        .await
        .map_err(|error| failed(paths, &error))
}

/// The namespace that a pod runs in.
pub(super) fn own_namespace() -> Option<String> {
    let path = PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/namespace");
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
