//! The variables of the container `postgres`, from which Spilo makes everything else.
//!
//! In: a cluster, a configuration, and what else is in the namespace. Out: the variables, each
//! name once, in the order of zalando/postgres-operator: running pods have them, and one that is
//! different restarts them. Passwords are never here, only the Secrets that hold them; keys of a
//! cloud are, where a manifest writes them down itself.

mod list;
mod source;
mod storage;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::EnvVar;
use list::{List, PASSWORD, secret};

pub(in crate::build) use list::{absent_appended, field, password_of, plain, secret as key_of};
pub(in crate::build) use source::given;
pub(in crate::build) use storage::{certificates_as, scope_suffix};

use super::facts::PodFacts;
use super::spilo::json;
use super::{budget, names, spilo};
use crate::cluster::Cluster;
use crate::config::Config;

/// Where the claim is mounted, and the directory of all data in it.
const DATA: &str = "/home/postgres/pgdata/pgroot";
/// The password of the superuser.
pub const PASSWORD_SUPERUSER: &str = "PGPASSWORD_SUPERUSER";
/// That of replication.
pub const PASSWORD_STANDBY: &str = "PGPASSWORD_STANDBY";

/// The first with a name has it: what the operator needs, then the manifest, then what is set
/// for all clusters.
pub fn environment(cluster: &Cluster, config: &Config, facts: &PodFacts) -> Vec<EnvVar> {
    let spec = &cluster.spec;
    let mut all = List::default();
    let own = identity(cluster, config).into_iter().chain(patroni(cluster, config));
    own.chain(spec.env.iter().cloned()).for_each(|one| all.add(one));
    let clone = spec.clone.iter().flat_map(|from| source::clone(from, config));
    let standby = spec.standby.iter().flat_map(source::standby);
    clone.chain(standby).for_each(|one| all.add_exact(one));
    common(config, facts)
        .into_iter()
        .chain(storage::buckets(&cluster.uid, config))
        .chain(spec.tls.iter().flat_map(storage::certificates))
        .for_each(|one| all.add(one));
    all.into_inner()
}

/// Who the pod is, and who may log in.
fn identity(cluster: &Cluster, config: &Config) -> [EnvVar; 12] {
    let users = &config.identity;
    let name = &cluster.id.name;
    let password = |variable, role| secret(variable, &names::secret(role, name, config), PASSWORD);
    [
        plain("SCOPE", name),
        plain("PGROOT", DATA),
        field("POD_IP", "status.podIP"),
        field("POD_NAMESPACE", "metadata.namespace"),
        plain("PGUSER_SUPERUSER", &users.super_username),
        plain("KUBERNETES_SCOPE_LABEL", &config.labels.cluster_name_label),
        plain("KUBERNETES_ROLE_LABEL", &config.labels.pod_role_label),
        password(PASSWORD_SUPERUSER, &users.super_username),
        plain("PGUSER_STANDBY", &users.replication_username),
        password(PASSWORD_STANDBY, &users.replication_username),
        // Empty is off, and has to be said.
        plain("PAM_OAUTH2", &users.pam_configuration),
        plain("HUMAN_ROLE", &users.pam_role_name),
    ]
}

/// How Spilo sets up PostgreSQL and Patroni.
fn patroni(cluster: &Cluster, config: &Config) -> Vec<EnvVar> {
    let mut all = Vec::new();
    if config.pods.enable_spilo_wal_path_compat {
        all.push(plain("ENABLE_WAL_PATH_COMPAT", "true"));
    }
    if config.pods.enable_pgversion_env_var {
        all.push(plain("PGVERSION", &cluster.spec.postgresql.version));
    }
    all.push(plain("KUBERNETES_LABELS", json::compact(&config.labels.cluster_labels)));
    all.push(plain("SPILO_CONFIGURATION", spilo::configuration(cluster, config)));
    if !config.patroni.etcd_host.is_empty() {
        all.push(plain("ETCD_HOST", &config.patroni.etcd_host));
        return all;
    }
    all.push(plain("DCS_ENABLE_KUBERNETES_API", "true"));
    if config.disruption.enable_pod_disruption_budget {
        let label = format!(r#"{{"{}":"true"}}"#, budget::CRITICAL_OPERATION);
        all.push(plain("KUBERNETES_BOOTSTRAP_LABELS", label));
    }
    if config.patroni.kubernetes_use_configmaps {
        all.push(plain("KUBERNETES_USE_CONFIGMAPS", "true"));
    }
    all
}

/// What all clusters get from a Secret and a ConfigMap, sorted.
fn common(config: &Config, facts: &PodFacts) -> Vec<EnvVar> {
    let mut all = Vec::new();
    if let Some(name) = given(&config.pods.pod_environment_secret) {
        let keys: BTreeSet<&String> = facts.environment_secret_keys.iter().collect();
        all.extend(keys.into_iter().map(|key| secret(key, name, key)));
    }
    all.extend(facts.environment_config_map.iter().map(|(name, value)| plain(name, value)));
    all
}
