//! What the pods of all clusters in a namespace run as: a ServiceAccount, and a RoleBinding to
//! the ClusterRole of the same name, which an administrator made.
//!
//! In: a namespace and a configuration. Out: both objects. They are there to be created once:
//! what an administrator changes about them afterwards stays.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::Config;

#[cfg(test)]
mod tests;

/// Which role of AWS pods with this ServiceAccount have (`irsa_role_arn`).
pub const ROLE_ARN: &str = "eks.amazonaws.com/role-arn";

/// A template in the configuration that is no object of its kind.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{key} is no {kind}: {reason}; correct it, or leave it empty")]
pub struct DefinitionError {
    pub key: &'static str,
    pub kind: &'static str,
    pub reason: String,
}

/// The ServiceAccount, from `pod_service_account_definition` where there is one.
///
/// # Errors
/// The definition is something else.
pub fn service_account(
    namespace: &str,
    config: &Config,
) -> Result<ServiceAccount, DefinitionError> {
    let definition = config.pods.pod_service_account_definition.as_ref();
    let mut account: ServiceAccount =
        defined(definition, "pod_service_account_definition", "ServiceAccount")?;
    place(&mut account.metadata, namespace, config);
    if let Some(arn) = &config.cloud.irsa_role_arn {
        let annotations = account.metadata.annotations.get_or_insert_default();
        annotations.insert(ROLE_ARN.to_owned(), arn.clone());
    }
    Ok(account)
}

/// The RoleBinding, from `pod_service_account_role_binding_definition` where there is one.
///
/// # Errors
/// The definition is something else.
pub fn role_binding(namespace: &str, config: &Config) -> Result<RoleBinding, DefinitionError> {
    let name = &config.pods.pod_service_account_name;
    let Some(definition) = &config.pods.pod_service_account_role_binding_definition else {
        return Ok(bare_binding(name, namespace, config));
    };
    let key = "pod_service_account_role_binding_definition";
    let mut binding: RoleBinding = defined(Some(definition), key, "RoleBinding")?;
    place(&mut binding.metadata, namespace, config);
    for subject in binding.subjects.iter_mut().flatten() {
        if subject.kind == "ServiceAccount" {
            subject.namespace.get_or_insert_with(|| namespace.to_owned());
        }
    }
    Ok(binding)
}

fn bare_binding(name: &str, namespace: &str, config: &Config) -> RoleBinding {
    let mut metadata = ObjectMeta::default();
    place(&mut metadata, namespace, config);
    RoleBinding {
        metadata,
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "ClusterRole".to_owned(),
            name: name.to_owned(),
        },
        subjects: Some(vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: name.to_owned(),
            namespace: Some(namespace.to_owned()),
            ..Subject::default()
        }]),
    }
}

/// Whatever a definition calls it: pods look for the configured name in their own namespace.
fn place(metadata: &mut ObjectMeta, namespace: &str, config: &Config) {
    metadata.name = Some(config.pods.pod_service_account_name.clone());
    metadata.namespace = Some(namespace.to_owned());
}

fn defined<T: DeserializeOwned + Default>(
    definition: Option<&Value>,
    key: &'static str,
    kind: &'static str,
) -> Result<T, DefinitionError> {
    let Some(definition) = definition else { return Ok(T::default()) };
    serde_json::from_value(definition.clone()).map_err(|error| DefinitionError {
        key,
        kind,
        reason: error.to_string().escape_debug().to_string(),
    })
}
