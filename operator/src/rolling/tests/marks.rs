use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::restart::{Difference, Kind};
use crate::rolling::{MARK, Marking, REASON, is_marked, marking};

fn pod(annotations: &Value) -> Pod {
    let pod = json!({ "metadata": { "name": "db-0", "annotations": annotations } });
    serde_json::from_value(pod).expect("a pod")
}

fn difference(kind: Kind) -> Difference {
    let (field, from, to) = ("image".to_owned(), "1".to_owned(), "2".to_owned());
    Difference { field, from, to, kind }
}

#[test]
fn a_pod_is_marked_for_what_only_a_restart_changes_with_the_fields() {
    let new = pod(&json!({}));
    let set = Marking::Set("image (1 -> 2)".to_owned());
    assert_eq!(marking(&new, &[difference(Kind::Template), difference(Kind::RollsPods)]), set);
    assert_eq!(marking(&new, &[difference(Kind::Template)]), Marking::Keep);
}

#[test]
fn a_mark_of_ours_goes_with_its_reason_and_one_of_somebody_else_stays() {
    let ours = pod(&json!({ MARK: "true", REASON: "image (1 -> 2)" }));
    assert_eq!(marking(&ours, &[]), Marking::Remove);
    assert_eq!(marking(&ours, &[difference(Kind::RollsPods)]), Marking::Keep);
    assert_eq!(marking(&pod(&json!({ MARK: "true" })), &[]), Marking::Keep);
}

#[test]
fn a_mark_says_true() {
    assert!(is_marked(&pod(&json!({ MARK: "true" }))));
    assert!(!is_marked(&pod(&json!({ MARK: "false" }))));
    assert!(!is_marked(&pod(&json!({}))));
    assert_eq!(MARK, "zalando-postgres-operator-rolling-update-required");
}
