use std::sync::{Arc, Mutex};

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::*;
use crate::build::vectors;
use crate::testing::{Asked, FakeApi, refusal};

const CLAIM: &str =
    "/api/v1/namespaces/default/persistentvolumeclaims/pgdata-acid-minimal-cluster-0";
const CLASS: &str = "/apis/storage.k8s.io/v1/storageclasses/fast";

fn claim() -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "pgdata-acid-minimal-cluster-0", "namespace": "default",
            "uid": "claim-1", "resourceVersion": "7",
            "labels": {
                "application": "spilo", "cluster-name": "acid-minimal-cluster",
                "somebody": "else",
            },
        },
        "spec": {
            "storageClassName": "fast", "resources": { "requests": { "storage": "1Gi" } },
        },
        "status": { "phase": "Bound", "capacity": { "storage": "1Gi" } },
    })
}

/// An API server with one claim, which is patched as told, and a class that can grow or not.
struct Scene {
    api: FakeApi,
    context: Context,
    config: Config,
    cluster: Cluster,
}

impl Scene {
    fn new(
        claim: Value,
        answer: impl Fn(&Asked) -> Option<(u16, Value)> + Send + Sync + 'static,
    ) -> Self {
        let mut config = vectors::config();
        config.operation.storage_resize_mode = "pvc".to_owned();
        config.operation.repair_period = std::time::Duration::from_secs(300);
        config.labels.inherited_annotations.insert("owner".to_owned());
        let cluster = vectors::cluster();
        let stored = Arc::new(Mutex::new(claim.clone()));
        let api = FakeApi::new(move |asked| {
            if let Some(answer) = answer(asked) {
                return answer;
            }
            match asked.line().as_str() {
                line if line == format!("GET {CLASS}") => {
                    let class = json!({ "metadata": { "name": "fast" }, "provisioner": "x",
                        "allowVolumeExpansion": true });
                    (200, class)
                }
                line if line == format!("PATCH {CLAIM}") => {
                    let mut stored = stored.lock().expect("nobody panics with it");
                    merge(&mut stored, &asked.body);
                    stored["metadata"]["resourceVersion"] = json!("8");
                    (200, stored.clone())
                }
                _ => refusal(404),
            }
        });
        let context = api.context(config.clone(), None);
        let claim: PersistentVolumeClaim = serde_json::from_value(claim).expect("a claim");
        context.caches.claims.take(Event::Init);
        context.caches.claims.take(Event::InitApply(claim));
        context.caches.claims.take(Event::InitDone);
        Self { api, context, config, cluster }
    }

    fn ordinary() -> Self {
        Self::new(claim(), |_| None)
    }

    fn size(mut self, size: &str) -> Self {
        self.cluster.spec.volume.size = size.to_owned();
        self
    }

    async fn run(&self) -> Volumes {
        let manifest = serde_json::from_value(json!({
            "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
            "metadata": { "name": "acid-minimal-cluster", "namespace": "default" }, "spec": {},
        }));
        run(&self.context, &self.config, &manifest.expect("a manifest"), &self.cluster).await
    }

    /// Events are told beside everything else.
    fn patches(&self) -> Vec<Value> {
        let asked = self.api.asked();
        asked.into_iter().filter(|one| one.method == "PATCH").map(|one| one.body).collect()
    }
}

fn merge(object: &mut Value, patch: &Value) {
    match patch.as_object() {
        None => *object = patch.clone(),
        Some(fields) => {
            for (field, value) in fields {
                if value.is_null() {
                    object.as_object_mut().map(|own| own.remove(field));
                } else {
                    merge(&mut object[field], value);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_claim_that_is_behind_asks_for_more_and_nothing_else_of_it_is_written() {
    let scene = Scene::ordinary().size("1500Mi");
    let found = scene.run().await;
    let patch = json!({
        "metadata": { "uid": "claim-1", "resourceVersion": "7" },
        "spec": { "resources": { "requests": { "storage": "1500Mi" } } },
    });
    assert_eq!(scene.patches(), [patch]);
    assert_eq!(found.finding.reason, "Resizing");
    assert_eq!(found.of_new.map(|size| size.to_string()).as_deref(), Some("1500Mi"));
    // What was written is known before any watch tells of it.
    scene.run().await;
    assert_eq!(scene.patches().len(), 1);
}

#[tokio::test]
async fn nothing_is_asked_for_where_all_is_well_or_too_large() {
    for size in ["1Gi", "1024Mi", "512Mi"] {
        let scene = Scene::ordinary().size(size);
        scene.run().await;
        let asked = scene.api.asked().into_iter().filter(|one| !one.path.contains("/events"));
        assert_eq!(asked.map(|one| one.line()).collect::<Vec<_>>(), Vec::<String>::new(), "{size}");
    }
}

#[tokio::test]
async fn off_leaves_sizes_alone_and_sets_annotations() {
    let mut scene = Scene::ordinary().size("2Gi");
    scene.config.operation.storage_resize_mode = "off".to_owned();
    scene.cluster.annotations.insert("owner".to_owned(), "acid".to_owned());
    let found = scene.run().await;
    assert_eq!(found.finding.reason, "Off");
    let applied = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "pgdata-acid-minimal-cluster-0", "namespace": "default", "uid": "claim-1",
            "annotations": { "owner": "acid" },
        },
    });
    assert_eq!(scene.patches(), [applied]);
}

#[tokio::test]
async fn a_class_that_cannot_grow_is_not_asked_to() {
    for (answer, reason) in [
        (
            (200, json!({ "metadata": { "name": "fast" }, "provisioner": "x" })),
            "lets no volume grow",
        ),
        (refusal(404), "there is no StorageClass fast"),
    ] {
        let scene = Scene::new(claim(), move |asked| (asked.path == CLASS).then(|| answer.clone()));
        let found = scene.size("2Gi").run().await;
        assert_eq!(found.finding.reason, "ClassCannotGrow");
        assert!(found.finding.message.contains(reason), "{}", found.finding.message);
        assert!(found.may_change_unseen && !found.is_to_be_tried_again);
        assert_eq!(found.of_new.map(|size| size.to_string()).as_deref(), Some("2Gi"));
    }
}

#[tokio::test]
async fn without_the_right_to_read_classes_the_api_server_is_asked_for_more() {
    let scene = Scene::new(claim(), |asked| (asked.path == CLASS).then(|| refusal(403)));
    let scene = scene.size("2Gi");
    assert_eq!(scene.run().await.finding.reason, "Resizing");
    assert_eq!(scene.patches().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_api_server_refuses_is_asked_for_again_after_a_while_or_with_another_size() {
    let scene = Scene::new(claim(), |asked| (asked.method == "PATCH").then(|| refusal(403)));
    let mut scene = scene.size("2Gi");
    for _ in 0..3 {
        let found = scene.run().await;
        assert_eq!(found.finding.reason, "GrowthRefused");
        assert!(found.may_change_unseen && !found.is_to_be_tried_again);
    }
    assert_eq!(scene.patches().len(), 1);
    scene.cluster.spec.volume.size = "3Gi".to_owned();
    scene.run().await;
    assert_eq!(scene.patches().len(), 2);
    tokio::time::advance(std::time::Duration::from_secs(301)).await;
    scene.run().await;
    assert_eq!(scene.patches().len(), 3);
}

#[tokio::test]
async fn what_fails_comes_again_and_new_volumes_stay_as_they_are_until_then() {
    for code in [409, 500] {
        let failing =
            Scene::new(claim(), move |asked| (asked.method == "PATCH").then(|| refusal(code)));
        let found = failing.size("2Gi").run().await;
        assert_eq!(found.finding.reason, "GrowthFailed");
        assert!(found.is_to_be_tried_again);
        assert_eq!(found.of_new, None);
    }
}

#[tokio::test]
async fn an_annotation_that_is_no_longer_wanted_goes_whoever_set_it_beside_us() {
    let mut ours = claim();
    ours["metadata"]["annotations"] = json!({ "owner": "acid", "driver": "x" });
    let fields = json!({ "f:metadata": { "f:annotations": { "f:owner": {} } } });
    ours["metadata"]["managedFields"] = json!([
        { "manager": "postgres-operator", "operation": "Apply", "fieldsV1": fields },
        { "manager": "kube-controller-manager", "operation": "Update", "fieldsV1": fields },
    ]);
    let scene = Scene::new(ours, |_| None).size("1Gi");
    scene.run().await;
    let patch = json!({ "metadata": {
        "uid": "claim-1", "resourceVersion": "7", "annotations": { "owner": null },
    } });
    assert_eq!(scene.patches().first(), Some(&patch));
}

#[tokio::test]
async fn a_claim_that_only_looks_like_a_volume_of_the_cluster_is_left_alone() {
    let mut other = claim();
    other["metadata"]["name"] = json!("backup-of-acid-minimal-cluster");
    let mut scene = Scene::new(other, |_| None).size("2Gi");
    scene.cluster.annotations.insert("owner".to_owned(), "acid".to_owned());
    scene.run().await;
    assert_eq!(scene.patches(), Vec::<Value>::new());
}

fn set(size: &str) -> StatefulSet {
    let set = json!({ "metadata": {}, "spec": {
        "selector": {}, "template": {},
        "volumeClaimTemplates": [
            { "spec": { "resources": { "requests": { "storage": size } } } },
        ],
    } });
    serde_json::from_value(set).expect("a StatefulSet")
}

#[test]
fn new_volumes_have_the_size_that_is_given_or_that_of_before() {
    let size = Quantity::parse("3Gi").ok();
    for (live, size, wanted) in [
        (Some(set("1Gi")), size, "3Gi"),
        (None, size, "3Gi"),
        (Some(set("1Gi")), None, "1Gi"),
        (None, None, "2Gi"),
    ] {
        let mut own = set("2Gi");
        size_of_new(&mut own, live.as_ref(), size);
        assert_eq!(own, set(wanted));
    }
}

fn with_status(message: &str) -> Postgresql {
    let manifest = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": { "name": "acid", "namespace": "default" }, "spec": {},
        "status": { "conditions": [
            { "type": "PodsReady", "message": "stays at 2Gi" },
            { "type": "VolumesReady", "message": message },
        ] },
    });
    serde_json::from_value(manifest).expect("a manifest")
}

#[tokio::test]
async fn what_the_status_says_already_is_no_event_whatever_claims_it_is_about() {
    let trouble =
        |claims: &str| Trouble { claims: claims.to_owned(), text: "stays at 2Gi".to_owned() };
    for (said, events) in [("pgdata-acid-0: stays at 2Gi; more", 0), ("", 1)] {
        let scene = Scene::ordinary();
        tell(&scene.context, &with_status(said), &[trouble("pgdata-acid-0, pgdata-acid-1")]);
        tokio::task::yield_now().await;
        let told = || scene.api.writes().iter().filter(|line| line.ends_with("/events")).count();
        for _ in 0..100 {
            if told() < events {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(told(), events, "{said}");
    }
}
