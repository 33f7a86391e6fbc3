use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::build::vectors;
use crate::disturbance::What;
use crate::memory::Known;
use crate::testing::{FakeApi, refusal};

const MANIFEST: &str = "/apis/acid.zalan.do/v1/namespaces/default/postgresqls/acid-minimal-cluster";
const POD: &str = "/api/v1/namespaces/default/pods/acid-minimal-cluster-0";

fn attempt() -> Attempt {
    Attempt { pod: "acid-minimal-cluster-0".to_owned(), pods: 1, from: 15, to: 16 }
}

fn manifest(generation: i64) -> Value {
    json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql", "spec": {},
        "metadata": {
            "name": "acid-minimal-cluster", "namespace": "default", "uid": "1",
            "resourceVersion": "9", "generation": generation,
        },
    })
}

/// An API server with a pod and a manifest, in which commands end like this.
fn api(exec: u16) -> FakeApi {
    FakeApi::new(move |asked| match asked.path.as_str() {
        MANIFEST => (200, manifest(2)),
        POD => (200, json!({ "metadata": { "name": "acid-minimal-cluster-0", "uid": "pod-1" } })),
        path if path.ends_with("/exec") => refusal(exec),
        _ => (200, json!({ "metadata": {}, "items": [] })),
    })
}

#[tokio::test]
async fn whoever_may_run_no_command_writes_nothing_and_waits_longer_each_time() {
    let api = api(403);
    let mut config = vectors::config();
    config.operation.repair_period = Duration::from_secs(300);
    let context = Arc::new(api.context(config.clone(), None));
    let config = Arc::new(config);
    let id = vectors::cluster().id;
    let manifest = serde_json::from_value(manifest(2)).unwrap();
    let mut pauses = Vec::new();
    for _ in 0..2 {
        let reserve = |known: &mut Known| known.disturbance.reserve(What::Upgrade(String::new()));
        let reserved = context.memory.with(&id, reserve).unwrap();
        start(&context, &config, &manifest, &id, attempt(), reserved);
        let runs = || context.memory.with(&id, |known| known.disturbance.upgrades());
        while runs() {
            tokio::task::yield_now().await;
        }
        pauses.push(context.memory.with(&id, |known| known.upgrade.tries.left(Instant::now())));
        let problem =
            context.memory.with(&id, |known| known.upgrade.tries.problem().map(str::to_owned));
        assert!(problem.unwrap_or_default().contains("refused"));
    }
    let events = |line: &String| line.contains("events");
    assert!(api.writes().iter().all(events), "{:?}", api.writes());
    assert!(pauses[0].is_some() && pauses[1] > pauses[0], "{pauses:?}");
}

#[tokio::test]
async fn a_script_is_noted_with_its_pod_on_the_manifest_that_it_was_decided_by() {
    let id = vectors::cluster().id;
    for (seen, expected) in [(2, true), (1, false)] {
        let api = api(403);
        let context = api.context(vectors::config(), None);
        let pods = Api::namespaced(context.client.clone(), "default");
        let manifest = serde_json::from_value(manifest(seen)).unwrap();
        let noted = note(&context, &manifest, &id, &attempt(), &pods).await;
        let patches: Vec<Value> = api
            .asked()
            .into_iter()
            .filter(|asked| asked.method == "PATCH")
            .map(|asked| asked.body)
            .collect();
        assert_eq!(noted.is_ok(), expected, "{noted:?}");
        let wanted = json!({ "metadata": {
            "annotations": { "acid.zalan.do/major-upgrade": "16 running acid-minimal-cluster-0 pod-1" },
            "resourceVersion": "9",
        } });
        assert_eq!(patches, if expected { vec![wanted] } else { Vec::new() });
    }
}

#[tokio::test]
async fn a_script_whose_start_was_not_answered_may_run() {
    for (status, may_run) in [(403, false), (500, true)] {
        let pods = Api::namespaced(api(status).client(), "default");
        let end = script(&pods, &attempt(), "0").await;
        assert_eq!(matches!(end, Ok(End::Unseen(_))), may_run, "{status}: {end:?}");
        assert_eq!(end.is_err(), !may_run, "{status}");
    }
}

#[test]
fn what_is_told_of_a_failure_is_one_line_without_a_secret() {
    let ended = |text: &str| Ended {
        is_well: false,
        code: Some(1),
        text: text.to_owned(),
        reason: "command terminated with exit code 1".to_owned(),
    };
    assert_eq!(said(&ended("a\nb\n")), "b");
    assert_eq!(said(&ended("")), "command terminated with exit code 1");
    let told = said(&ended("host=a password=hunter2 \u{1b}[31m"));
    assert!(!told.contains("hunter2") && !told.contains('\u{1b}'), "{told}");
    assert_eq!(said(&ended(&"ä".repeat(1000))).chars().count(), 300);
}

#[test]
fn how_it_ended_is_noted_as_the_reference_does_and_for_which_version() {
    let annotations = |is_well| outcome_of(16, is_well)["metadata"]["annotations"].clone();
    let is_time = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        text.len() == 20 && text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T')
    };
    let well = annotations(true);
    assert!(is_time(&well["last-major-upgrade-success"]), "{well}");
    assert!(well.as_object().unwrap().contains_key("last-major-upgrade-failure"));
    assert_eq!(well["last-major-upgrade-failure"], Value::Null, "it is taken off");
    assert_eq!(well["acid.zalan.do/major-upgrade"], "16 ended");
    let not = annotations(false);
    assert!(is_time(&not["last-major-upgrade-failure"]), "{not}");
    assert_eq!(not["acid.zalan.do/major-upgrade"], "16 failed");
    assert!(!not.as_object().unwrap().contains_key("last-major-upgrade-success"));
}

#[tokio::test]
async fn a_status_that_is_written_meanwhile_is_no_reason_to_begin_anew() {
    let refused = Mutex::new(2);
    let api = FakeApi::new(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("PATCH", MANIFEST) if *refused.lock().unwrap() > 0 => {
            *refused.lock().unwrap() -= 1;
            refusal(409)
        }
        (_, MANIFEST) => (200, manifest(2)),
        _ => (200, json!({ "metadata": { "name": "acid-minimal-cluster-0", "uid": "pod-1" } })),
    });
    let context = api.context(vectors::config(), None);
    let pods = Api::namespaced(context.client.clone(), "default");
    let manifest = serde_json::from_value(manifest(2)).unwrap();
    let id = vectors::cluster().id;
    assert_eq!(note(&context, &manifest, &id, &attempt(), &pods).await, Ok(()));
    assert_eq!(api.writes().len(), 3);
}
