use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::Event;
use serde_json::Value;

use super::*;
use crate::build::facts::PodFacts;
use crate::build::statefulset::stateful_set;
use crate::build::vectors::{cluster, config};
use crate::stages::stateful_set::put;
use crate::testing::FakeApi;

const POSTGRESQL: &str =
    "PATCH /apis/acid.zalan.do/v1/namespaces/default/postgresqls/acid-minimal-cluster";

/// What is held under this id, as the condition has it.
fn held(id: &str) -> Finding {
    let object = "StatefulSet default/acid-minimal-cluster".to_owned();
    let held = Held { object, id: id.to_owned(), differences: Vec::new(), replaced: Vec::new() };
    held::finding(&[held], &cluster().id)
}

/// A manifest of whose takeover this was said.
fn manifest(said: Option<&Finding>, annotations: &Value) -> Postgresql {
    let condition = said.map(|said| {
        json!({ "type": "TakenOver", "status": "False", "reason": said.reason,
            "message": said.message })
    });
    let manifest = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": { "name": "acid-minimal-cluster", "namespace": "default", "uid": "1",
            "annotations": annotations },
        "spec": {},
        "status": { "conditions": condition.into_iter().collect::<Vec<_>>() },
    });
    serde_json::from_value(manifest).unwrap()
}

fn wanted() -> StatefulSet {
    stateful_set(&cluster(), &config(), &PodFacts::default()).0
}

/// A template that was applied by us.
fn of_ours() -> StatefulSet {
    let mut set = wanted();
    let fields = json!([{ "manager": "postgres-operator", "operation": "Apply",
        "fieldsType": "FieldsV1", "fieldsV1": { "f:spec": { "f:template": {} } } }]);
    set.metadata.managed_fields = Some(serde_json::from_value(fields).unwrap());
    set
}

#[test]
fn what_is_held_is_told_again_once_it_is_something_else() {
    let (one, other) = (held("1"), held("2"));
    let none = json!({});
    assert!(news(&manifest(None, &none), &one).is_some());
    assert!(news(&manifest(Some(&one), &none), &one).is_none(), "once");
    assert!(news(&manifest(Some(&one), &none), &other).is_some());
    assert!(news(&manifest(Some(&one), &none), &Finding::done("TakenOver", "")).is_none());
}

#[test]
fn pods_whose_template_is_held_are_not_up_to_date() {
    let rolled = || Finding::done("UpToDate", "");
    assert_eq!(of_pods(rolled(), false), rolled());
    let said = of_pods(rolled(), true);
    assert_eq!((said.outcome, said.reason), (Outcome::Partly, "RestartsHeld"));
    let rolls = Finding::waiting("RollingUpdate", "acid-0 is made anew");
    assert_eq!(of_pods(rolls.clone(), true), rolls, "a mark that somebody set by hand");
}

#[tokio::test]
async fn an_acceptance_ends_with_what_it_was_for_and_is_not_fought_about() {
    let accepted = manifest(None, &json!({ ACCEPT: "1" }));
    let forgets = async |set: StatefulSet, found: &[(Stage, Finding)]| {
        let api =
            FakeApi::new(|_| (200, serde_json::to_value(manifest(None, &json!({}))).unwrap()));
        let context = api.context(config(), None);
        context.caches.stateful_sets.take(Event::Apply(set));
        // Once more, as it is where something puts the annotation back.
        for _ in 0..2 {
            forget_acceptance(&context, &config(), &accepted, found).await;
        }
        api.writes()
    };
    let done = [(Stage::Takeover, Finding::done("TakenOver", ""))];
    assert_eq!(forgets(of_ours(), &done).await, [POSTGRESQL]);
    assert_eq!(forgets(of_ours(), &[]).await, [POSTGRESQL], "it was accepted before it was held");
    assert_eq!(forgets(of_ours(), &[(Stage::Takeover, held("2"))]).await, [""; 0]);
    let failed = [(Stage::Resources, Finding::failed("ApplyFailed", ""))];
    assert_eq!(forgets(of_ours(), &failed).await, [""; 0], "it may not be written yet");
    assert_eq!(forgets(wanted(), &[]).await, [""; 0], "nothing of it is ours");
}

#[tokio::test]
async fn a_stateful_set_that_is_deleted_while_it_is_held_is_not_made_anew_around_its_pods_unasked()
{
    let api = FakeApi::new(|asked| (201, asked.body.clone()));
    let context = api.context(config(), None);
    let made = async |said: Option<&Finding>, accepted: Option<&str>, has_pods: bool| {
        let manifest = manifest(said, &json!({}));
        context.caches.manifests.take(Event::Init);
        context.caches.manifests.take(Event::InitApply(manifest.clone()));
        context.caches.manifests.take(Event::InitDone);
        let pod = json!({
            "metadata": { "name": "acid-minimal-cluster-0", "namespace": "default",
                "labels": { "application": "spilo", "cluster-name": "acid-minimal-cluster" } },
            "spec": { "containers": [{ "name": "postgres", "image": "spilo:old" }] },
        });
        let pod: Pod = serde_json::from_value(pod).unwrap();
        context.caches.pods.take(Event::Init);
        if has_pods {
            context.caches.pods.take(Event::InitApply(pod));
        }
        context.caches.pods.take(Event::InitDone);
        let mut cluster = cluster();
        cluster.annotations = accepted
            .map(|id| BTreeMap::from([(ACCEPT.to_owned(), id.to_owned())]))
            .unwrap_or_default();
        let before = api.writes().len();
        let (_, held) = put(&context, &config(), &manifest, &cluster, wanted(), None).await;
        (held, api.writes().len() > before)
    };
    let was = held("1");
    let (found, is_made) = made(Some(&was), None, true).await;
    let found = found.expect("its pods would be made anew");
    assert!(!is_made, "{:?}", api.writes());
    assert!(made(Some(&was), Some(&found.id), true).await.1, "somebody was asked");
    assert!(made(Some(&was), None, false).await.1, "nobody is left");
    assert!(made(None, None, true).await.1, "nothing was held: it is one of ours");
}
