//! Pods are made anew, one after the other, while somebody writes all the time.

use std::time::Instant;

use harness::cloud::{CLUSTER, Cloud, minimal};
use harness::{Watcher, eventually};
use serde_json::{Value, json};

const MARK: &str = "zalando-postgres-operator-rolling-update-required";
const NEWER: &str = "registry.example.com/spilo-15:3.1";

struct Scene {
    world: Cloud,
    manifest: Value,
}

impl Scene {
    fn new() -> Self {
        let world = Cloud::new(&[("enable_lazy_spilo_upgrade", "true")]);
        let mut manifest = minimal(&world.platform.namespace);
        manifest["spec"]["numberOfInstances"] = json!(3);
        manifest["spec"]["patroni"]["synchronous_mode"] = json!(true);
        let scene = Self { world, manifest };
        scene.apply();
        scene.world.platform.wait_for_phase(CLUSTER, "Running");
        scene.world.all_are_ready(3);
        scene
    }

    fn apply(&self) {
        self.world.platform.kube.try_apply(&self.manifest).expect("it is accepted");
    }

    fn mark(&self, pod: &str) {
        let patch = json!({ "metadata": { "annotations": { MARK: "true" } } });
        let namespace = &self.world.platform.namespace;
        self.world.platform.kube.patch_merge("Pod", namespace, pod, &patch);
    }

    fn is_marked(&self, pod: &str) -> bool {
        let pod = self.world.platform.get("Pod", pod).unwrap_or_default();
        pod["metadata"]["annotations"][MARK] == "true"
    }

    fn wait_for_up_to_date(&self) -> String {
        self.world.platform.wait_for_condition(CLUSTER, "PodsUpToDate", ("True", "UpToDate"))
    }

    /// An annotation needs no restart, and another image waits for the next one.
    fn nobody_is_restarted_for_nothing(&mut self) {
        let before = self.world.uids();
        self.manifest["spec"]["podAnnotations"] = json!({ "example.com/cost-center": "0815" });
        self.manifest["spec"]["dockerImage"] = json!(NEWER);
        self.apply();
        eventually("the template and all pods have what is new", || {
            let set = self.world.platform.wait_for("StatefulSet", CLUSTER);
            let image = set["spec"]["template"]["spec"]["containers"][0]["image"].clone();
            let pods = self.world.pods();
            let of =
                |pod: &Value| pod["metadata"]["annotations"]["example.com/cost-center"].clone();
            let annotated = pods.iter().map(of).filter(|own| *own == "0815").count();
            if image == NEWER && annotated == 3 { Ok(()) } else { Err((image, annotated)) }
        });
        self.world.operator().wait_until_idle();
        self.wait_for_up_to_date();
        assert_eq!(self.world.uids(), before, "nobody restarts them");
    }

    /// What no manifest asks for: Patroni would neither end a server that is deleted nor start it.
    fn who_paused_patroni_is_not_disturbed(&self, pod: &str) {
        let before = self.world.uids();
        let leader = self.world.primary();
        let pauses =
            |pause: Value| self.world.patroni(&leader).patch_config(&json!({ "pause": pause }));
        pauses(json!(true));
        self.mark(pod);
        eventually("it is said what is waited for", || {
            let wanted = ("False", "RollingUpdate");
            let said = self.world.platform.wait_for_condition(CLUSTER, "PodsUpToDate", wanted);
            if said.contains("Patroni is paused") { Ok(()) } else { Err(said) }
        });
        assert_eq!(self.world.uids(), before);
        pauses(Value::Null);
    }

    /// A mark on the primary alone: another one leads, and the old one is made anew, once nobody
    /// pauses Patroni.
    fn who_has_a_mark_is_made_anew(&self) -> String {
        let (before, leader) = (self.world.uids(), self.world.primary());
        let candidate = self.world.synchronous_standby();
        self.who_paused_patroni_is_not_disturbed(&leader);
        eventually("the old primary is made anew", || {
            let now = self.world.uids();
            if now.get(&leader).is_some_and(|uid| *uid != before[&leader]) {
                Ok(())
            } else {
                Err(now)
            }
        });
        assert_eq!(self.world.primary(), candidate);
        self.world.all_are_ready(3);
        self.wait_for_up_to_date();
        let now = self.world.uids();
        for (pod, uid) in &before {
            assert_eq!(now.get(pod) == Some(uid), *pod != leader, "{pod}");
        }
        let pod = self.world.platform.wait_for("Pod", &leader);
        assert_eq!(pod["spec"]["containers"][0]["image"], NEWER);
        leader
    }

    /// All that have not got the newer image get it, and the operator is killed in the middle.
    fn the_rest_is_made_anew(&mut self, newest: &str) {
        let (before, leader) = (self.world.uids(), self.world.primary());
        self.world.configure(&[("enable_lazy_spilo_upgrade", "false")]);
        let replica = before.keys().find(|pod| **pod != leader && *pod != newest);
        let replica = replica.expect("a third pod").clone();
        eventually("the replica goes", || {
            let now = self.world.uids();
            if now.get(&replica) == before.get(&replica) { Err(now) } else { Ok(()) }
        });
        self.world.kill_operator();
        assert!(self.is_marked(&leader), "the mark outlives who set it");
        assert_eq!(self.world.uids().get(&leader), before.get(&leader));
        self.world.restart_operator();
        eventually("the primary is made anew as well", || {
            let now = self.world.uids();
            if now.get(&leader) == before.get(&leader) { Err(now) } else { Ok(()) }
        });
        self.world.all_are_ready(3);
        self.wait_for_up_to_date();
        assert_eq!(self.world.uids().get(newest), before.get(newest), "it was new");
        for pod in self.world.pods() {
            assert_eq!(pod["spec"]["containers"][0]["image"], NEWER);
        }
        let events = self.world.platform.events(CLUSTER);
        for wanted in [
            "Performing rolling update of ",
            "Switching over from ",
            "Successfully switched over from ",
            "Rolling update done - pods have been recreated",
        ] {
            assert!(events.iter().any(|note| note.starts_with(wanted)), "{wanted}: {events:#?}");
        }
        let reason = events.iter().find(|note| note.starts_with("Performing rolling update of "));
        assert!(reason.is_some_and(|note| note.contains(NEWER)), "{reason:?}");
    }

    /// A pod that does not come back is a failure after a while, and none any more when it does.
    fn a_pod_that_does_not_come_back_is_a_failure_for_as_long(&mut self) {
        self.world.configure(&[("pod_label_wait_timeout", "2s")]);
        self.world.agent.pause_starting();
        let leader = self.world.primary();
        let before = self.world.uids();
        let replica = before.keys().find(|pod| **pod != leader).expect("a replica").clone();
        self.mark(&replica);
        self.world.platform.wait_for_phase(CLUSTER, "SyncFailed");
        let wanted = ("False", "RollingUpdateStuck");
        let said = self.world.platform.wait_for_condition(CLUSTER, "PodsUpToDate", wanted);
        assert!(said.contains("pod_label_wait_timeout") && said.contains(&replica), "{said}");
        self.world.agent.resume_starting();
        self.world.platform.wait_for_phase(CLUSTER, "Running");
        self.wait_for_up_to_date();
        assert_ne!(self.world.uids().get(&replica), before.get(&replica));
    }
}

#[test]
fn pods_are_made_anew_while_somebody_writes_and_nothing_that_was_acknowledged_is_lost() {
    let mut scene = Scene::new();
    let (writer, watcher) = (scene.world.writer(), Watcher::start(&scene.world, 3));
    let of_patroni = scene.world.patroni_switches_over(&writer, 3);
    scene.nobody_is_restarted_for_nothing();
    let start = Instant::now();
    let newest = scene.who_has_a_mark_is_made_anew();
    let of_mark = writer.longest_gap_since(start);
    let start = Instant::now();
    scene.the_rest_is_made_anew(&newest);
    let of_all = writer.longest_gap_since(start);
    let most_down = watcher.most_down();
    scene.a_pod_that_does_not_come_back_is_a_failure_for_as_long();
    let written = writer.stop();
    let gaps = [("one marked primary", of_mark), ("rolling update with kill -9", of_all)];
    written.assert_kept(of_patroni, &gaps);
    assert_eq!(most_down, 1, "pods that were down at a time");
}
