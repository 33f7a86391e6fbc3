use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use super::{is_ready, primary_of, readiness};
use crate::build::tests::config;
use crate::report::Outcome;

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
