//! The definitions of our kinds for an API server. The YAML files beside this one are the
//! source: no server is asked, nothing is registered here.
//!
//! Their schemas let through what zalando/postgres-operator lets through, and nulls besides:
//! what is wrong with a value is said by the operator, in the status, where it can be explained.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

#[cfg(test)]
mod tests;

/// Of `postgresql`, `OperatorConfiguration` and `PostgresTeam`.
const FILES: [&str; 3] = [
    include_str!("postgresql.yaml"),
    include_str!("operatorconfiguration.yaml"),
    include_str!("postgresteam.yaml"),
];

/// This program was built with a definition that is not one.
#[derive(Debug, thiserror::Error)]
#[error("a built-in CustomResourceDefinition is broken: {0}; use another build")]
pub struct CrdError(#[from] serde_saphyr::Error);

/// All definitions, shown by `kubectl get CATEGORY` (`crd_categories`).
///
/// # Errors
/// None in a program that passed its tests.
pub fn all(categories: &[String]) -> Result<Vec<CustomResourceDefinition>, CrdError> {
    FILES
        .iter()
        .map(|file| {
            let mut crd: CustomResourceDefinition = serde_saphyr::from_str(file)?;
            let categories = categories.to_vec();
            crd.spec.names.categories = Some(categories).filter(|all| !all.is_empty());
            Ok(crd)
        })
        .collect()
}

/// The same as one YAML stream for `kubectl apply --filename -`, in category `all`.
pub fn yaml() -> String {
    FILES.join("---\n")
}
