//! Objects of the API server as JSON, by their paths.

use std::sync::Arc;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;

use crate::control_plane::ControlPlane;
use crate::network::Network;

/// An API server that does not answer is asked again.
const LONGEST: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) struct Api {
    network: Arc<Network>,
    client: Client,
    /// Of a watch nothing is heard for long.
    patient: Client,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Api")
    }
}

impl Api {
    /// Somebody who may do everything.
    pub(crate) fn new(plane: &ControlPlane) -> Self {
        let network = Arc::clone(plane.network());
        let text = plane.kubeconfig_for_token(plane.admin_token());
        let kubeconfig = Kubeconfig::from_yaml(&text).expect("a kubeconfig");
        let [client, patient] = network.run(async move {
            let options = KubeConfigOptions::default();
            let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
            let patient = config.expect("a configuration");
            let mut config = patient.clone();
            config.read_timeout = Some(LONGEST);
            config.default_retry = false;
            [config, patient].map(|config| Client::try_from(config).expect("a client"))
        });
        Self { network, client, patient }
    }

    /// For watches.
    pub(crate) fn patient(&self) -> Client {
        self.patient.clone()
    }

    /// Nothing where there is no such object.
    pub(crate) fn get(&self, path: &str) -> Result<Option<Value>, String> {
        match self.request("GET", path, None) {
            Ok(object) => Ok(Some(object)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(crate) fn post(&self, path: &str, object: &Value) -> Result<Value, String> {
        self.request("POST", path, Some(object)).map_err(|error| error.to_string())
    }

    /// A JSON merge patch.
    pub(crate) fn patch(&self, path: &str, change: &Value) -> Result<(), String> {
        self.request("PATCH", path, Some(change)).map(|_| ()).map_err(|error| error.to_string())
    }

    /// What is gone already is as well.
    pub(crate) fn delete(&self, path: &str, options: &Value) -> Result<(), String> {
        match self.request("DELETE", path, Some(options)) {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> kube::Result<Value> {
        let empty = kube::core::Request::new("/").get("x", &Default::default());
        let mut request = empty.map_err(kube::Error::BuildRequest)?;
        *request.uri_mut() = path.parse().expect("a path");
        *request.method_mut() = method.parse().expect("a method");
        if let Some(body) = body {
            let kind = if method == "PATCH" { "merge-patch+json" } else { "json" };
            let kind = format!("application/{kind}").parse().expect("a media type");
            request.headers_mut().insert("content-type", kind);
            *request.body_mut() = body.to_string().into_bytes();
        }
        let client = self.client.clone();
        self.network.run(async move { client.request(request).await })
    }
}
