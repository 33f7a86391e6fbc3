use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use super::{is_ready, newest, primary_of, readiness, up_to_date};
use crate::build::tests::config;
use crate::report::Outcome;
use crate::restart::{Difference, Kind};

fn pod(name: &str, role: &str, ready: bool) -> Arc<Pod> {
    let ready = if ready { "True" } else { "False" };
    let pod = json!({
        "metadata": { "name": name, "labels": { "spilo-role": role } },
        "status": { "conditions": [{ "type": "Ready", "status": ready }] },
    });
    Arc::new(serde_json::from_value(pod).expect("a pod"))
}

#[test]
fn the_primary_is_the_pod_that_says_so_and_is_ready() {
    // After a crash two say so, until the old one comes back.
    let pods =
        [pod("a-0", "master", false), pod("a-1", "master", true), pod("a-2", "replica", true)];
    let primary = primary_of(&pods, &config()).expect("there is one");
    assert_eq!(primary.metadata.name.as_deref(), Some("a-1"));
    assert_eq!(primary_of(&pods[..1], &config()), None);
}

#[test]
fn a_pod_that_is_being_deleted_is_not_ready() {
    let mut pod = Pod::clone(&pod("a-0", "master", true));
    assert!(is_ready(&pod));
    let now = json!("2026-01-01T00:00:00Z");
    pod.metadata.deletion_timestamp = serde_json::from_value(now).expect("a time");
    assert!(!is_ready(&pod));
}

#[test]
fn pods_are_ready_when_there_are_enough_and_one_is_the_primary() {
    assert_eq!(readiness(2, 2, true).outcome, Outcome::Done);
    assert_eq!(readiness(0, 0, false).outcome, Outcome::Done);
    assert_eq!(readiness(1, 2, true).reason, "PodsNotReady");
    assert_eq!(readiness(2, 2, false).reason, "NoPrimary");
    assert_eq!(readiness(1, 2, true).message, "1 of 2 pods are ready");
}

#[test]
fn pods_that_wait_for_the_same_are_told_of_together() {
    let of = |pod: &str, field: &str, kind: Kind| {
        let (field, from, to) = (field.to_owned(), "1".to_owned(), "2".to_owned());
        (pod.to_owned(), vec![Difference { field, from, to, kind }])
    };
    let told = up_to_date(&[
        of("a-0", "x", Kind::RollsPods),
        of("a-1", "x", Kind::RollsPods),
        of("a-2", "y", Kind::RollsPods),
        of("a-2", "z", Kind::Template),
    ]);
    assert_eq!(told.message, "waits for a restart of a-0, a-1: x (1 -> 2); a-2: y (1 -> 2)");
    assert_eq!(told.reason, "RestartPending");
    let told = up_to_date(&[of("a-2", "z", Kind::Template)]);
    assert_eq!(told.outcome, Outcome::Done);
    assert_eq!(told.message, "the next restart brings: a-2: z (1 -> 2)");
    assert_eq!(up_to_date(&[]).outcome, Outcome::Done);
}

#[test]
fn the_newest_template_is_known_once_its_controller_has_seen_it() {
    let set = |generation: i64, observed: i64| {
        let set = json!({
            "metadata": { "generation": generation },
            "spec": { "selector": {}, "serviceName": "a", "template": {} },
            "status": { "observedGeneration": observed, "updateRevision": "a-1", "replicas": 1 },
        });
        serde_json::from_value(set).expect("a StatefulSet")
    };
    assert_eq!(newest(&set(2, 2)), Some("a-1"));
    assert_eq!(newest(&set(2, 1)), None);
}
