mod order;
mod patch;
mod same;
mod slots;
mod standby;

use serde_json::{Map, Value, json};

use super::{Plan, Wanted, plan};
use crate::api::status::PatroniStatus;
use crate::build::tests::{cluster, config};

/// What a manifest with this spec asks for.
fn wanted(spec: Value) -> Wanted {
    Wanted::of(&cluster(spec), &config(), false)
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

/// What Spilo writes at the bootstrap of a cluster whose manifest says nothing.
fn spilo() -> Value {
    json!({
        "ttl": 30, "loop_wait": 10, "retry_timeout": 10, "maximum_lag_on_failover": 33_554_432,
        "postgresql": { "use_pg_rewind": true, "use_slots": true, "parameters": {
            "archive_mode": "on", "wal_level": "hot_standby", "max_connections": 100,
            "log_statement": "ddl", "autovacuum_max_workers": 5,
        } },
    })
}

/// The plan for a cluster that Spilo made, with `more` above it.
fn planned(spec: Value, ours: &PatroniStatus, more: Value) -> Plan {
    let mut config = object(spilo());
    config.extend(object(more));
    plan(&wanted(spec), ours, &config)
}

/// What is ours once a manifest with this spec has been looked at.
fn ours(spec: Value) -> PatroniStatus {
    planned(spec, &PatroniStatus::default(), json!({})).after
}
