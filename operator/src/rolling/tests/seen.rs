use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as api;
use serde_json::{Value, json};

use crate::build::names::Role;
use crate::rolling::{Life, Stranded, life, not_running, ordinal, pods};

fn pod(phase: &str, states: &[(&str, Value)]) -> api::Pod {
    let status = |(name, state): &(&str, Value)| {
        json!({
            "name": name, "state": state, "image": "", "imageID": "", "ready": false,
            "restartCount": 0,
        })
    };
    let statuses: Vec<_> = states.iter().map(status).collect();
    let pod = json!({
        "metadata": { "name": "db-0" },
        "status": { "phase": phase, "containerStatuses": statuses },
    });
    serde_json::from_value(pod).expect("a pod")
}

fn running() -> Value {
    json!({ "running": {} })
}

fn waiting(reason: &str) -> Value {
    json!({ "waiting": { "reason": reason } })
}

#[test]
fn a_pod_runs_only_if_all_its_containers_do() {
    let of = |state: Value| not_running(&pod("Running", &[("postgres", state)]));
    assert!(!of(running()));
    for reason in ["CreateContainerConfigError", "CrashLoopBackOff", "ImagePullBackOff"] {
        assert!(of(waiting(reason)), "{reason}");
    }
    assert!(of(json!({ "terminated": { "exitCode": 137 } })));
    for phase in ["Pending", "Failed", "Succeeded"] {
        assert!(not_running(&pod(phase, &[])), "{phase}");
    }
    let beside = [("postgres", running()), ("exporter", waiting("CrashLoopBackOff"))];
    assert!(not_running(&pod("Running", &beside)));
    assert!(!not_running(&pod("Running", &[])));
    assert!(!not_running(&api::Pod::default()), "nobody has said anything");
}

#[test]
fn postgresql_may_run_beside_a_container_that_does_not() {
    let of = |postgres: Value, beside: Value| {
        life(&pod("Running", &[("postgres", postgres), ("exporter", beside)]))
    };
    assert_eq!(of(running(), running()), Life::Runs);
    assert_eq!(of(running(), waiting("CrashLoopBackOff")), Life::Partly);
    assert_eq!(of(waiting("CrashLoopBackOff"), running()), Life::Dead);
    assert_eq!(life(&pod("Running", &[("other", waiting(""))])), Life::Dead);
    assert_eq!(life(&pod("Failed", &[("postgres", running())])), Life::Dead);
}

#[test]
fn a_pod_is_seen_with_all_that_matters() {
    let object = json!({
        "metadata": {
            "name": "db-3", "creationTimestamp": "2026-11-26T00:00:00Z",
            "labels": { "spilo-role": "master" },
            "annotations": { "zalando-postgres-operator-rolling-update-required": "true" },
        },
        "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] },
    });
    let object: api::Pod = serde_json::from_value(object).expect("a pod");
    let leaving = BTreeMap::from([("db-3".to_owned(), Some(Stranded::NoNode))]);
    let seen = pods(&[Arc::new(object)], "spilo-role", 3, &leaving);
    let seen = seen.first().expect("one");
    assert_eq!((seen.ordinal, seen.role, seen.life), (3, Some(Role::Master), Life::Runs));
    assert!(seen.ready && seen.marked && seen.goes && seen.leaves_node && !seen.deleting);
    assert_eq!(seen.stranded, Some(Stranded::NoNode));
}

#[test]
fn what_a_pod_does_must_not_be_interrupted_where_its_label_or_patroni_says_so() {
    let of = |labels: Value, status: &str| {
        let annotations = json!({ "status": format!("{{\"state\": {status:?}}}") });
        let metadata = json!({ "name": "db-0", "labels": labels, "annotations": annotations });
        let pod = serde_json::from_value(json!({ "metadata": metadata })).expect("a pod");
        pods(&[Arc::new(pod)], "spilo-role", 3, &BTreeMap::new()).iter().any(|pod| pod.critical)
    };
    assert!(of(json!({ "critical-operation": "true" }), "running"));
    assert!(!of(json!({ "critical-operation": "false" }), "running"));
    for state in ["running custom bootstrap script", "starting after custom bootstrap"] {
        assert!(of(json!({}), state), "{state}");
    }
    for state in ["running", "starting", "custom bootstrap failed", "creating replica"] {
        assert!(!of(json!({}), state), "{state}");
    }
}

#[test]
fn a_pod_has_its_number_at_the_end() {
    assert_eq!(ordinal("acid-2-db-11"), Some(11));
    assert_eq!(ordinal("acid"), None);
}
