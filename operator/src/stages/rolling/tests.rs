use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::{newest, run, words};
use crate::api::postgresql::Postgresql;
use crate::build::tests::config;
use crate::context::Context;
use crate::report::{Finding, Outcome};
use crate::restart::{Difference, Kind};
use crate::rolling::{MARK, REASON};
use crate::testing::FakeApi;
use crate::validate::validate;

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

/// One pod of an older template, which leads.
fn world() -> (FakeApi, Arc<Context>) {
    world_with(json!({}))
}

/// With these annotations of the object where Patroni keeps its settings.
fn world_with(settings: Value) -> (FakeApi, Arc<Context>) {
    let api = FakeApi::new(move |asked| {
        let mut pod = old_pod();
        match asked.method.as_str() {
            "PATCH" => {
                pod["metadata"]["annotations"] = asked.body["metadata"]["annotations"].clone()
            }
            "DELETE" => {
                pod["metadata"]["annotations"] = json!({ MARK: "true", REASON: "image" });
                pod["metadata"]["deletionTimestamp"] = json!("2026-11-26T00:00:00Z");
            }
            "GET" if asked.path.ends_with("/acid-main-config") => {
                let metadata = json!({ "name": "acid-main-config", "annotations": settings });
                return (200, json!({ "metadata": metadata }));
            }
            "GET" => {
                let annotations = json!({ "leader": "acid-main-0" });
                let metadata = json!({ "name": "acid-main-leader", "annotations": annotations });
                return (200, json!({ "metadata": metadata }));
            }
            _ => {}
        }
        pod["metadata"]["resourceVersion"] = json!("2");
        (200, pod)
    });
    let context = Arc::new(api.context(config(), None));
    restarted(&context);
    (api, context)
}

/// What there is, as a process that has just started sees it.
fn restarted(context: &Context) {
    let set = json!({
        "metadata": {
            "name": "acid-main", "namespace": "a", "generation": 2, "resourceVersion": "1",
            "labels": { "cluster-name": "acid-main" },
        },
        "spec": {
            "replicas": 1, "selector": {}, "serviceName": "acid-main",
            "template": { "spec": { "containers": [{ "name": "postgres", "image": "spilo:2" }] } },
        },
        "status": { "replicas": 1, "observedGeneration": 2, "updateRevision": "new" },
    });
    let set = serde_json::from_value(set).expect("a StatefulSet");
    context.caches.stateful_sets.take(Event::Apply(set));
    let pod = serde_json::from_value(old_pod()).expect("a pod");
    context.caches.pods.take(Event::Apply(pod));
}

fn old_pod() -> Value {
    json!({
        "metadata": {
            "name": "acid-main-0", "namespace": "a", "uid": "1-2-3", "resourceVersion": "1",
            "labels": {
                "cluster-name": "acid-main", "spilo-role": "master",
                "controller-revision-hash": "old",
            },
        },
        "spec": { "containers": [{ "name": "postgres", "image": "spilo:1" }] },
        "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] },
    })
}

async fn look(context: &Arc<Context>, annotations: &Value) -> Finding {
    let manifest = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": { "name": "acid-main", "namespace": "a", "annotations": annotations },
        "spec": {
            "teamId": "acid", "numberOfInstances": 1, "volume": { "size": "1Gi" },
            "postgresql": { "version": "15" },
        },
    });
    let manifest: Postgresql = serde_json::from_value(manifest).expect("a manifest");
    let config = config();
    let accepted = validate(&manifest, &config).expect("a good one");
    run(context, &config, &manifest, &accepted.cluster, None).await.finding
}

#[tokio::test]
async fn a_pod_of_an_older_template_is_marked_and_deleted_by_its_uid() {
    let (api, context) = world();
    let finding = look(&context, &json!({})).await;
    assert_eq!((finding.outcome, finding.reason), (Outcome::Waiting, "RollingUpdate"));
    let pod = "/api/v1/namespaces/a/pods/acid-main-0";
    assert_eq!(writes(&api), [format!("PATCH {pod}"), format!("DELETE {pod}")]);
    let asked = api.asked();
    let mark = asked.iter().find(|own| own.method == "PATCH").expect("a mark");
    assert_eq!(mark.body["metadata"]["uid"], "1-2-3");
    assert_eq!(mark.body["metadata"]["annotations"][MARK], "true");
    let reason = mark.body["metadata"]["annotations"][REASON].as_str().expect("a reason");
    assert_eq!(reason, "containers[postgres].image (spilo:1 -> spilo:2)");
    let delete = asked.iter().find(|own| own.method == "DELETE").expect("a deletion");
    assert_eq!(delete.body["preconditions"]["uid"], "1-2-3");
    // Before any watch tells, nobody chooses another one.
    let finding = look(&context, &json!({})).await;
    assert!(finding.message.contains("acid-main-0 is being deleted"), "{}", finding.message);
    assert_eq!(writes(&api).len(), 2);
}

#[tokio::test]
async fn who_is_paused_gets_no_mark_and_is_told_what_waits() {
    let (api, context) = world();
    let finding = look(&context, &json!({ "acid.zalan.do/pause": "true" })).await;
    assert_eq!(finding.reason, "Paused");
    assert!(finding.message.contains("spilo:1 -> spilo:2"), "{}", finding.message);
    assert_eq!(writes(&api), [""; 0]);
}

#[tokio::test]
async fn nobody_is_deleted_while_somebody_has_paused_patroni_itself() {
    let (api, context) = world_with(json!({ "config": r#"{"pause":true}"# }));
    let finding = look(&context, &json!({})).await;
    assert!(finding.message.contains("Patroni is paused"), "{}", finding.message);
    assert_eq!(writes(&api), ["PATCH /api/v1/namespaces/a/pods/acid-main-0"]);
}

#[tokio::test]
async fn a_template_that_its_controller_has_not_seen_marks_nobody() {
    let (api, context) = world();
    let mut set = context.caches.stateful_sets.all().remove(0).as_ref().clone();
    set.metadata.generation = Some(3);
    set.metadata.resource_version = Some("2".to_owned());
    context.caches.stateful_sets.take(Event::Apply(set));
    assert_eq!(look(&context, &json!({})).await.reason, "RestartPending");
    assert_eq!(writes(&api), [""; 0]);
}

/// Without events.
fn writes(api: &FakeApi) -> Vec<String> {
    api.writes().into_iter().filter(|line| !line.contains("/events")).collect()
}
