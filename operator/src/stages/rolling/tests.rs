use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use super::{newest, words};
use crate::api::postgresql::Postgresql;
use crate::report::Outcome;
use crate::restart::{Difference, Kind};

fn pod(name: &str) -> Arc<Pod> {
    let pod = json!({ "metadata": { "name": name } });
    Arc::new(serde_json::from_value(pod).expect("a pod"))
}

fn of(name: &str, field: &str, kind: Kind) -> (Arc<Pod>, Vec<Difference>) {
    let (field, from, to) = (field.to_owned(), "1".to_owned(), "2".to_owned());
    (pod(name), vec![Difference { field, from, to, kind }])
}

#[test]
fn pods_that_wait_for_the_same_are_told_of_together() {
    let told = words::outdated(&[
        of("a-0", "x", Kind::RollsPods),
        of("a-1", "x", Kind::RollsPods),
        of("a-2", "y", Kind::RollsPods),
        of("a-2", "z", Kind::Template),
    ]);
    let told = told.finding();
    assert_eq!(told.message, "waits for a restart of a-0, a-1: x (1 -> 2); a-2: y (1 -> 2)");
    assert_eq!(told.reason, "RestartPending");
    let told = words::outdated(&[of("a-2", "z", Kind::Template)]).finding();
    assert_eq!(told.outcome, Outcome::Done);
    assert_eq!(told.message, "the next restart brings: a-2: z (1 -> 2)");
    assert_eq!(words::outdated(&[]).finding().outcome, Outcome::Done);
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

#[test]
fn a_rolling_update_is_known_by_what_was_said_whoever_said_it() {
    let manifest = |status: Value| -> Postgresql {
        let manifest = json!({
            "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
            "metadata": { "name": "acid-main", "namespace": "a" }, "spec": {}, "status": status,
        });
        serde_json::from_value(manifest).expect("a manifest")
    };
    let said = |reason: &str| {
        let condition = json!({ "type": "PodsUpToDate", "reason": reason, "status": "False" });
        words::was_rolling(&manifest(json!({ "conditions": [condition] })))
    };
    assert!(said("RollingUpdate") && said("RollingUpdateStuck"));
    assert!(!said("UpToDate") && !said("Paused"));
    assert!(!words::was_rolling(&manifest(json!({}))));
}
