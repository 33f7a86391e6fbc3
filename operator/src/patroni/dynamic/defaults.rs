//! What Spilo writes into Patroni's settings when a cluster is made and its manifest says nothing:
//! what holds again when a manifest says nothing any more.

use serde_json::{Value, json};

/// Parameters of which less may keep a server from starting: a slot, a standby or a prepared
/// transaction needs them as they were. They are not taken away because nobody names them.
const KEPT: [&str; 7] = [
    "max_connections",
    "max_locks_per_transaction",
    "max_prepared_transactions",
    "max_replication_slots",
    "max_wal_senders",
    "max_worker_processes",
    "wal_level",
];

pub(super) fn is_kept(parameter: &str) -> bool {
    KEPT.iter().any(|own| own.eq_ignore_ascii_case(parameter))
}

/// `null`: Spilo says nothing, and Patroni's own default holds.
pub(super) fn setting(name: &str) -> Value {
    match name {
        "ttl" => json!(30),
        "loop_wait" | "retry_timeout" => json!(10),
        "maximum_lag_on_failover" => json!(33_554_432),
        _ => Value::Null,
    }
}

/// `null`: Spilo says nothing, and PostgreSQL's own default holds.
pub(super) fn parameter(name: &str) -> Value {
    match name.to_ascii_lowercase().as_str() {
        "archive_mode" | "wal_log_hints" | "wal_compression" | "hot_standby" | "log_lock_waits"
        | "log_connections" | "log_disconnections" => json!("on"),
        "archive_timeout" => json!("1800s"),
        "tcp_keepalives_idle" => json!(900),
        "tcp_keepalives_interval" => json!(100),
        "log_min_duration_statement" => json!(500),
        "log_autovacuum_min_duration" => json!(0),
        "log_statement" => json!("ddl"),
        "track_functions" => json!("all"),
        "checkpoint_completion_target" => json!(0.9),
        "autovacuum_max_workers" => json!(5),
        "autovacuum_vacuum_scale_factor" => json!(0.05),
        "autovacuum_analyze_scale_factor" => json!(0.02),
        _ => Value::Null,
    }
}
