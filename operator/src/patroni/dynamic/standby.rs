//! Whom a standby cluster follows, as Patroni keeps it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::same::text;
use super::wanted::Source;

/// As Spilo has it where WAL comes from an archive.
const RESTORE: &str =
    r#"envdir "/run/etc/wal-e.d/env-standby" /scripts/restore_command.sh "%f" "%p""#;

/// What Patroni keeps of a source, and a manifest may name.
fn keys(source: &Source) -> [(&'static str, &Option<String>); 3] {
    [("host", &source.host), ("port", &source.port), ("primary_slot_name", &source.slot)]
}

/// What a manifest names of it.
pub(super) fn named(source: &Source) -> BTreeSet<String> {
    let named = keys(source).into_iter().filter(|(_, value)| value.is_some());
    named.map(|(key, _)| key.to_owned()).collect()
}

/// What has to be changed for it. How replicas are made, and where WAL comes from, stays as Spilo
/// wrote it when the cluster was made; and what the manifest does not name stays as somebody else
/// wrote it, unless another host is followed. `ours`: what was named before.
pub(super) fn patch(
    there: Option<&Map<String, Value>>,
    wanted: &Source,
    ours: &BTreeSet<String>,
) -> Map<String, Value> {
    let nothing = Map::new();
    let is_new = there.is_none();
    let there = there.unwrap_or(&nothing);
    let now = |key: &str| there.get(key).and_then(text).filter(|value| !value.is_empty());
    let is_other = now("host") != wanted.host && (wanted.host.is_some() || ours.contains("host"));
    let mut patch = Map::new();
    for (key, wanted) in keys(wanted) {
        let is_ours = wanted.is_some() || is_other || ours.contains(key);
        if now(key) != *wanted && is_ours {
            patch.insert(key.to_owned(), json!(wanted));
        }
    }
    if wanted.archive && !there.contains_key("restore_command") {
        patch.insert("restore_command".to_owned(), json!(RESTORE));
    }
    if !there.contains_key("create_replica_methods") {
        let from_archive = wanted.archive.then_some("bootstrap_standby_with_wale");
        let methods: Vec<&str> = from_archive.into_iter().chain(["basebackup_fast_xlog"]).collect();
        patch.insert("create_replica_methods".to_owned(), json!(methods));
    }
    if is_new {
        patch.retain(|_, value| !value.is_null());
    }
    patch
}

/// In words.
pub(super) fn shown(source: &Source) -> String {
    let host = source.host.as_deref().map(|host| match &source.port {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    });
    host.unwrap_or_else(|| "an archive".to_owned()).escape_debug().to_string()
}
