use serde_json::json;

use super::*;
use crate::build::facts::PodFacts;
use crate::build::statefulset::stateful_set;
use crate::build::vectors;

fn ours() -> StatefulSet {
    stateful_set(&vectors::cluster(), &vectors::config(), &PodFacts::default()).0
}

/// As another operator made it, with this image.
fn theirs(image: &str) -> StatefulSet {
    let mut set = with_fields(ours(), json!([by("postgres-operator", "Update")]));
    let spec = set.spec.as_mut().unwrap();
    spec.template.spec.as_mut().unwrap().containers[0].image = Some(image.to_owned());
    set
}

fn by(manager: &str, operation: &str) -> serde_json::Value {
    json!({"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": {
        "f:metadata": {"f:labels": {"f:cluster-name": {}}},
        "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {}}}},
    }})
}

fn with_fields(mut set: StatefulSet, fields: serde_json::Value) -> StatefulSet {
    set.metadata.managed_fields = Some(serde_json::from_value(fields).unwrap());
    set
}

fn held_of(live: &StatefulSet) -> Option<Held> {
    held(&ours(), live, &vectors::config())
}

#[test]
fn a_cluster_of_another_operator_that_is_as_ours_would_be_is_not_held() {
    let image = ours().spec.unwrap().template.spec.unwrap().containers[0].image.clone().unwrap();
    assert_eq!(held_of(&theirs(&image)), None);
}

#[test]
fn what_would_restart_pods_of_another_operator_is_held_and_everything_else_is_kept_up() {
    let live = theirs("registry.example.com/spilo:old");
    let held = held_of(&live).unwrap();
    assert_eq!(held.differences.len(), 1);
    assert_eq!(held.differences[0].field, "containers[postgres].image");
    let mut wanted = ours();
    wanted.spec.as_mut().unwrap().replicas = Some(7);
    wanted.spec.as_mut().unwrap().pod_management_policy = Some("Parallel".to_owned());
    held.keep(&mut wanted, &live);
    let spec = wanted.spec.unwrap();
    assert_eq!(spec.template, PodTemplateSpec::default(), "it is not ours to write");
    assert_eq!(spec.replicas, Some(7));
    assert_eq!(spec.pod_management_policy, live.spec.unwrap().pod_management_policy);
    assert_eq!(wanted.metadata.annotations.unwrap()[HELD], held.id);
    let id = ClusterId { namespace: "default".to_owned(), name: "c".to_owned() };
    let said = finding(&[held], &id).message;
    assert!(said.contains("operator adopt --accept-restarts default/c"), "{said}");
    assert!(said.contains("spilo:old -> "), "{said}");
}

#[test]
fn a_template_of_ours_is_never_held_and_one_that_was_changed_behind_us_is() {
    let live = with_fields(theirs("old"), json!([by("postgres-operator", "Apply")]));
    assert_eq!(held_of(&live), None, "that is a change of ours, which rolls");
    let both = json!([by("postgres-operator", "Apply"), by("pgop", "Update")]);
    assert!(held_of(&with_fields(live.clone(), both)).is_some(), "somebody had it back");
    let mut marked = live;
    marked.annotations_mut().insert(HELD.to_owned(), "0".to_owned());
    assert!(held_of(&marked).is_some(), "held is held, whoever reads it");
}

#[test]
fn only_what_somebody_has_looked_at_is_let_through() {
    let annotated = |text: &str| BTreeMap::from([(ACCEPT.to_owned(), text.to_owned())]);
    let held = held_of(&theirs("old")).unwrap();
    assert!(!held.is_accepted(&BTreeMap::new()));
    assert!(!held.is_accepted(&annotated("true")));
    assert!(held.is_accepted(&annotated(&held.id)));
    assert!(held.is_accepted(&annotated(&format!("0123, {}", held.id))));
    let other = held_of(&theirs("older")).unwrap();
    assert!(!other.is_accepted(&annotated(&held.id)), "that is something else");
}
