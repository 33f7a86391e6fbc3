use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use serde_json::{Value, json};

use super::{Step, step};

fn set(when_deleted: &str, heard: i64) -> StatefulSet {
    let set = json!({
        "metadata": { "name": "acid", "uid": "set-1", "generation": 2 },
        "spec": {
            "selector": {}, "template": {},
            "persistentVolumeClaimRetentionPolicy": {
                "whenDeleted": when_deleted, "whenScaled": "Retain",
            },
        },
        "status": { "replicas": 1, "observedGeneration": heard },
    });
    serde_json::from_value(set).expect("a StatefulSet")
}

fn claim(owners: &Value) -> PersistentVolumeClaim {
    let claim = json!({ "metadata": { "name": "pgdata-acid-0", "ownerReferences": owners } });
    serde_json::from_value(claim).expect("a claim")
}

fn owner(kind: &str, uid: &str) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": kind, "name": "acid", "uid": uid })
}

fn next(set: &StatefulSet, claim: &PersistentVolumeClaim) -> Step {
    step(set, std::iter::once(claim))
}

#[test]
fn claims_that_would_go_with_it_are_kept_first() {
    let owned = claim(&json!([owner("StatefulSet", "set-1")]));
    assert_eq!(next(&set("Delete", 2), &owned), Step::Keep);
    // Its controller gives them an owner in a moment.
    assert_eq!(next(&set("Delete", 2), &claim(&json!([]))), Step::Keep);
}

#[test]
fn nothing_is_done_before_its_controller_has_heard_of_that() {
    let owned = claim(&json!([owner("StatefulSet", "set-1")]));
    assert_eq!(next(&set("Retain", 1), &owned), Step::Wait);
    assert_eq!(next(&set("Retain", 1), &claim(&json!([]))), Step::Wait);
}

#[test]
fn a_claim_that_it_owns_is_set_free_before_it_is_deleted() {
    let owned = claim(&json!([owner("StatefulSet", "set-1")]));
    assert_eq!(next(&set("Retain", 2), &owned), Step::Free(vec!["pgdata-acid-0".to_owned()]));
}

#[test]
fn it_is_deleted_when_it_owns_no_claim() {
    assert_eq!(next(&set("Retain", 2), &claim(&json!([]))), Step::Delete);
    // Of one that was there before, or of a pod that is on its way out.
    let others = claim(&json!([owner("StatefulSet", "set-0"), owner("Pod", "pod-1")]));
    assert_eq!(next(&set("Retain", 2), &others), Step::Delete);
}

#[test]
fn one_that_goes_already_is_left_alone() {
    let mut going = set("Retain", 2);
    let at = serde_json::from_value(json!("2026-01-01T00:00:00Z")).expect("a time");
    going.metadata.deletion_timestamp = Some(at);
    assert_eq!(next(&going, &claim(&json!([]))), Step::Wait);
}
