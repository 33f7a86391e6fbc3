use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::*;
use crate::build::tests::{cluster, config};
use crate::rolling::{MARK, REASON};
use crate::testing::FakeApi;

/// A pod whose image admission has changed, made of this revision of the template.
fn rewritten(revision: &str, annotations: &Value) -> Outlook {
    let context = FakeApi::empty().context(config(), None);
    let labels = json!({ "application": "spilo", "cluster-name": "acid-minimal-cluster" });
    let set = json!({
        "metadata": { "name": "acid-minimal-cluster", "namespace": "default", "generation": 1,
            "labels": labels },
        "spec": { "replicas": 1, "selector": {}, "serviceName": "c", "template": {
            "spec": { "containers": [{ "name": "postgres", "image": "spilo:2" }] } } },
        "status": { "replicas": 1, "observedGeneration": 1, "updateRevision": "new" },
    });
    let set: StatefulSet = serde_json::from_value(set).unwrap();
    context.caches.stateful_sets.take(Event::Apply(set));
    let mut pod = json!({
        "metadata": { "name": "acid-minimal-cluster-0", "namespace": "default", "labels": labels,
            "annotations": annotations },
        "spec": { "containers": [{ "name": "postgres", "image": "mirror/spilo:2" }] },
    });
    pod["metadata"]["labels"]["controller-revision-hash"] = json!(revision);
    let pod: Pod = serde_json::from_value(pod).unwrap();
    context.caches.pods.take(Event::Apply(pod));
    let mut outlook = Outlook::of("default/acid-minimal-cluster");
    pods(&context, &config(), &cluster(json!({})), &mut outlook);
    outlook
}

#[tokio::test]
async fn an_image_that_admission_rewrites_is_no_restart_for_the_operator_makes_none() {
    let outlook = rewritten("new", &json!({}));
    assert!(!outlook.restarts, "{outlook:?}");
    assert_eq!(outlook.changes, []);
    let older = rewritten("old", &json!({}));
    assert!(older.restarts);
    assert_eq!(older.changes[0].object, "Pod default/acid-minimal-cluster-0");
}

#[tokio::test]
async fn a_mark_restarts_a_pod_unless_it_is_ours_and_what_it_was_for_is_gone() {
    assert!(rewritten("new", &json!({ MARK: "true" })).restarts);
    assert!(!rewritten("new", &json!({ MARK: "true", REASON: "image" })).restarts);
}

#[test]
fn what_could_not_be_listed_is_an_error_and_what_is_waited_for_is_none() {
    let mut outlook = Outlook::of("default/c");
    take(Finding::waiting("SecretsMissing", "waits for a Secret"), &mut outlook);
    assert_eq!(outlook.code(), 0);
    let unlisted = Finding::waiting("NotListed", "Deployments cannot be listed");
    assert!(is_error(&unlisted), "also of poolers, of which nothing else counts");
    take(unlisted, &mut outlook);
    assert_eq!((outlook.code(), outlook.errors.len()), (1, 1));
}
