//! Pods are made anew, one after the other, while somebody writes all the time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harness::cloud::{CLUSTER, Cloud, minimal};
use harness::eventually::pause;
use harness::{ControlPlane, Kube, Writer, eventually};
use serde_json::{Value, json};

/// Beyond what a switchover of Patroni takes by itself.
const MORE: Duration = Duration::from_secs(10);
const MARK: &str = "zalando-postgres-operator-rolling-update-required";
const NEWER: &str = "registry.example.com/spilo-15:3.1";

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    pod["metadata"]["deletionTimestamp"].is_null()
        && conditions
            .into_iter()
            .flatten()
            .any(|own| own["type"] == "Ready" && own["status"] == "True")
}

/// Somebody who looks all the time how many pods are not ready, or not there.
struct Watcher {
    most: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl Watcher {
    fn start(namespace: &str, pods: usize) -> Self {
        let most = Arc::new(AtomicUsize::new(0));
        let stopped = Arc::new(AtomicBool::new(false));
        let (kube, namespace) = (Kube::admin(ControlPlane::shared()), namespace.to_owned());
        let (seen, ended) = (Arc::clone(&most), Arc::clone(&stopped));
        std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                let all = kube.list("Pod", &namespace, "application=spilo");
                let ready = all.iter().filter(|pod| is_ready(pod)).count();
                seen.fetch_max(pods.saturating_sub(ready), Ordering::Relaxed);
                pause(Duration::from_millis(50));
            }
        });
        Self { most, stopped }
    }

    fn most_down(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

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
        scene.all_are_ready();
        scene
    }

    fn apply(&self) {
        self.world.platform.kube.try_apply(&self.manifest).expect("it is accepted");
    }

    fn pods(&self) -> Vec<Value> {
        self.world.platform.kube.list("Pod", &self.world.platform.namespace, "application=spilo")
    }

    fn uids(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let pods = self.pods();
        let own = pods.iter().map(|pod| &pod["metadata"]);
        own.map(|own| (text(&own["name"]), text(&own["uid"]))).collect()
    }

    fn all_are_ready(&self) {
        eventually("all pods are ready", || {
            let pods = self.pods();
            let ready = pods.iter().filter(|pod| is_ready(pod)).count();
            if ready == 3 { Ok(()) } else { Err(ready) }
        });
    }

    fn ask_patroni(&self, pod: &str, arguments: &[&str]) -> String {
        let address = self.world.agent.pod_ip(&self.world.platform.namespace, pod);
        let (path, more) = arguments.split_first().expect("a path");
        let mut curl = self.world.agent.command("curl");
        let output = curl.args(["-sS", &format!("http://{address}:8008/{path}")]).args(more);
        let output = output.output().expect("curl");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until writes wait for somebody; who that is.
    fn synchronous_standby(&self) -> String {
        let leader = self.world.primary();
        eventually("there is a synchronous standby", || {
            let answer = self.ask_patroni(&leader, &["cluster"]);
            let members: Value = serde_json::from_str(&answer).unwrap_or_default();
            let all = members["members"].as_array().cloned().unwrap_or_default();
            let standby =
                all.iter().find(|own| own["role"] == "sync_standby" && own["state"] == "streaming");
            let name = standby.and_then(|own| own["name"].as_str());
            name.map(str::to_owned).ok_or(answer)
        })
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

    /// What Patroni needs by itself.
    fn patroni_switches_over(&self, writer: &Writer) -> Duration {
        let _candidate = self.synchronous_standby();
        let (start, leader) = (Instant::now(), self.world.primary());
        let body = json!({ "leader": leader }).to_string();
        let answer = self.ask_patroni(&leader, &["switchover", "-d", &body]);
        assert!(answer.contains("uccessfully"), "{answer}");
        writer.goes_on();
        let gap = writer.longest_gap_since(start);
        eventually("the label is there", || {
            if self.world.primary() == leader { Err(()) } else { Ok(()) }
        });
        self.all_are_ready();
        gap
    }

    /// An annotation needs no restart, and another image waits for the next one.
    fn nobody_is_restarted_for_nothing(&mut self) {
        let before = self.uids();
        self.manifest["spec"]["podAnnotations"] = json!({ "example.com/cost-center": "0815" });
        self.manifest["spec"]["dockerImage"] = json!(NEWER);
        self.apply();
        eventually("the template and all pods have what is new", || {
            let set = self.world.platform.wait_for("StatefulSet", CLUSTER);
            let image = set["spec"]["template"]["spec"]["containers"][0]["image"].clone();
            let pods = self.pods();
            let of =
                |pod: &Value| pod["metadata"]["annotations"]["example.com/cost-center"].clone();
            let annotated = pods.iter().map(of).filter(|own| *own == "0815").count();
            if image == NEWER && annotated == 3 { Ok(()) } else { Err((image, annotated)) }
        });
        self.world.operator().wait_until_idle();
        self.wait_for_up_to_date();
        assert_eq!(self.uids(), before, "nobody restarts them");
    }

    /// What no manifest asks for: Patroni would neither end a server that is deleted nor start it.
    fn who_paused_patroni_is_not_disturbed(&self, pod: &str) {
        let before = self.uids();
        let leader = self.world.primary();
        let pauses = |pause: Value| {
            let body = json!({ "pause": pause }).to_string();
            let answer = self.ask_patroni(&leader, &["config", "-X", "PATCH", "-d", &body]);
            assert!(answer.contains("loop_wait"), "{answer}");
        };
        pauses(json!(true));
        self.mark(pod);
        eventually("it is said what is waited for", || {
            let wanted = ("False", "RollingUpdate");
            let said = self.world.platform.wait_for_condition(CLUSTER, "PodsUpToDate", wanted);
            if said.contains("Patroni is paused") { Ok(()) } else { Err(said) }
        });
        assert_eq!(self.uids(), before);
        pauses(Value::Null);
    }

    /// A mark on the primary alone: another one leads, and the old one is made anew, once nobody
    /// pauses Patroni.
    fn who_has_a_mark_is_made_anew(&self) -> String {
        let (before, leader) = (self.uids(), self.world.primary());
        self.who_paused_patroni_is_not_disturbed(&leader);
        eventually("the old primary is made anew", || {
            let now = self.uids();
            if now.get(&leader).is_some_and(|uid| *uid != before[&leader]) {
                Ok(())
            } else {
                Err(now)
            }
        });
        assert_ne!(self.world.primary(), leader);
        self.all_are_ready();
        self.wait_for_up_to_date();
        let now = self.uids();
        for (pod, uid) in &before {
            assert_eq!(now.get(pod) == Some(uid), *pod != leader, "{pod}");
        }
        let pod = self.world.platform.wait_for("Pod", &leader);
        assert_eq!(pod["spec"]["containers"][0]["image"], NEWER);
        leader
    }

    /// All that have not got the newer image get it, and the operator is killed in the middle.
    fn the_rest_is_made_anew(&mut self, newest: &str) {
        let (before, leader) = (self.uids(), self.world.primary());
        self.world.configure(&[("enable_lazy_spilo_upgrade", "false")]);
        let replica = before.keys().find(|pod| **pod != leader && *pod != newest);
        let replica = replica.expect("a third pod").clone();
        eventually("the replica goes", || {
            let now = self.uids();
            if now.get(&replica) == before.get(&replica) { Err(now) } else { Ok(()) }
        });
        let operator = self.world.operator.take().expect("it runs");
        operator.kill();
        assert!(self.is_marked(&leader), "the mark outlives who set it");
        assert_eq!(self.uids().get(&leader), before.get(&leader));
        self.world.platform.forget_leader();
        self.world.restart_operator();
        eventually("the primary is made anew as well", || {
            let now = self.uids();
            if now.get(&leader) == before.get(&leader) { Err(now) } else { Ok(()) }
        });
        self.all_are_ready();
        self.wait_for_up_to_date();
        assert_eq!(self.uids().get(newest), before.get(newest), "it was new");
        for pod in self.pods() {
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
        let before = self.uids();
        let replica = before.keys().find(|pod| **pod != leader).expect("a replica").clone();
        self.mark(&replica);
        self.world.platform.wait_for_phase(CLUSTER, "SyncFailed");
        let wanted = ("False", "RollingUpdateStuck");
        let said = self.world.platform.wait_for_condition(CLUSTER, "PodsUpToDate", wanted);
        assert!(said.contains("pod_label_wait_timeout") && said.contains(&replica), "{said}");
        self.world.agent.resume_starting();
        self.world.platform.wait_for_phase(CLUSTER, "Running");
        self.wait_for_up_to_date();
        assert_ne!(self.uids().get(&replica), before.get(&replica));
    }
}

#[test]
fn pods_are_made_anew_while_somebody_writes_and_nothing_that_was_acknowledged_is_lost() {
    let mut scene = Scene::new();
    let world = &scene.world;
    let host = format!("{CLUSTER}.{}.svc.cluster.local", world.platform.namespace);
    let writer = Writer::start(&world.agent, &host, "postgres", &world.password("postgres"));
    let watcher = Watcher::start(&world.platform.namespace, 3);
    let of_patroni = scene.patroni_switches_over(&writer);
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
    #[allow(clippy::print_stderr, reason = "a figure of the test")]
    {
        eprintln!(
            "longest write gap: switchover of Patroni alone {of_patroni:?}, one marked primary {of_mark:?}, rolling update with kill -9 {of_all:?}; {} rows, {} interruptions",
            written.acknowledged, written.interruptions
        );
    }
    assert!(written.lost.is_empty(), "acknowledged and lost: {:?}", written.lost);
    assert!(of_mark <= of_patroni + MORE, "{of_mark:?} beside {of_patroni:?}");
    assert!(of_all <= of_patroni + MORE, "{of_all:?} beside {of_patroni:?}");
    assert_eq!(most_down, 1, "pods that were down at a time");
}
