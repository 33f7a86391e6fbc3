//! What the objects of a cluster are called, and the labels that find them again. All of it is
//! what zalando/postgres-operator writes: selectors of running StatefulSets cannot change.

use std::collections::BTreeMap;

use crate::cluster::Cluster;
use crate::config::{Config, Labels};

/// Who of a cluster's pods a Service or budget is for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Role {
    Master,
    Replica,
}

impl Role {
    pub const ALL: [Self; 2] = [Self::Master, Self::Replica];

    /// The value of the role label, which Spilo makes Patroni write.
    pub fn label(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Replica => "replica",
        }
    }
}

/// `C` or `C-repl`: the Service, and in Endpoints mode the Endpoints.
pub fn service(cluster: &str, role: Role) -> String {
    match role {
        Role::Master => cluster.to_owned(),
        Role::Replica => format!("{cluster}-repl"),
    }
}

/// What Patroni keeps for itself, by suffix.
pub const PATRONI_SUFFIXES: [&str; 4] = ["leader", "config", "sync", "failover"];

/// The Secret that says that a cluster without a master Service is being deleted.
pub fn tombstone(cluster: &str) -> String {
    format!("{cluster}-deleted")
}

/// The PodDisruptionBudget of the primary, by `pdb_name_format`.
pub fn primary_budget(cluster: &str, config: &Config) -> String {
    config.disruption.pdb_name_format.replace("{cluster}", cluster)
}

/// The PodDisruptionBudget of critical operations.
pub fn critical_budget(cluster: &str) -> String {
    format!("postgres-{cluster}-critical-op-pdb")
}

/// The Secret of a role, by `secret_name_template`. No underscore may be in the name of one.
pub fn secret(role: &str, cluster: &str, config: &Config) -> String {
    config
        .secrets
        .secret_name_template
        .replace("{username}", &role.replace('_', "-"))
        .replace("{cluster}", cluster)
        .replace("{tprkind}", "postgresql")
        .replace("{tprgroup}", crate::api::GROUP)
}

/// Labels by which everything of a cluster is found: for selectors.
pub fn base_labels(cluster: &str, labels: &Labels) -> BTreeMap<String, String> {
    let mut all = labels.cluster_labels.clone();
    all.insert(labels.cluster_name_label.clone(), cluster.to_owned());
    all
}

/// The same as a LIST takes them.
pub fn selector(cluster: &str, labels: &Labels) -> String {
    let labels = base_labels(cluster, labels);
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// Labels that every object of a cluster has.
pub fn labels(cluster: &Cluster, labels: &Labels) -> BTreeMap<String, String> {
    let mut all = base_labels(&cluster.id.name, labels);
    all.insert("team".to_owned(), cluster.spec.team_id.clone());
    for (key, value) in &cluster.labels {
        if labels.inherited_labels.contains(key) {
            all.insert(key.clone(), value.clone());
        }
    }
    all
}

/// `labels` with the label of a role.
pub fn with_role(
    mut labels: BTreeMap<String, String>,
    role: Role,
    config: &Labels,
) -> BTreeMap<String, String> {
    labels.insert(config.pod_role_label.clone(), role.label().to_owned());
    labels
}

/// Annotations of the manifest that every object of the cluster has, too.
pub fn inherited_annotations(cluster: &Cluster, labels: &Labels) -> BTreeMap<String, String> {
    let inherits = |key: &String| labels.inherited_annotations.contains(key);
    cluster
        .annotations
        .iter()
        .filter(|(key, _)| inherits(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
