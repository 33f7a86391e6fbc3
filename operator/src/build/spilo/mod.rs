//! `SPILO_CONFIGURATION`: what Spilo merges into the configuration of Patroni.
//!
//! In: a cluster and a configuration. Out: JSON, byte by byte what zalando/postgres-operator
//! writes, with one exception that can be switched off: a manifest's own `pg_hba` gets the line
//! for logins with a token ([`hba`](super::hba)). Nothing here asks whether a value makes sense.

use std::collections::BTreeMap;

use serde::Serialize;

use super::hba;
use crate::api::spec::Patroni;
use crate::cluster::Cluster;
use crate::config::Config;

pub(super) mod json;
#[cfg(test)]
mod tests;

/// Parameters of PostgreSQL that stay in the pod. All others belong to the cluster as a whole:
/// Patroni keeps them, and they are changed through its API later.
const LOCAL: [&str; 20] = [
    "archive_command",
    "bg_mon.history_buckets",
    "bg_mon.listen_address",
    "extwlist.custom_path",
    "extwlist.extensions",
    "log_destination",
    "log_directory",
    "log_file_mode",
    "log_filename",
    "log_rotation_age",
    "log_truncate_on_rotation",
    "logging_collector",
    "pg_stat_statements.track_utility",
    "shared_buffers",
    "shared_preload_libraries",
    "ssl",
    "ssl_ca_file",
    "ssl_cert_file",
    "ssl_crl_file",
    "ssl_key_file",
];

/// Whether a parameter stays in the pod, as the reference divides them.
pub fn is_local(parameter: &str) -> bool {
    LOCAL.contains(&parameter)
}

/// Options of `initdb` that take no value.
const WITHOUT_VALUE: [&str; 6] =
    ["data-checksums", "debug", "no-locale", "noclean", "nosync", "sync-only"];

/// The order of fields is the order of keys.
#[derive(Serialize)]
struct Configuration<'a> {
    postgresql: Local<'a>,
    bootstrap: Bootstrap<'a>,
}

#[derive(Serialize)]
struct Local<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    bin_dir: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    parameters: Parameters<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pg_hba: Vec<String>,
}

#[derive(Serialize)]
struct Bootstrap<'a> {
    initdb: Vec<InitdbOption<'a>>,
    dcs: Dcs<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum InitdbOption<'a> {
    Bare(&'a str),
    Valued(BTreeMap<&'a str, &'a str>),
}

#[derive(Default, Serialize)]
struct Dcs<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loop_wait: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_timeout: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_lag_on_failover: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    synchronous_mode: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    synchronous_mode_strict: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    synchronous_node_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postgresql: Option<Shared<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    slots: BTreeMap<&'a str, &'a BTreeMap<String, String>>,
    /// The only one that is written if it is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    failsafe_mode: Option<bool>,
}

#[derive(Serialize)]
struct Shared<'a> {
    parameters: Parameters<'a>,
}

type Parameters<'a> = BTreeMap<&'a str, &'a str>;

/// Both parts are always there, even if they are empty.
pub fn configuration(cluster: &Cluster, config: &Config) -> String {
    let postgres = &cluster.spec.postgresql;
    let nothing = Patroni::default();
    let patroni = cluster.spec.patroni.as_ref().unwrap_or(&nothing);
    let all = postgres.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let (local, shared): (Parameters<'_>, Parameters<'_>) =
        all.partition(|(name, _)| is_local(name));
    let bin_dir = (!config.pods.enable_pgversion_env_var)
        .then(|| format!("/usr/lib/postgresql/{}/bin", postgres.version));
    json::compact(&Configuration {
        postgresql: Local { bin_dir, parameters: local, pg_hba: pg_hba(patroni, config) },
        bootstrap: Bootstrap { initdb: initdb(patroni), dcs: dcs(patroni, shared, config) },
    })
}

/// Spilo drops all its own lines as soon as there is one here, the one for tokens among them.
fn pg_hba(patroni: &Patroni, config: &Config) -> Vec<String> {
    let identity = &config.identity;
    if identity.pam_line_in_custom_hba && !identity.pam_configuration.is_empty() {
        return hba::with_pam(&patroni.pg_hba, &identity.pam_role_name);
    }
    patroni.pg_hba.clone()
}

fn initdb(patroni: &Patroni) -> Vec<InitdbOption<'_>> {
    let valued = |key, value| InitdbOption::Valued(BTreeMap::from([(key, value)]));
    let own = |key| patroni.initdb.get(key).map(String::as_str);
    let mut all: Vec<InitdbOption<'_>> = [("auth-host", "scram-sha-256"), ("auth-local", "trust")]
        .into_iter()
        .map(|(key, value)| valued(key, own(key).unwrap_or(value)))
        .collect();
    for (key, value) in &patroni.initdb {
        if key == "auth-host" || key == "auth-local" {
            continue;
        }
        // The reference takes a value that is called like a bare option for that option again.
        if all.iter().any(|one| matches!(one, InitdbOption::Bare(bare) if bare == value)) {
            continue;
        }
        let is_bare = value == "true" && WITHOUT_VALUE.contains(&key.as_str());
        all.push(if is_bare { InitdbOption::Bare(key) } else { valued(key, value) });
    }
    all
}

fn dcs<'a>(patroni: &'a Patroni, shared: Parameters<'a>, config: &Config) -> Dcs<'a> {
    let number = |value: Option<u32>| value.filter(|value| *value != 0);
    let flag = |value: Option<bool>| value.filter(|value| *value);
    Dcs {
        ttl: number(patroni.ttl),
        loop_wait: number(patroni.loop_wait),
        retry_timeout: number(patroni.retry_timeout),
        maximum_lag_on_failover: patroni
            .maximum_lag_on_failover
            .filter(|bytes| *bytes > 0)
            .map(single_precision),
        synchronous_mode: flag(patroni.synchronous_mode),
        synchronous_mode_strict: flag(patroni.synchronous_mode_strict),
        synchronous_node_count: number(patroni.synchronous_node_count),
        postgresql: Some(shared)
            .filter(|shared| !shared.is_empty())
            .map(|parameters| Shared { parameters }),
        slots: patroni.slots.iter().map(|(name, slot)| (name.as_str(), slot)).collect(),
        failsafe_mode: patroni.failsafe_mode.or(config.patroni.enable_patroni_failsafe_mode),
    }
}

/// The reference keeps these bytes in a number of single precision, and writes as few digits as
/// tell it from its neighbours: 1 GiB becomes 1073741800.
fn single_precision(bytes: i64) -> i64 {
    (bytes as f32).to_string().parse().unwrap_or(bytes)
}
