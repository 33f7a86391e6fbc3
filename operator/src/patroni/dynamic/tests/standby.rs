use serde_json::{Value, json};

use super::{ours, planned};
use crate::api::status::PatroniStatus;
use crate::patroni::dynamic::{Wanted, plan};

fn spec(standby: Value) -> Value {
    json!({ "standby": standby })
}

fn follows(host: &str) -> Value {
    spec(json!({ "standby_host": host, "standby_port": "5433", "standby_primary_slot_name": "s" }))
}

/// As Spilo writes it at the bootstrap.
fn of_spilo() -> Value {
    json!({ "standby_cluster": {
        "create_replica_methods": ["basebackup_fast_xlog"], "host": "a", "port": 5433,
        "primary_slot_name": "s",
    } })
}

#[test]
fn a_standby_cluster_that_spilo_made_needs_no_patch() {
    let plan = planned(follows("a"), &PatroniStatus::default(), of_spilo());
    assert_eq!(plan.patch, None);
    assert!(plan.before.standby && plan.after.standby && !plan.promotes);
}

#[test]
fn another_source_is_followed_and_what_it_has_not_is_taken_away() {
    let other = spec(json!({ "standby_host": "b" }));
    let plan = planned(other, &PatroniStatus::default(), of_spilo());
    let patch = json!({ "host": "b", "port": null, "primary_slot_name": null });
    assert_eq!(plan.patch, Some(json!({ "standby_cluster": patch })));
}

#[test]
fn a_cluster_becomes_a_standby_of_a_host_or_of_an_archive() {
    let plan = planned(follows("a"), &PatroniStatus::default(), json!({}));
    let patch = json!({
        "host": "a", "port": "5433", "primary_slot_name": "s",
        "create_replica_methods": ["basebackup_fast_xlog"],
    });
    assert_eq!(plan.patch, Some(json!({ "standby_cluster": patch })));
    assert_eq!(plan.changes, ["follows a:5433"]);
    let archive = spec(json!({ "s3_wal_path": "s3://bucket/path" }));
    let plan = planned(archive, &PatroniStatus::default(), json!({}));
    let patch = json!({
        "restore_command": "envdir \"/run/etc/wal-e.d/env-standby\" /scripts/restore_command.sh \"%f\" \"%p\"",
        "create_replica_methods": ["bootstrap_standby_with_wale", "basebackup_fast_xlog"],
    });
    assert_eq!(plan.patch, Some(json!({ "standby_cluster": patch })));
}

#[test]
fn a_standby_cluster_is_promoted_only_if_its_manifest_has_made_it_one() {
    let before = ours(follows("a"));
    let promoted = planned(json!({}), &before, of_spilo());
    assert_eq!(promoted.patch, Some(json!({ "standby_cluster": null })));
    assert!(promoted.promotes);
    assert!(promoted.after.standby, "until it is known to be");
    let done = planned(json!({}), &promoted.after, json!({}));
    assert!(done.patch.is_none() && done.after.standby);
    // Somebody else made it one.
    let of_others = planned(json!({}), &PatroniStatus::default(), of_spilo());
    assert_eq!((of_others.patch, of_others.promotes), (None, false));
    assert!(of_others.stays[0].contains("goes on following"), "{:?}", of_others.stays);
}

#[test]
fn nobody_is_promoted_during_a_pause() {
    let before = ours(follows("a"));
    let mut there = of_spilo();
    there["pause"] = json!(true);
    let wanted = Wanted { pause: true, ..Wanted::default() };
    let plan = plan(&wanted, &before, there.as_object().expect("an object"));
    assert_eq!((plan.patch, plan.promotes), (None, false));
    assert!(plan.after.standby && plan.stays.iter().any(|text| text.contains("pause")));
}

#[test]
fn what_somebody_else_wrote_of_a_source_stays_until_the_manifest_has_named_it() {
    let only_host = || spec(json!({ "standby_host": "a" }));
    let plan = planned(only_host(), &PatroniStatus::default(), of_spilo());
    assert_eq!(plan.patch, None, "the port and the slot are by hand");
    let named = planned(follows("a"), &plan.after, of_spilo());
    assert_eq!(named.patch, None);
    let taken = planned(only_host(), &named.after, of_spilo());
    let patch = json!({ "port": null, "primary_slot_name": null });
    assert_eq!(taken.patch, Some(json!({ "standby_cluster": patch })));
    // Nor a host beside an archive, which alone may have no more of the WAL.
    let archive = spec(json!({ "s3_wal_path": "s3://bucket/path" }));
    let mut there = of_spilo();
    there["standby_cluster"]["restore_command"] = json!("restore");
    assert_eq!(planned(archive, &PatroniStatus::default(), there).patch, None);
}
