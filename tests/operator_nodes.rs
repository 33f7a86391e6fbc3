//! Nodes that are emptied: pods keep to those that are ready, and primaries go before they are
//! evicted.

use std::time::Instant;

use harness::cloud::{CLUSTER, Cloud, minimal};
use harness::{ControlPlane, Kube, Nodes, Platform, Watcher, eventually};
use serde_json::{Value, json};

const ORDERS: &str = "acid-orders";
/// The label of ready nodes, and its value.
const LABEL: &str = "lifecycle-status";

/// The required terms in the template of a StatefulSet.
fn terms(platform: &Platform) -> Value {
    let set = platform.get("StatefulSet", ORDERS).unwrap_or_default();
    let affinity = &set["spec"]["template"]["spec"]["affinity"]["nodeAffinity"];
    affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"].clone()
}

#[track_caller]
fn terms_are(platform: &Platform, wanted: &Value) {
    eventually(&format!("the terms are {wanted}"), || {
        let found = terms(platform);
        if found == *wanted { Ok(()) } else { Err(found) }
    });
}

#[test]
fn the_label_of_ready_nodes_joins_the_affinity_of_a_manifest_in_both_ways() {
    let ready = json!({ "key": LABEL, "operator": "In", "values": ["ready"] });
    let own = json!({ "key": "disk", "operator": "In", "values": ["fast"] });
    let spec = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{ "matchExpressions": [own] }],
    } } });
    let platform = Platform::new();
    let label = format!("{LABEL}:ready");
    let label = ("node_readiness_label", label.as_str());
    platform.configure(&[label]);
    let operator = platform.start();
    platform.apply(ORDERS, &spec);
    let either = json!([{ "matchExpressions": [own] }, { "matchExpressions": [ready] }]);
    terms_are(&platform, &either);
    platform.configure(&[label, ("node_readiness_label_merge", "AND")]);
    terms_are(&platform, &json!([{ "matchExpressions": [own, ready] }]));
    platform.apply(ORDERS, &json!({}));
    terms_are(&platform, &json!([{ "matchExpressions": [ready] }]));
    assert_eq!(operator.stop().code, Some(0));
}

#[test]
fn an_operator_configuration_that_says_nothing_of_the_merge_keeps_the_label() {
    let plane = ControlPlane::shared();
    let mut platform = Platform::on(plane, &Kube::admin(plane).namespace());
    platform.is_configured_by("settings");
    let configuration = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "OperatorConfiguration",
        "metadata": { "name": "settings", "namespace": platform.namespace },
        "configuration": {
            "docker_image": "registry.example.com/spilo-15:3.0-p1",
            "enable_crd_registration": false, "workers": 2,
            "kubernetes": { "node_readiness_label": { LABEL: "ready" } },
            "logging_rest_api": { "api_port": platform.port() },
        },
    });
    platform.kube.try_apply(&configuration).expect("it is accepted");
    let operator = platform.start();
    let own = json!({ "key": "disk", "operator": "Exists" });
    platform.apply(
        ORDERS,
        &json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{ "matchExpressions": [own] }],
        } } }),
    );
    let ready = json!({ "key": LABEL, "operator": "In", "values": ["ready"] });
    terms_are(&platform, &json!([{ "matchExpressions": [own] }, { "matchExpressions": [ready] }]));
    assert_eq!(operator.stop().code, Some(0));
}

/// The operator's rights in this namespace, without those that nodes are about.
fn take_away_nodes(platform: &Platform) {
    let kube = &platform.kube;
    let shipped = "postgres-operator:postgres-operator:cluster";
    let mut role = kube.get("ClusterRole", "", shipped).expect("the base's");
    let rules = role["rules"].as_array_mut().expect("rules");
    rules.retain(|rule| rule["resources"] != json!(["nodes"]));
    let name = format!("without-nodes-{}", platform.namespace);
    role["metadata"] = json!({ "name": name });
    kube.create(&role);
    kube.delete("ClusterRoleBinding", "", &format!("{shipped}:{}", platform.namespace));
    kube.create(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": { "name": name },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name },
        "subjects": [{ "kind": "ServiceAccount", "name": "postgres-operator",
                       "namespace": platform.namespace }],
    }));
}

#[test]
fn an_operator_that_may_not_list_nodes_runs_on_and_says_so_once() {
    let platform = Platform::new();
    take_away_nodes(&platform);
    let operator = platform.start();
    platform.apply(ORDERS, &json!({}));
    platform.wait_for("StatefulSet", ORDERS);
    let told = || operator.log().matches("nodes cannot be listed").count();
    eventually("it says so", || if told() > 0 { Ok(()) } else { Err(operator.log()) });
    // By then it has asked again.
    let refused = || operator.log().matches("a watch ended").count();
    operator.wait_until_idle();
    assert_eq!((told(), refused()), (1, 0), "{}", operator.log());
    assert_eq!(operator.stop().code, Some(0));
}

/// A node without the label, and three with it; a cluster of two pods in synchronous mode.
struct Scene {
    nodes: Nodes,
    world: Cloud,
    manifest: Value,
}

impl Scene {
    fn new() -> Self {
        let nodes = Nodes::new(ControlPlane::shared(), 4, &json!({ LABEL: "ready" }));
        nodes.label(&nodes.names[3], LABEL, &Value::Null);
        let label = format!("{LABEL}:ready");
        let settings = [
            ("node_readiness_label", label.as_str()),
            ("node_readiness_label_merge", "AND"),
            // Whoever waits for longer than a test takes is not helped by asking more often.
            ("repair_period", "60s"),
        ];
        let world = Cloud::on(nodes.names.clone(), &settings);
        let mut manifest = minimal(&world.platform.namespace);
        manifest["spec"]["patroni"]["synchronous_mode"] = json!(true);
        let scene = Self { nodes, world, manifest };
        scene.apply();
        scene.world.platform.wait_for_phase(CLUSTER, "Running");
        scene.world.synchronous_standby();
        scene
    }

    fn apply(&self) {
        self.world.platform.kube.try_apply(&self.manifest).expect("it is accepted");
    }

    fn node(&self, pod: &str) -> String {
        self.nodes.of(&self.world.platform.namespace, pod)
    }

    fn uid(&self, pod: &str) -> Value {
        self.world.platform.get("Pod", pod).unwrap_or_default()["metadata"]["uid"].clone()
    }

    /// A budget says so.
    #[track_caller]
    fn is_not_evicted(&self, pod: &str) {
        let refused = self.nodes.evict(&self.world.platform.namespace, pod);
        assert_eq!(refused.map_err(|refusal| refusal.code), Err(429), "{pod}");
    }

    /// A cordon alone is no reason while the node has the label.
    fn a_cordoned_node_with_the_label_keeps_its_primary(&self) {
        let leader = self.world.primary();
        self.nodes.cordon(&self.node(&leader));
        self.world.operator().wait_until_idle();
        assert_eq!(self.world.primary(), leader);
        self.is_not_evicted(&leader);
    }

    /// It loses the label and is drained, and the operator is killed in the middle of that.
    fn a_node_without_the_label_is_drained(&mut self) {
        let namespace = self.world.platform.namespace.clone();
        let leader = self.world.primary();
        let (node, uid) = (self.node(&leader), self.uid(&leader));
        let before = self.world.timeline();
        self.nodes.label(&node, LABEL, &Value::Null);
        self.is_not_evicted(&leader);
        let (nodes, world) = (&self.nodes, &mut self.world);
        let mut kills = 0;
        let drained = nodes.drain_and(&namespace, &node, || {
            if kills == 0 {
                world.wait_for_event("Switching over from ");
                world.kill_operator();
                let told = world.platform.events(CLUSTER);
                let is_over = told.iter().any(|own| own.starts_with("Successfully switched over"));
                assert!(!is_over, "it is in the middle of it: {told:#?}");
                world.restart_operator();
                kills += 1;
            }
        });
        assert_eq!(drained.pods, [leader.as_str()]);
        assert!(drained.refused > 0 && kills == 1, "the budget lets it go when it leads no more");
        let now = self.world.leads_another(&leader);
        assert_eq!(self.world.synchronous_standby(), leader, "it follows");
        assert_eq!(self.world.timeline(), before + 1, "it moves once");
        assert_ne!(self.uid(&leader), uid);
        let places = [self.node(&now), self.node(&leader)];
        assert!(!places.contains(&node) && !places.contains(&self.nodes.names[3]), "{places:?}");
    }

    /// The candidate moves, and then the primary, once.
    fn where_all_nodes_leave_the_primary_moves_once(&self) {
        let (leader, standby) = (self.world.primary(), self.world.synchronous_standby());
        let (before, uids) = (self.world.timeline(), [self.uid(&leader), self.uid(&standby)]);
        let old = [self.node(&standby), self.node(&leader)];
        let all = self.nodes.names.iter();
        let free = all.take(3).find(|node| !old.contains(node)).expect("a third node");
        self.nodes.label(free, LABEL, &json!("ready"));
        self.nodes.uncordon(free);
        for node in &old {
            self.nodes.label(node, LABEL, &Value::Null);
        }
        assert_eq!(self.world.leads_another(&leader), standby);
        assert_eq!(self.world.timeline(), before + 1, "it moves once");
        assert_eq!(self.node(&standby), *free);
        assert_ne!(self.uid(&standby), uids[1], "it was made anew there");
        self.world.platform.wait_for_condition(CLUSTER, "PodsUpToDate", ("True", "UpToDate"));
        assert_eq!(self.uid(&leader), uids[0], "replicas are left to who drains");
        for node in &old {
            self.nodes.label(node, LABEL, &json!("ready"));
        }
        self.world.synchronous_standby();
    }

    /// Patroni is given a time, and only once.
    fn outside_of_a_window_the_primary_stays_until_it_opens(&mut self) {
        let hour = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour();
        let opens = (hour + 3) % 24;
        self.manifest["spec"]["maintenanceWindows"] =
            json!([format!("{opens:02}:00-{opens:02}:59")]);
        self.apply();
        let leader = self.world.primary();
        let node = self.node(&leader);
        self.world.operator().wait_until_idle();
        self.nodes.label(&node, LABEL, &Value::Null);
        let at = eventually("a switchover is scheduled", || {
            let cluster = self.world.patroni(&leader).get("cluster").unwrap_or_default();
            let at = cluster["scheduled_switchover"]["at"].as_str().map(str::to_owned);
            at.ok_or(cluster)
        });
        assert!(at.contains(&format!("T{opens:02}:00:00")), "{at}");
        let wanted = ("False", "NodeDrain");
        let said = eventually("the condition tells of it", || {
            let said = self.world.platform.wait_for_condition(CLUSTER, "PodsUpToDate", wanted);
            if said.contains("a switchover is to be at") { Ok(said) } else { Err(said) }
        });
        assert!(said.contains(&node) && said.contains("node_readiness_label"), "{said}");
        let events = self.world.platform.events(CLUSTER);
        let scheduled = events.iter().filter(|note| note.contains("is to be at")).count();
        assert_eq!((self.world.primary(), scheduled), (leader.clone(), 1), "{events:#?}");
        // Without a window it is time.
        self.manifest["spec"].as_object_mut().expect("a spec").remove("maintenanceWindows");
        self.apply();
        self.world.leads_another(&leader);
        self.nodes.label(&node, LABEL, &json!("ready"));
        self.world.synchronous_standby();
    }

    /// Promise 17: another affinity moves the replica, and then the primary.
    fn another_affinity_moves_all_pods(&mut self) {
        for node in self.nodes.names.iter().skip(2) {
            self.nodes.label(node, "pool", &json!("new"));
        }
        let free = &self.nodes.names[2];
        self.manifest["spec"]["nodeAffinity"] = json!({
            "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
                { "matchExpressions": [{ "key": "pool", "operator": "In", "values": ["new"] }] },
            ] },
        });
        let before = self.world.timeline();
        self.apply();
        eventually("all pods are in the new pool", || {
            let pods = ["0", "1"].map(|own| self.node(&format!("{CLUSTER}-{own}")));
            let are_there = pods.iter().all(|node| node == free);
            if are_there { Ok(()) } else { Err((pods, self.world.platform.status(CLUSTER))) }
        });
        self.world.synchronous_standby();
        assert_eq!(self.world.timeline(), before + 1);
    }
}

#[test]
fn a_primary_leaves_its_node_before_it_is_evicted_and_nothing_that_was_acknowledged_is_lost() {
    let mut scene = Scene::new();
    let (writer, watcher) = (scene.world.writer(), Watcher::start(&scene.world, 2));
    let of_patroni = scene.world.patroni_switches_over(&writer, 2);
    scene.a_cordoned_node_with_the_label_keeps_its_primary();
    let start = Instant::now();
    scene.a_node_without_the_label_is_drained();
    let of_drain = writer.longest_gap_since(start);
    let start = Instant::now();
    scene.where_all_nodes_leave_the_primary_moves_once();
    let of_all = writer.longest_gap_since(start);
    scene.outside_of_a_window_the_primary_stays_until_it_opens();
    scene.another_affinity_moves_all_pods();
    let most_down = watcher.most_down();
    let written = writer.stop();
    let gaps = [("drain with kill -9", of_drain), ("all nodes at once", of_all)];
    written.assert_kept(of_patroni, &gaps);
    assert_eq!(most_down, 1, "pods that were down at a time");
}

#[test]
fn a_single_pod_is_made_anew_once_and_waits_where_no_node_takes_it() {
    // Other tests have nodes as well.
    let pool = format!("pool-{}", std::process::id());
    let nodes = Nodes::new(ControlPlane::shared(), 2, &json!({ "pool": pool }));
    let world = Cloud::on(nodes.names.clone(), &[("master_pod_move_timeout", "2s")]);
    let mut manifest = minimal(&world.platform.namespace);
    manifest["spec"]["numberOfInstances"] = json!(1);
    manifest["spec"]["nodeAffinity"] = json!({
        "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [
            { "matchExpressions": [{ "key": "pool", "operator": "In", "values": [pool] }] },
        ] },
    });
    world.platform.kube.try_apply(&manifest).expect("it is accepted");
    world.platform.wait_for_phase(CLUSTER, "Running");
    let pod = format!("{CLUSTER}-0");
    let uid = || world.platform.get("Pod", &pod).unwrap_or_default()["metadata"]["uid"].clone();
    let node = || nodes.of(&world.platform.namespace, &pod);
    let moves_to = |other: &str| {
        eventually("it is elsewhere", || {
            let now = node();
            if now == other { Ok(()) } else { Err((now, world.platform.status(CLUSTER))) }
        });
        world.platform.wait_for_condition(CLUSTER, "PodsReady", ("True", "Ready"));
    };
    let first = node();
    let second = nodes.names.iter().find(|name| **name != first).expect("another").clone();
    nodes.cordon(&first);
    moves_to(&second);
    let moved = uid();
    world.operator().wait_until_idle();
    assert_eq!(uid(), moved, "it moves once");

    nodes.cordon(&second);
    let wanted = ("False", "PrimaryNotMoved");
    let said = world.platform.wait_for_condition(CLUSTER, "PodsUpToDate", wanted);
    assert!(said.contains("no other node takes") && said.contains("is cordoned"), "{said}");
    assert!(said.contains("master_pod_move_timeout"), "{said}");
    eventually("an event warns", || {
        let events = world.platform.events(CLUSTER);
        let warns = events.iter().any(|note| note.contains("for longer than master_pod_move"));
        if warns { Ok(()) } else { Err(events) }
    });
    world.platform.wait_for_phase(CLUSTER, "Running");
    assert_eq!(uid(), moved, "nobody takes it down for nothing");
    nodes.uncordon(&first);
    moves_to(&first);
    world.platform.wait_for_condition(CLUSTER, "PodsUpToDate", ("True", "UpToDate"));
}
