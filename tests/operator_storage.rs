//! Volumes grow while everything runs, and nothing of them is ever lost. Claims, StorageClasses and
//! what an API server lets anybody change of them are real; the driver is the node agent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::node_agent::Resizing;
use harness::{ApiProxy, ControlPlane, Fault, NodeAgent, Operator, Platform, eventually};
use serde_json::{Value, json};

const CLUSTER: &str = "acid-orders";
const SELECTOR: &str = "cluster-name=acid-orders";

/// Nodes and two StorageClasses for one namespace.
struct Scene {
    agent: NodeAgent,
    platform: Platform,
    proxy: ApiProxy,
    spec: Value,
}

impl Scene {
    /// Pods are there, and nothing runs in them.
    fn new() -> Self {
        let this = Self::with_pods_that_run();
        this.agent.pause_starting();
        this
    }

    fn with_pods_that_run() -> Self {
        let plane = ControlPlane::shared();
        let (agent, proxy) = (NodeAgent::start(plane), ApiProxy::start(plane));
        let mut platform = Platform::on(plane, &agent.namespace());
        platform.reach_through(plane, &proxy);
        let this = Self { agent, platform, proxy, spec: json!({}) };
        this.configure(&[]);
        for (kind, grows) in [("grows", true), ("fixed", false)] {
            this.platform.kube.create(&json!({
                "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                "metadata": { "name": this.class(kind) },
                "provisioner": "example.com/nobody", "allowVolumeExpansion": grows,
            }));
        }
        this
    }

    fn class(&self, kind: &str) -> String {
        format!("{kind}-{}", self.platform.namespace)
    }

    fn configure(&self, settings: &[(&str, &str)]) {
        let mut all = vec![("pod_management_policy", "parallel"), ("repair_period", "5s")];
        all.extend(settings);
        self.platform.configure(&all);
    }

    fn start(&self) -> Operator {
        self.platform.start_in(|program| self.agent.command(program))
    }

    /// The manifest with a size and a class, and what was said of it before.
    fn apply(&mut self, size: &str, more: &Value) {
        let class = self.class("grows");
        let fields = self.spec.as_object_mut().expect("an object");
        fields.entry("volume").or_insert_with(|| json!({ "storageClass": class }));
        fields["volume"]["size"] = json!(size);
        fields.extend(more.as_object().expect("an object").clone());
        self.platform.apply(CLUSTER, &self.spec);
    }

    fn all(&self, kind: &str) -> Vec<Value> {
        self.platform.kube.list(kind, &self.platform.namespace, SELECTOR)
    }

    /// What claims ask for and have, by the number of their pod.
    fn sizes(&self) -> Vec<(String, String)> {
        let all = self.all("PersistentVolumeClaim");
        let text = |value: &Value| value["storage"].as_str().unwrap_or_default().to_owned();
        let of = |own: &Value| {
            (text(&own["spec"]["resources"]["requests"]), text(&own["status"]["capacity"]))
        };
        all.iter().map(of).collect()
    }

    /// Waits until the claims ask for this and have it.
    #[track_caller]
    fn has(&self, wanted: &[(&str, &str)]) {
        let wanted = wanted.iter().map(|(asked, there)| (asked.to_string(), there.to_string()));
        let wanted: Vec<_> = wanted.collect();
        eventually(&format!("the claims are {wanted:?}"), || {
            let found = self.sizes();
            if found == wanted { Ok(()) } else { Err((found, self.platform.status(CLUSTER))) }
        });
    }

    fn uids(&self, kind: &str) -> BTreeMap<String, String> {
        let all = self.all(kind);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        all.iter()
            .map(|own| (text(&own["metadata"]["name"]), text(&own["metadata"]["uid"])))
            .collect()
    }

    /// Waits until new pods get volumes of this size.
    #[track_caller]
    fn new_ones_get(&self, size: &str) -> Value {
        eventually(&format!("new replicas get {size}"), || {
            let set = self.platform.get("StatefulSet", CLUSTER).unwrap_or_default();
            let claim = &set["spec"]["volumeClaimTemplates"][0]["spec"];
            let is_going = !set["metadata"]["deletionTimestamp"].is_null();
            if claim["resources"]["requests"]["storage"] == size && !is_going {
                Ok(set)
            } else {
                Err((set, self.platform.status(CLUSTER)))
            }
        })
    }

    #[track_caller]
    fn says(&self, status: &str, reason: &str, parts: &[&str]) {
        eventually(&format!("VolumesReady is {reason} and says {parts:?}"), || {
            let status_now = self.platform.status(CLUSTER);
            let all = status_now["conditions"].as_array().cloned().unwrap_or_default();
            let own = all.into_iter().find(|own| own["type"] == "VolumesReady").unwrap_or_default();
            let said = own["message"].as_str().unwrap_or_default();
            let is_right = own["status"] == status
                && own["reason"] == reason
                && parts.iter().all(|part| said.contains(part));
            if is_right { Ok(()) } else { Err(own) }
        });
    }

    /// As often as it was told, and how often the words came.
    fn told(&self, part: &str) -> usize {
        self.platform.events(CLUSTER).iter().filter(|note| note.contains(part)).count()
    }
}

#[test]
fn the_volumes_of_a_cluster_that_runs_grow_in_seconds_and_no_pod_is_restarted() {
    let mut scene = Scene::with_pods_that_run();
    let _operator = scene.start();
    let patroni = json!({ "ttl": 20, "loop_wait": 1, "retry_timeout": 3 });
    scene.apply("1Gi", &json!({ "numberOfInstances": 2, "patroni": patroni }));
    scene.platform.wait_for_condition(CLUSTER, "PodsReady", ("True", "Ready"));
    scene.says("True", "Ready", &[]);
    let pods = scene.all("Pod");
    let start = Instant::now();
    scene.apply("1500Mi", &json!({}));
    scene.has(&[("1500Mi", "1500Mi"); 2]);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    scene.new_ones_get("1500Mi");
    scene.says("True", "Ready", &[]);
    let same = |before: &[Value], now: &[Value]| {
        let of = |pod: &Value| {
            let container = pod["status"]["containerStatuses"][0].clone();
            (pod["metadata"]["uid"].clone(), container["restartCount"].clone())
        };
        before.iter().map(of).collect::<Vec<_>>() == now.iter().map(of).collect::<Vec<_>>()
    };
    assert!(same(&pods, &scene.all("Pod")), "nobody restarts them");
    scene.apply("1500Mi", &json!({ "numberOfInstances": 3 }));
    scene.has(&[("1500Mi", "1500Mi"); 3]);
    scene.platform.wait_for_condition(CLUSTER, "PodsReady", ("True", "Ready"));
    let now = scene.all("Pod");
    assert!(same(&pods, &now[..2]), "nobody restarts them");
    assert!(scene.told("asks for 1500Mi instead of 1Gi") > 0);
    let used = [("persistentvolumeclaims", "patch"), ("storageclasses", "get")];
    scene.platform.has_used(ControlPlane::shared(), &used);
}

#[test]
fn a_file_system_that_waits_for_its_pod_is_told_of_until_somebody_restarts_it() {
    let mut scene = Scene::new();
    scene.agent.volumes_grow(Resizing::WithNewPod);
    let operator = scene.start();
    scene.apply("1Gi", &json!({ "numberOfInstances": 2 }));
    scene.has(&[("1Gi", "1Gi"); 2]);
    let pods = scene.uids("Pod");
    scene.apply("2Gi", &json!({}));
    let pod = format!("\"true\" on the pod {CLUSTER}-1");
    scene.says("False", "FileSystemResizePending", &["the disk has 2Gi", "still 1Gi", &pod]);
    scene.new_ones_get("2Gi");
    operator.wait_until_idle();
    assert_eq!(scene.uids("Pod"), pods, "that is for somebody else to do");
    for number in [0, 1] {
        let pod = format!("{CLUSTER}-{number}");
        scene.platform.kube.delete("Pod", &scene.platform.namespace, &pod);
    }
    scene.says("True", "Ready", &[]);
    scene.has(&[("2Gi", "2Gi"); 2]);

    // The driver says why not, and then somebody makes room.
    scene.agent.volumes_grow(Resizing::Fails("the array is full".to_owned()));
    scene.apply("3Gi", &json!({}));
    scene.says("False", "ResizeFailed", &["cannot grow from 2Gi to 3Gi: the array is full"]);
    eventually("an event says so", || {
        if scene.told("the array is full") > 0 { Ok(()) } else { Err(()) }
    });
    scene.agent.volumes_grow(Resizing::Online);
    scene.says("True", "Ready", &[]);
}

#[test]
fn a_class_that_cannot_grow_is_told_of_and_new_replicas_get_the_new_size() {
    let mut scene = Scene::new();
    let operator = scene.start();
    let class = scene.class("fixed");
    scene.spec = json!({ "volume": { "storageClass": class } });
    scene.apply("1Gi", &json!({}));
    scene.has(&[("1Gi", "1Gi")]);
    let plane = ControlPlane::shared();
    let mark = plane.mark();
    scene.apply("2Gi", &json!({}));
    let class = format!("the StorageClass {class} lets no volume grow");
    scene.says("False", "ClassCannotGrow", &["stays at 1Gi and not 2Gi", &class]);
    scene.new_ones_get("2Gi");
    operator.wait_until_idle();
    let written = plane.writes_since(mark, &scene.platform.user());
    let claims = written.iter().filter(|own| own.resource == "persistentvolumeclaims");
    assert_eq!(claims.count(), 0, "nobody asks for what cannot be");
    scene.apply("2Gi", &json!({ "numberOfInstances": 2 }));
    scene.has(&[("1Gi", "1Gi"), ("2Gi", "2Gi")]);
    // And somebody allows it.
    scene.platform.kube.patch_merge(
        "StorageClass",
        "",
        &scene.class("fixed"),
        &json!({ "allowVolumeExpansion": true }),
    );
    scene.has(&[("2Gi", "2Gi"); 2]);
    scene.says("True", "Ready", &[]);
    // Of no class at all, and nobody may even look.
    scene.platform.kube.delete("StorageClass", "", &scene.class("fixed"));
    scene.apply("3Gi", &json!({}));
    scene.says("False", "ClassCannotGrow", &["there is no StorageClass"]);
}

#[test]
fn a_smaller_size_is_refused_once_and_everything_else_goes_on() {
    let mut scene = Scene::new();
    let operator = scene.start();
    scene.apply("2Gi", &json!({ "numberOfInstances": 2 }));
    scene.has(&[("2Gi", "2Gi"); 2]);
    let before = scene.uids("StatefulSet");
    let more = json!({ "numberOfInstances": 3, "serviceAnnotations": { "example.com/a": "b" } });
    scene.apply("1Gi", &more);
    let parts = ["stays at 2Gi", "volume.size is 1Gi", "new replicas get 2Gi"];
    scene.says("False", "ShrinkRefused", &parts);
    scene.has(&[("2Gi", "2Gi"); 3]);
    eventually("everything else goes on", || {
        let service = scene.platform.get("Service", CLUSTER).unwrap_or_default();
        let annotation = &service["metadata"]["annotations"]["example.com/a"];
        if annotation == "b" { Ok(()) } else { Err(service) }
    });
    scene.says("False", "ShrinkRefused", &[&format!("pgdata-{CLUSTER}-2: stays at 2Gi")]);
    operator.wait_until_idle();
    operator.stop();
    let operator = scene.start();
    operator.wait_until_idle();
    assert_eq!(scene.told("stays at 2Gi"), 1);
    assert_eq!(scene.uids("StatefulSet"), before, "nothing about it has changed");

    // By hand is another thing.
    scene.apply("2Gi", &json!({}));
    scene.says("True", "Ready", &[]);
    let claim = format!("pgdata-{CLUSTER}-0");
    let larger = json!({ "spec": { "resources": { "requests": { "storage": "4Gi" } } } });
    let namespace = &scene.platform.namespace;
    scene.platform.kube.patch_merge("PersistentVolumeClaim", namespace, &claim, &larger);
    scene.says("True", "Ready", &["asks for 4Gi because somebody said so", "new replicas get 4Gi"]);
    scene.new_ones_get("4Gi");
    scene.has(&[("4Gi", "4Gi"), ("2Gi", "2Gi"), ("2Gi", "2Gi")]);
}

#[test]
fn whoever_switches_it_off_keeps_sizes_and_gets_annotations_and_other_modes_act_as_pvc() {
    let mut scene = Scene::new();
    let inherits = ("inherited_annotations", "owned-by");
    scene.configure(&[inherits, ("storage_resize_mode", "off")]);
    let operator = scene.start();
    scene.apply("1Gi", &json!({ "numberOfInstances": 2 }));
    scene.has(&[("1Gi", "1Gi"); 2]);
    let annotated = |scene: &Scene, size: &str, annotations: Value| {
        let mut manifest = scene.platform.manifest(CLUSTER, &scene.spec);
        manifest["metadata"]["annotations"] = annotations;
        manifest["spec"]["volume"]["size"] = json!(size);
        scene.platform.kube.try_apply(&manifest).expect("it is accepted");
    };
    let all_have = |scene: &Scene, wanted: Value| {
        eventually(&format!("all claims have {wanted}"), || {
            let all = scene.all("PersistentVolumeClaim");
            let own = |claim: &Value| claim["metadata"]["annotations"]["owned-by"].clone();
            let found: Vec<Value> = all.iter().map(own).collect();
            if found.iter().all(|own| *own == wanted) { Ok(()) } else { Err(found) }
        });
    };
    let labels = |scene: &Scene| {
        let all = scene.all("PersistentVolumeClaim");
        all.iter().map(|own| own["metadata"]["labels"].clone()).collect::<Vec<_>>()
    };
    let before = labels(&scene);
    annotated(&scene, "2Gi", json!({ "owned-by": "acid" }));
    scene.says("Unknown", "Off", &["asks for 1Gi, and volume.size is 2Gi"]);
    all_have(&scene, json!("acid"));
    scene.new_ones_get("2Gi");
    // What comes with the StatefulSet is ours as well.
    scene.spec["numberOfInstances"] = json!(3);
    annotated(&scene, "2Gi", json!({ "owned-by": "acid" }));
    scene.has(&[("1Gi", "1Gi"), ("1Gi", "1Gi"), ("2Gi", "2Gi")]);
    operator.wait_until_idle();
    annotated(&scene, "2Gi", json!({}));
    all_have(&scene, Value::Null);
    assert_eq!(labels(&scene)[..2], before);

    for (mode, size) in [("ebs", "3Gi"), ("mixed", "4Gi")] {
        scene.configure(&[inherits, ("storage_resize_mode", mode)]);
        annotated(&scene, size, json!({}));
        scene.has(&[(size, size); 3]);
        let says = format!("storage_resize_mode {mode} is not supported, and acts as pvc");
        scene.says("True", "Ready", &[&says]);
    }
}

/// Kubernetes deletes whatever belongs to a StatefulSet that is gone.
#[test]
fn a_stateful_set_that_is_replaced_takes_no_volume_along_whenever_the_operator_dies() {
    let mut scene = Scene::new();
    let policy = "when_deleted:delete,when_scaled:delete";
    scene.configure(&[("persistent_volume_claim_retention_policy", policy)]);
    let operator = scene.start();
    scene.apply("1Gi", &json!({ "numberOfInstances": 3 }));
    scene.has(&[("1Gi", "1Gi"); 3]);
    owned(&scene);
    drop(operator.kill());
    let (claims, pods) = (scene.uids("PersistentVolumeClaim"), scene.uids("Pod"));
    let faults = [
        ("PATCH", Fault::Lost, "2Gi"),
        ("PATCH", Fault::AnswerLost, "3Gi"),
        ("DELETE", Fault::Lost, "4Gi"),
        ("DELETE", Fault::AnswerLost, "5Gi"),
    ];
    for (method, fault, size) in faults {
        scene.apply(size, &json!({}));
        dies_at(&scene, method, fault);
        scene.platform.forget_leader();
        let operator = scene.start();
        scene.has(&[(size, size); 3]);
        scene.new_ones_get(size);
        owned(&scene);
        scene.says("True", "Ready", &[]);
        assert_eq!(scene.uids("PersistentVolumeClaim"), claims, "{method}");
        assert_eq!(scene.uids("Pod"), pods, "{method}");
        drop(operator.kill());
    }
    // The policy counts, all the same.
    scene.platform.forget_leader();
    let _operator = scene.start();
    scene.apply("5Gi", &json!({ "numberOfInstances": 2 }));
    scene.has(&[("5Gi", "5Gi"); 2]);
    scene.apply("5Gi", &json!({ "numberOfInstances": 3 }));
    scene.has(&[("5Gi", "5Gi"); 3]);
    // But for the last one, which is the database.
    let claims = scene.uids("PersistentVolumeClaim");
    scene.apply("5Gi", &json!({ "numberOfInstances": 0 }));
    eventually("no pod is left", || {
        let pods = scene.uids("Pod");
        if pods.is_empty() { Ok(()) } else { Err(pods) }
    });
    eventually("it is told", || match scene.told("the volumes are kept") {
        0 => Err(()),
        _ => Ok(()),
    });
    scene.apply("5Gi", &json!({ "numberOfInstances": 1 }));
    eventually("a pod is back", || {
        let pods = scene.uids("Pod");
        if pods.len() == 1 { Ok(()) } else { Err(pods) }
    });
    assert_eq!(scene.uids("PersistentVolumeClaim"), claims);
}

/// Waits until the StatefulSet of today owns all claims, and none of them goes.
#[track_caller]
fn owned(scene: &Scene) {
    eventually("the StatefulSet owns its claims", || {
        let set = scene.platform.get("StatefulSet", CLUSTER).unwrap_or_default();
        let (claims, uid) = (scene.all("PersistentVolumeClaim"), &set["metadata"]["uid"]);
        let going = claims.iter().any(|own| !own["metadata"]["deletionTimestamp"].is_null());
        assert!(!going, "a volume goes");
        let is_right = |own: &Value| own["metadata"]["ownerReferences"][0]["uid"] == *uid;
        let keeps = set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete";
        if keeps && claims.iter().all(is_right) { Ok(()) } else { Err((set, claims)) }
    });
}

/// An operator that is killed when it asks for the next step of a replacement, done or not.
fn dies_at(scene: &Scene, method: &'static str, fault: Fault) {
    scene.platform.forget_leader();
    let hit = Arc::new(AtomicBool::new(false));
    let (known, set) = (Arc::clone(&hit), format!("/statefulsets/{CLUSTER}"));
    scene.proxy.plan(move |request| {
        let line = request.head.lines().next().unwrap_or_default();
        let is_it = line.starts_with(method) && line.contains(&set);
        // From there on it reaches nobody.
        let is_dead = known.load(Ordering::SeqCst);
        known.fetch_or(is_it, Ordering::SeqCst);
        match (is_dead, is_it) {
            (true, _) => Some(Fault::Lost),
            (false, true) => Some(fault.clone()),
            (false, false) => None,
        }
    });
    let operator = scene.start();
    eventually("it asks for that", || if hit.load(Ordering::SeqCst) { Ok(()) } else { Err(()) });
    drop(operator.kill());
    scene.proxy.behave();
}
