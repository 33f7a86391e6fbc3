//! What a manifest and the configuration say about Patroni's settings.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::spec::{Patroni, Standby};
use crate::build::spilo::is_local;
use crate::cluster::Cluster;
use crate::config::Config;

/// Whatever is not in it, a manifest does not ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// `ttl` and its like.
    pub settings: BTreeMap<&'static str, Value>,
    /// Of PostgreSQL; without those that stay in a pod.
    pub parameters: BTreeMap<String, String>,
    /// Name -> what kind of slot it is.
    pub slots: BTreeMap<String, BTreeMap<String, String>>,
    /// Whom a standby cluster follows.
    pub standby: Option<Source>,
    pub pause: bool,
}

/// Whom a standby cluster follows.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Source {
    pub host: Option<String>,
    pub port: Option<String>,
    pub slot: Option<String>,
    /// Whether it reads WAL from an archive.
    pub archive: bool,
}

impl Wanted {
    pub fn of(cluster: &Cluster, config: &Config, pause: bool) -> Self {
        let nothing = Patroni::default();
        let patroni = cluster.spec.patroni.as_ref().unwrap_or(&nothing);
        // PostgreSQL knows no upper case in their names: of two spellings of one the last counts,
        // as in a pod.
        let parameters =
            cluster.spec.postgresql.parameters.iter().filter(|(name, _)| !is_local(name));
        let parameters: BTreeMap<String, _> =
            parameters.map(|parameter| (parameter.0.to_lowercase(), parameter)).collect();
        Self {
            settings: settings(patroni, config),
            parameters: parameters
                .into_values()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            slots: patroni.slots.clone(),
            standby: cluster.spec.standby.as_ref().map(Source::of),
            pause,
        }
    }
}

/// A zero is nothing said, as at the bootstrap; a `false` is said.
fn settings(patroni: &Patroni, config: &Config) -> BTreeMap<&'static str, Value> {
    let number = |value: Option<u32>| value.filter(|value| *value != 0).map(|value| json!(value));
    let flag = |value: Option<bool>| value.map(|value| json!(value));
    let bytes = patroni.maximum_lag_on_failover.filter(|bytes| *bytes > 0);
    let failsafe = patroni.failsafe_mode.or(config.patroni.enable_patroni_failsafe_mode);
    let all = [
        ("ttl", number(patroni.ttl)),
        ("loop_wait", number(patroni.loop_wait)),
        ("retry_timeout", number(patroni.retry_timeout)),
        ("maximum_lag_on_failover", bytes.map(|bytes| json!(bytes))),
        ("synchronous_mode", flag(patroni.synchronous_mode)),
        ("synchronous_mode_strict", flag(patroni.synchronous_mode_strict)),
        ("synchronous_node_count", number(patroni.synchronous_node_count)),
        ("failsafe_mode", flag(failsafe)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

impl Source {
    fn of(standby: &Standby) -> Self {
        let said = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let host = said(&standby.standby_host);
        let archive = [&standby.s3_wal_path, &standby.gs_wal_path]
            .into_iter()
            .any(|path| said(path).is_some());
        Self {
            port: said(&standby.standby_port),
            slot: said(&standby.standby_primary_slot_name),
            archive: archive || host.is_none(),
            host,
        }
    }
}
