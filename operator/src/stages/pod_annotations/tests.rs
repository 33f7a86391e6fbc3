use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::{Annotations, annotated, lacks};

fn pod(metadata: &Value) -> Pod {
    serde_json::from_value(json!({ "metadata": metadata })).expect("a pod")
}

fn wanted() -> Annotations {
    Annotations::from([("example.com/team".to_owned(), "acid".to_owned())])
}

#[test]
fn a_pod_that_has_them_is_left_alone_whatever_else_it_has() {
    let own = json!({ "annotations": { "example.com/team": "acid", "status": "{}" } });
    assert!(!lacks(&pod(&own), &wanted()));
    assert!(!lacks(&pod(&json!({})), &Annotations::new()));
}

#[test]
fn a_pod_with_another_value_or_none_gets_it() {
    assert!(lacks(&pod(&json!({})), &wanted()));
    let other = json!({ "annotations": { "example.com/team": "other" } });
    assert!(lacks(&pod(&other), &wanted()));
}

#[test]
fn what_we_wrote_is_looked_at_again_so_that_it_can_go() {
    let ours = json!({ "managedFields": [
        { "manager": "postgres-operator", "operation": "Apply" },
    ] });
    assert!(lacks(&pod(&ours), &Annotations::new()));
}

#[test]
fn a_pod_that_is_being_deleted_is_left_alone() {
    let going = json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" });
    assert!(!lacks(&pod(&going), &wanted()));
}

#[test]
fn nothing_but_annotations_of_this_very_pod_is_applied() {
    let live = json!({ "name": "acid-0", "namespace": "shop", "uid": "1-2-3",
                       "labels": { "spilo-role": "master" }, "resourceVersion": "7" });
    let applied = serde_json::to_value(annotated(&pod(&live), &wanted())).expect("JSON");
    let wanted = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "acid-0", "namespace": "shop", "uid": "1-2-3",
                      "annotations": { "example.com/team": "acid" } },
    });
    assert_eq!(applied, wanted);
}
