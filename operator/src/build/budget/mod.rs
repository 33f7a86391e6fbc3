//! The PodDisruptionBudgets of a cluster: a node that is drained waits for its primary, and for
//! operations that must not be interrupted.
//!
//! In: a cluster and a configuration. Out: both budgets, always; a budget that is switched
//! off allows everything.

use std::collections::BTreeMap;

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::meta;
use super::names::{self, Role};
use crate::cluster::Cluster;
use crate::config::Config;

#[cfg(test)]
mod tests;

/// The label of pods that must not be moved now; Patroni sets it during its bootstrap.
pub const CRITICAL_OPERATION: &str = "critical-operation";

/// Keeps the primary, or as many pods as writing takes.
pub fn primary(cluster: &Cluster, config: &Config) -> PodDisruptionBudget {
    let base = names::base_labels(&cluster.id.name, &config.labels);
    let by_role = config.disruption.pdb_master_label_selector;
    let selector =
        if by_role { names::with_role(base, Role::Master, &config.labels) } else { base };
    let least = match (is_on(cluster, config), by_role) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => 1 + synchronous(cluster),
    };
    let spec = PodDisruptionBudgetSpec {
        min_available: Some(IntOrString::Int(least)),
        selector: Some(matching(selector)),
        ..PodDisruptionBudgetSpec::default()
    };
    budget(&names::primary_budget(&cluster.id.name, config), spec, cluster, config)
}

/// Keeps every pod that is in a critical operation.
pub fn critical(cluster: &Cluster, config: &Config) -> PodDisruptionBudget {
    let mut selector = names::base_labels(&cluster.id.name, &config.labels);
    selector.insert(CRITICAL_OPERATION.to_owned(), "true".to_owned());
    let most = if is_on(cluster, config) {
        IntOrString::Int(0)
    } else {
        IntOrString::String("100%".to_owned())
    };
    let spec = PodDisruptionBudgetSpec {
        max_unavailable: Some(most),
        selector: Some(matching(selector)),
        ..PodDisruptionBudgetSpec::default()
    };
    budget(&names::critical_budget(&cluster.id.name), spec, cluster, config)
}

fn is_on(cluster: &Cluster, config: &Config) -> bool {
    config.disruption.enable_pod_disruption_budget && cluster.spec.number_of_instances > 0
}

/// How many replicas have to confirm a write; Patroni asks for one where no number is given.
fn synchronous(cluster: &Cluster) -> i32 {
    let Some(patroni) = &cluster.spec.patroni else { return 0 };
    if patroni.synchronous_mode_strict != Some(true) {
        return 0;
    }
    let count = patroni.synchronous_node_count.unwrap_or(1).max(1);
    i32::try_from(count).unwrap_or(i32::MAX - 1)
}

fn matching(labels: BTreeMap<String, String>) -> LabelSelector {
    LabelSelector { match_labels: Some(labels), match_expressions: None }
}

fn budget(
    name: &str,
    spec: PodDisruptionBudgetSpec,
    cluster: &Cluster,
    config: &Config,
) -> PodDisruptionBudget {
    let labels = names::labels(cluster, &config.labels);
    PodDisruptionBudget {
        metadata: meta::meta(name, cluster, config, labels, BTreeMap::new()),
        spec: Some(spec),
        status: None,
    }
}
