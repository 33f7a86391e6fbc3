//! Switchovers that do not go as they should: Patroni refuses, the operator is killed in the middle
//! of one, Patroni's answers are of no use. The primary moves once all the same, or not at all.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harness::cloud::{CLUSTER, Cloud, minimal};
use harness::http_server::Request;
use harness::patroni_proxy::{Fault, address, is_switchover};
use harness::process::send_signal;
use harness::{Annex, ControlPlane, Nodes, PatroniProxy, Watcher, Writer, eventually};
use serde_json::{Value, json};

const MARK: &str = "zalando-postgres-operator-rolling-update-required";
const NEWER: &str = "registry.example.com/spilo-15:3.1";

/// When the operator is killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Moment {
    /// Patroni never hears what it was asked.
    Asked,
    /// Patroni has noted that somebody is to take over.
    Begun,
    /// Another one leads, and nobody has heard that.
    Done,
}

/// Two pods in synchronous mode, on three nodes, by the default configuration.
struct Scene {
    proxy: PatroniProxy,
    nodes: Nodes,
    world: Cloud,
    manifest: Value,
}

impl Scene {
    fn new() -> Self {
        let plane = ControlPlane::shared();
        let nodes = Nodes::new(plane, 3, &json!({}));
        let mut world = Cloud::on_without_operator(nodes.names.clone(), &[]);
        let network = world.platform.network();
        let proxy = PatroniProxy::between(Annex::of(network), network);
        world.operator_is_in(proxy.annex());
        world.restart_operator();
        let mut manifest = minimal(&world.platform.namespace);
        manifest["spec"]["patroni"]["synchronous_mode"] = json!(true);
        let scene = Self { proxy, nodes, world, manifest };
        scene.apply();
        scene.world.platform.wait_for_phase(CLUSTER, "Running");
        scene.is_up_to_date();
        scene
    }

    fn apply(&self) {
        self.world.platform.kube.try_apply(&self.manifest).expect("it is accepted");
    }

    fn is_up_to_date(&self) {
        self.world.platform.wait_for_condition(CLUSTER, "PodsUpToDate", ("True", "UpToDate"));
        self.world.all_are_ready(2);
        self.world.synchronous_standby();
    }

    fn mark(&self, pod: &str) {
        let patch = json!({ "metadata": { "annotations": { MARK: "true" } } });
        let namespace = &self.world.platform.namespace;
        self.world.platform.kube.patch_merge("Pod", namespace, pod, &patch);
    }

    #[track_caller]
    fn is_made_anew(&self, pod: &str, uid: &str) {
        eventually(&format!("{pod} is made anew"), || match self.world.uids().get(pod) {
            Some(now) if now != uid => Ok(()),
            other => Err((other.cloned(), self.world.platform.status(CLUSTER))),
        });
    }

    /// What people are told of the roll, once these words are in it.
    #[track_caller]
    fn is_told(&self, words: &str) -> String {
        eventually(&format!("it is told of {words:?}"), || {
            let status = self.world.platform.status(CLUSTER);
            let all = status["conditions"].as_array().cloned().unwrap_or_default();
            let own = all.into_iter().find(|own| own["type"] == "PodsUpToDate").unwrap_or_default();
            let said = own["message"].as_str().unwrap_or_default();
            if own["status"] == "False" && said.contains(words) {
                Ok(said.to_owned())
            } else {
                Err(own)
            }
        })
    }

    /// Twice Patroni is asked to hand over to somebody else, and refuses that.
    fn a_switchover_that_patroni_refuses_is_tried_again(&self) {
        let (leader, timeline) = (self.world.primary(), self.world.timeline());
        let uid = self.world.uids()[&leader].clone();
        let standby = self.world.synchronous_standby();
        let (times, before) = (AtomicUsize::new(0), self.proxy.switchovers());
        let nobody = format!("{CLUSTER}-9");
        let wrong = json!({ "leader": leader, "candidate": nobody }).to_string();
        self.proxy.plan(move |request| {
            let is_early = is_switchover(request) && times.fetch_add(1, Ordering::Relaxed) < 2;
            is_early.then(|| Fault::Asks(wrong.clone()))
        });
        self.mark(&leader);
        let said = self.is_told("the last try failed");
        assert!(said.contains("412") && said.contains("candidate name does not match"), "{said}");
        self.is_made_anew(&leader, &uid);
        self.is_up_to_date();
        assert_eq!(self.world.primary(), standby);
        assert_eq!(self.world.timeline(), timeline + 1);
        assert_eq!(self.proxy.switchovers() - before, 3);
        self.proxy.behave();
    }

    fn a_kill_in_the_middle_of_a_switchover_is_survived(&mut self, moment: Moment) {
        let (leader, timeline) = (self.world.primary(), self.world.timeline());
        let uid = self.world.uids()[&leader].clone();
        let standby = self.world.synchronous_standby();
        if moment == Moment::Asked {
            let victim = self.world.operator().running.id();
            self.proxy.plan(move |request| {
                is_switchover(request).then(|| {
                    send_signal(victim, libc::SIGKILL);
                    Fault::Lost
                })
            });
        }
        self.mark(&leader);
        kill_the_operator(&mut self.world, &self.proxy, moment, &leader);
        self.is_made_anew(&leader, &uid);
        self.is_up_to_date();
        assert_eq!(self.world.primary(), standby, "{moment:?}");
        assert_eq!(self.world.timeline(), timeline + 1, "{moment:?}");
    }

    /// By a cordon alone, with the operator killed while Patroni is at it.
    fn a_node_is_drained_and_its_primary_moves_before(&mut self) {
        let namespace = self.world.platform.namespace.clone();
        let (leader, timeline) = (self.world.primary(), self.world.timeline());
        let node = self.nodes.of(&namespace, &leader);
        let mut kills = 0;
        let Self { proxy, nodes, world, .. } = self;
        let drained = nodes.drain_and(&namespace, &node, || {
            if kills == 0 {
                kill_the_operator(world, proxy, Moment::Begun, &leader);
                kills += 1;
            }
        });
        assert_eq!((drained.pods, kills), (vec![leader.clone()], 1));
        assert!(drained.refused > 0, "the budget lets it go only when it leads no more");
        self.world.leads_another(&leader);
        self.is_up_to_date();
        assert_eq!(self.world.timeline(), timeline + 1);
        assert_ne!(self.nodes.of(&namespace, &leader), node);
        self.nodes.uncordon(&node);
    }

    fn deletions(&self) -> usize {
        let requests = self.world.platform.requests(ControlPlane::shared());
        requests.iter().filter(|own| own.verb == "delete" && own.resource == "pods").count()
    }

    /// Nothing is done to pods while no Patroni says anything that can be understood, and nothing to
    /// the primary while its own does not.
    fn nothing_is_done_to_pods_while_patroni_talks_nonsense(&mut self) {
        let (before, timeline) = (self.world.uids(), self.world.timeline());
        let (leader, standby) = (self.world.primary(), self.world.synchronous_standby());
        let (asked, deletions) = (self.proxy.switchovers(), self.deletions());
        self.manifest["spec"]["dockerImage"] = json!(NEWER);
        let mut is_first = true;
        for (status, body, words) in [
            ("503 Service Unavailable", "I am not well", "503"),
            ("200 OK", "<html>", "cannot be understood"),
            ("200 OK", "[]", "cannot be understood"),
            ("302 Found", "elsewhere", "302"),
        ] {
            self.proxy.plan(move |_| Some(Fault::Says(status, body)));
            if std::mem::take(&mut is_first) {
                self.apply();
            }
            let said = self.is_told(words);
            assert!(said.contains("no member says how all are: Patroni at "), "{said}");
        }
        assert_eq!(self.world.uids(), before);
        assert_eq!((self.proxy.switchovers(), self.deletions()), (asked, deletions));

        let of_leader = self.world.agent.pod_ip(&self.world.platform.namespace, &leader);
        self.proxy.plan(move |request: &Request| {
            let is_there = address(request) == Some(of_leader);
            is_there.then_some(Fault::Says("503 Service Unavailable", "I am not well"))
        });
        let said = self.is_told("the last try failed: Patroni at ");
        assert!(said.contains("503") && said.contains(&leader), "{said}");
        let now = self.world.uids();
        assert_eq!((now.get(&leader), self.deletions()), (before.get(&leader), deletions + 1));
        assert_ne!(now.get(&standby), before.get(&standby));
        assert_eq!(self.world.primary(), leader);

        self.proxy.behave();
        self.is_made_anew(&leader, &before[&leader]);
        self.is_up_to_date();
        assert_eq!(self.world.timeline(), timeline + 1);
        assert_eq!(self.deletions(), deletions + 2);
    }

    /// Its PostgreSQL does not run, so there is nobody to hand over.
    fn a_dead_primary_is_made_anew_without_a_switchover(&self) {
        let (world, asked) = (&self.world, self.proxy.switchovers());
        let (leader, namespace) = (world.primary(), &world.platform.namespace);
        let uid = world.uids()[&leader].clone();
        world.agent.pause_starting();
        world.agent.crash(namespace, &leader);
        eventually("it is known to be down", || {
            let pod = world.platform.get("Pod", &leader).unwrap_or_default();
            let state = pod["status"]["containerStatuses"][0]["state"].clone();
            if state["waiting"].is_object() { Ok(()) } else { Err(state) }
        });
        self.mark(&leader);
        self.is_made_anew(&leader, &uid);
        world.agent.resume_starting();
        self.is_up_to_date();
        assert_eq!(self.proxy.switchovers(), asked, "nobody asks for one");
    }
}

/// And another one goes on.
fn kill_the_operator(world: &mut Cloud, proxy: &PatroniProxy, moment: Moment, leader: &str) {
    let annotations = |name: &str| {
        let object = world.platform.get("Endpoints", name).unwrap_or_default();
        object["metadata"]["annotations"].clone()
    };
    let is = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    eventually(&format!("it is {moment:?}"), || {
        let noted = annotations(&format!("{CLUSTER}-failover"));
        let now = annotations(CLUSTER)["leader"].clone();
        let is_there = match moment {
            Moment::Asked => !world.operator.as_mut().is_some_and(|own| own.running.is_alive()),
            Moment::Begun => is(&noted["member"]) || now != leader,
            Moment::Done => is(&now) && now != leader,
        };
        if is_there { Ok(()) } else { Err((noted, now)) }
    });
    world.wait_for_event("Switching over from ");
    world.kill_operator();
    proxy.behave();
    world.restart_operator();
}

#[test]
fn a_primary_moves_once_whoever_refuses_and_whenever_the_operator_is_killed() {
    let mut scene = Scene::new();
    let (writer, watcher) = (scene.world.writer(), Watcher::start(&scene.world, 2));
    let of_patroni = scene.world.patroni_switches_over(&writer, 2);
    scene.a_switchover_that_patroni_refuses_is_tried_again();
    let mut gaps = Vec::new();
    for moment in [Moment::Asked, Moment::Begun, Moment::Done] {
        let start = Instant::now();
        scene.a_kill_in_the_middle_of_a_switchover_is_survived(moment);
        gaps.push((format!("killed when {moment:?}"), writer.longest_gap_since(start)));
    }
    let start = Instant::now();
    scene.a_node_is_drained_and_its_primary_moves_before();
    gaps.push(("drained".to_owned(), writer.longest_gap_since(start)));
    nothing_is_lost(&watcher, writer, of_patroni, &gaps);
}

#[test]
fn no_pod_is_disturbed_while_patroni_talks_nonsense_and_a_dead_primary_is_made_anew_at_once() {
    let mut scene = Scene::new();
    let (writer, watcher) = (scene.world.writer(), Watcher::start(&scene.world, 2));
    let of_patroni = scene.world.patroni_switches_over(&writer, 2);
    let start = Instant::now();
    scene.nothing_is_done_to_pods_while_patroni_talks_nonsense();
    let of_roll = writer.longest_gap_since(start);
    scene.a_dead_primary_is_made_anew_without_a_switchover();
    let gaps = [("nonsense".to_owned(), of_roll)];
    nothing_is_lost(&watcher, writer, of_patroni, &gaps);
}

fn nothing_is_lost(
    watcher: &Watcher,
    writer: Writer,
    of_patroni: Duration,
    gaps: &[(String, Duration)],
) {
    let most_down = watcher.most_down();
    let written = writer.stop();
    let gaps: Vec<_> = gaps.iter().map(|(what, gap)| (what.as_str(), *gap)).collect();
    written.assert_kept(of_patroni, &gaps);
    assert_eq!(most_down, 1, "pods that were down at a time");
}
