//! Registering our kinds, and waiting until the API server serves them.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::conditions::is_crd_established;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, ResourceExt};

use crate::api::crds;
use crate::apply::describe;
use crate::config::Config;
use crate::leader::NAME;

/// As `CRD_READY_WAIT_TIMEOUT` of the reference.
const PATIENCE: Duration = Duration::from_secs(30);

/// # Errors
/// What the API server has against it.
pub(super) async fn register(client: &Client, config: &Config) -> Result<(), String> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let all = crds::all(&config.operation.crd_categories).map_err(|error| error.to_string())?;
    for wanted in all {
        let name = wanted.name_any();
        let parameters = PatchParams::apply(NAME).force();
        let failed = |reason: String| {
            format!(
                "the CRD {name} cannot be registered: {reason}; apply `operator crds` yourself, and set enable_crd_registration to false"
            )
        };
        let written = api.patch(&name, &parameters, &Patch::Apply(&wanted)).await;
        written.map_err(|error| failed(describe(&error)))?;
        let established = await_condition(api.clone(), &name, is_crd_established());
        match tokio::time::timeout(PATIENCE, established).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_elapsed) => return Err(failed("it is not served in time".to_owned())),
        }
    }
    Ok(())
}
