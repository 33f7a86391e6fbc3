use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Node, NodeSelector, Pod, Toleration};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::facts::Facts;
use super::judge::{self, Demands, Why, is_ready};
use super::selector::admits;
use super::{Found, Nodes, has_another, leaves, leaving};
use crate::api::postgresql::Postgresql;
use crate::build::tests::{config, pairs};
use crate::config::Config;
use crate::context::Context;
use crate::testing::FakeApi;

fn node(name: &str, spec: Value, labels: Value) -> Node {
    let metadata = json!({ "name": name, "labels": labels });
    serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).unwrap()
}

fn facts(spec: Value, labels: Value) -> Facts {
    Facts::of(&node("worker", spec, labels))
}

fn label() -> BTreeMap<String, String> {
    pairs([("lifecycle-status", "ready")])
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The terms of `node_readiness_label` alone.
fn ready_nodes() -> NodeSelector {
    selector(json!([{ "matchExpressions": [
        { "key": "lifecycle-status", "operator": "In", "values": ["ready"] },
    ] }]))
}

fn selector(terms: Value) -> NodeSelector {
    serde_json::from_value(json!({ "nodeSelectorTerms": terms })).unwrap()
}

fn cordoned() -> Value {
    json!({ "unschedulable": true })
}

fn with_label() -> Value {
    json!({ "lifecycle-status": "ready" })
}

#[test]
fn a_node_is_ready_by_the_words_of_the_reference() {
    let vectors = [
        (json!({}), json!({}), label(), true),
        (cordoned(), json!({}), label(), false),
        (cordoned(), with_label(), label(), true),
        (cordoned(), json!({ "master": "true" }), label(), true),
        (cordoned(), json!({ "master": "false" }), label(), false),
        (cordoned(), json!({}), BTreeMap::new(), false),
        (cordoned(), with_label(), pairs([("lifecycle-status", "ready"), ("a", "b")]), false),
        (cordoned(), json!({ "lifecycle-status": "old" }), label(), false),
    ];
    for (spec, labels, readiness, wanted) in vectors {
        let found = is_ready(&facts(spec.clone(), labels.clone()), &readiness);
        assert_eq!(found, wanted, "{spec} {labels} {readiness:?}");
    }
}

fn why(node: &Facts, readiness: &BTreeMap<String, String>, pod: Demands<'_>) -> Option<Why> {
    judge::leaves(node, readiness, &pod).map(|(why, _)| why)
}

#[test]
fn a_cordoned_node_leaves_unless_it_has_the_labels_of_ready_nodes() {
    let anywhere = Demands::default();
    let none = BTreeMap::new();
    assert_eq!(why(&facts(json!({}), json!({})), &none, anywhere), None);
    assert_eq!(why(&facts(cordoned(), json!({})), &none, anywhere), Some(Why::Cordoned));
    assert_eq!(why(&facts(cordoned(), with_label()), &label(), anywhere), None);
    let master = json!({ "master": "true" });
    assert_eq!(why(&facts(cordoned(), master), &none, anywhere), None);
}

#[test]
fn a_node_without_the_labels_leaves_for_pods_that_ask_for_them() {
    let selector = ready_nodes();
    let asks = Demands { affinity: Some(&selector), ..Demands::default() };
    let plain = facts(json!({}), json!({}));
    assert_eq!(why(&plain, &label(), asks), Some(Why::Unlabelled));
    assert_eq!(why(&facts(json!({}), with_label()), &label(), asks), None);
    // Nobody asks for labels where none is configured.
    assert_eq!(why(&plain, &BTreeMap::new(), asks), None);
    // The template does not ask for them yet: a rolling update brings that.
    assert_eq!(why(&plain, &label(), Demands::default()), None);
}

#[test]
fn a_node_that_the_manifest_asks_for_does_not_leave_for_want_of_a_label() {
    let either = selector(json!([
        { "matchExpressions": [{ "key": "disk", "operator": "Exists" }] },
        { "matchExpressions": [
            { "key": "lifecycle-status", "operator": "In", "values": ["ready"] },
        ] },
    ]));
    let asks = Demands { affinity: Some(&either), ..Demands::default() };
    let own = json!({ "disk": "fast" });
    assert_eq!(why(&facts(json!({}), own.clone()), &label(), asks), None);
    assert_eq!(why(&facts(cordoned(), own), &label(), asks), Some(Why::Cordoned));
}

fn tainted(key: &str, effect: &str) -> Facts {
    let taint = json!({ "key": key, "value": "yes", "effect": effect,
                        "timeAdded": "2026-11-25T12:00:00Z" });
    facts(json!({ "taints": [taint] }), with_label())
}

#[test]
fn a_node_that_is_silent_for_a_moment_does_not_leave() {
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        for effect in ["NoSchedule", "NoExecute"] {
            assert_eq!(why(&tainted(key, effect), &BTreeMap::new(), Demands::default()), None);
        }
    }
    let silent = json!({ "conditions": [{ "type": "Ready", "status": "Unknown" }] });
    let node = json!({ "metadata": { "name": "worker" }, "status": silent });
    let node = Facts::of(&serde_json::from_value(node).unwrap());
    assert_eq!(why(&node, &BTreeMap::new(), Demands::default()), None);
}

#[test]
fn a_taint_by_which_pods_are_deleted_counts_unless_they_tolerate_it_for_ever() {
    let node = tainted("example.com/repair", "NoExecute");
    let leaves_with = |tolerations: Value| {
        let tolerations: Vec<Toleration> = serde_json::from_value(tolerations).unwrap();
        let pod = Demands { tolerations: &tolerations, ..Demands::default() };
        why(&node, &label(), pod).is_some()
    };
    assert!(leaves_with(json!([])));
    assert!(!leaves_with(json!([{ "operator": "Exists" }])));
    assert!(!leaves_with(json!([{ "key": "example.com/repair", "value": "yes" }])));
    assert!(leaves_with(json!([{ "key": "example.com/repair", "value": "no" }])));
    assert!(leaves_with(json!([{ "key": "other", "operator": "Exists" }])));
    let exists = json!({ "key": "example.com/repair", "operator": "Exists" });
    let for_a_minute = json!({ "key": "example.com/repair", "operator": "Exists",
                               "effect": "NoExecute", "tolerationSeconds": 60 });
    assert!(!leaves_with(json!([exists])));
    assert!(leaves_with(json!([exists, for_a_minute])));
    let other_effect = json!({ "operator": "Exists", "effect": "NoSchedule" });
    assert!(leaves_with(json!([other_effect])));
}

#[test]
fn what_announces_a_drain_counts_and_other_taints_that_only_keep_pods_away_do_not() {
    let none = BTreeMap::new();
    let anywhere = Demands::default();
    for key in ["ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted"] {
        let found = why(&tainted(key, "NoSchedule"), &none, anywhere);
        assert_eq!(found, Some(Why::Tainted(key.to_owned())));
    }
    assert_eq!(why(&tainted("example.com/gpu", "NoSchedule"), &none, anywhere), None);
}

#[test]
fn since_when_a_node_leaves_the_api_server_has_noted() {
    let node = json!({
        "metadata": { "name": "worker", "managedFields": [
            { "manager": "kubelet", "operation": "Update", "apiVersion": "v1",
              "fieldsType": "FieldsV1", "time": "2026-11-25T13:00:00Z",
              "fieldsV1": { "f:status": { "f:conditions": {} } } },
            { "manager": "kubectl", "operation": "Update", "apiVersion": "v1",
              "fieldsType": "FieldsV1", "time": "2026-11-25T12:00:00Z",
              "fieldsV1": { "f:spec": { "f:unschedulable": {} } } },
        ] },
        "spec": { "unschedulable": true },
    });
    let node = Facts::of(&serde_json::from_value(node).unwrap());
    let since = Some(at("2026-11-25T12:00:00Z"));
    let none = BTreeMap::new();
    assert_eq!(judge::leaves(&node, &none, &Demands::default()), Some((Why::Cordoned, since)));
    let found = judge::leaves(&tainted("a", "NoExecute"), &none, &Demands::default());
    assert_eq!(found, Some((Why::Tainted("a".to_owned()), since)));
}

#[test]
fn a_selector_is_read_as_the_scheduler_reads_it() {
    let node = facts(json!({}), json!({ "zone": "a", "cores": "16" }));
    let one = |key: &str, operator: &str, values: Value| {
        let expression = json!({ "key": key, "operator": operator, "values": values });
        admits(&selector(json!([{ "matchExpressions": [expression] }])), &node)
    };
    assert!(one("zone", "In", json!(["a", "b"])));
    assert!(!one("zone", "In", json!(["b"])));
    assert!(!one("rack", "In", json!(["a"])));
    assert!(one("zone", "NotIn", json!(["b"])));
    assert!(!one("zone", "NotIn", json!(["a"])));
    assert!(one("rack", "NotIn", json!(["a"])));
    assert!(one("zone", "Exists", json!(null)) && !one("rack", "Exists", json!(null)));
    assert!(one("rack", "DoesNotExist", json!(null)) && !one("zone", "DoesNotExist", json!(null)));
    assert!(one("cores", "Gt", json!(["8"])) && !one("cores", "Gt", json!(["16"])));
    assert!(one("cores", "Lt", json!(["17"])) && !one("zone", "Lt", json!(["17"])));
    assert!(!admits(&selector(json!([{}])), &node), "a term that asks for nothing");
    assert!(!admits(&selector(json!([])), &node));
    let by_name = json!([{ "key": "metadata.name", "operator": "In", "values": ["worker"] }]);
    assert!(admits(&selector(json!([{ "matchFields": by_name }])), &node));
    let both = json!([
        { "key": "zone", "operator": "Exists" }, { "key": "rack", "operator": "Exists" },
    ]);
    assert!(!admits(&selector(json!([{ "matchExpressions": both }])), &node));
}

fn turned(nodes: &Nodes, event: Event<Node>) -> Vec<String> {
    nodes.take(event, &label(), at("2026-11-25T12:00:00Z"))
}

#[test]
fn a_node_turns_with_what_may_make_pods_leave_it_and_with_nothing_else() {
    let nodes = Nodes::default();
    let of = |spec, labels| Event::Apply(node("worker", spec, labels));
    assert_eq!(turned(&nodes, of(json!({}), with_label())), ["worker"], "it is new");
    let other = json!({ "lifecycle-status": "ready", "beat": "2" });
    assert!(turned(&nodes, of(json!({}), other.clone())).is_empty());
    assert_eq!(turned(&nodes, of(cordoned(), other.clone())), ["worker"]);
    assert_eq!(turned(&nodes, of(cordoned(), json!({}))), ["worker"]);
    let taint = json!({ "taints": [{ "key": "a", "effect": "NoExecute" }] });
    assert_eq!(turned(&nodes, of(taint.clone(), json!({}))), ["worker"]);
    assert!(turned(&nodes, of(taint, json!({ "beat": "3" }))).is_empty());
    assert_eq!(turned(&nodes, Event::Delete(node("worker", json!({}), json!({})))), ["worker"]);
}

#[test]
fn a_node_is_what_it_is_since_it_turned_and_not_since_the_last_event() {
    let nodes = Nodes::default();
    let take = |labels, time| {
        nodes.take(Event::Apply(node("worker", json!({}), labels)), &label(), at(time));
    };
    take(with_label(), "2026-11-25T12:00:00Z");
    take(json!({}), "2026-11-25T13:00:00Z");
    take(json!({ "beat": "2" }), "2026-11-25T14:00:00Z");
    let Found::There(known) = nodes.find("worker") else { panic!("it is there") };
    assert_eq!(known.since, at("2026-11-25T13:00:00Z"));
}

#[test]
fn a_list_tells_of_nodes_that_are_gone() {
    let nodes = Nodes::default();
    turned(&nodes, Event::Apply(node("worker", json!({}), with_label())));
    turned(&nodes, Event::Init);
    turned(&nodes, Event::InitApply(node("other", json!({}), with_label())));
    assert_eq!(turned(&nodes, Event::InitDone), ["worker", "other"]);
    assert!(matches!(nodes.find("worker"), Found::Gone(_)));
    assert!(matches!(nodes.find("never"), Found::Unknown));
    turned(&nodes, Event::Apply(node("worker", json!({}), with_label())));
    assert!(matches!(nodes.find("worker"), Found::There(_)), "it registers again");
}

fn pod(node: &str) -> Pod {
    serde_json::from_value(json!({
        "metadata": { "name": "acid-db-0", "namespace": "default",
                      "labels": { "application": "spilo", "cluster-name": "acid-db" } },
        "spec": { "nodeName": node, "containers": [] },
    }))
    .unwrap()
}

fn with_nodes(config: Config, all: Vec<Node>) -> Context {
    let context = FakeApi::empty().context(config, None);
    for node in all {
        turned(&context.nodes, Event::Apply(node));
    }
    context
}

#[tokio::test]
async fn a_pod_leaves_with_its_node_and_where_nodes_are_not_known_nobody_leaves() {
    let context = with_nodes(config(), vec![node("worker", cordoned(), json!({}))]);
    let found = leaving(&context, &config(), &pod("worker")).unwrap();
    assert_eq!((found.node.as_str(), found.why), ("worker", Why::Cordoned));
    assert!(!leaves(&context, &config(), &pod("unknown")));
    let unbound = Pod { spec: None, ..pod("worker") };
    assert!(!leaves(&context, &config(), &unbound));
    turned(&context.nodes, Event::Delete(node("worker", json!({}), json!({}))));
    let found = leaving(&context, &config(), &pod("worker")).unwrap();
    assert_eq!(found.why, Why::Gone);
}

#[tokio::test]
async fn what_a_pod_asks_for_is_what_it_would_be_made_again_with() {
    let mut config = config();
    config.pods.node_readiness_label = label();
    let context = with_nodes(config.clone(), vec![node("worker", json!({}), json!({}))]);
    assert!(!leaves(&context, &config, &pod("worker")), "it asks for nothing");
    let affinity = json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": ready_nodes() } });
    let set: StatefulSet = serde_json::from_value(json!({
        "metadata": { "name": "acid-db", "namespace": "default",
                      "labels": { "application": "spilo", "cluster-name": "acid-db" } },
        "spec": { "selector": {}, "serviceName": "acid-db",
                  "template": { "spec": { "containers": [], "affinity": affinity } } },
    }))
    .unwrap();
    context.caches.stateful_sets.wrote(set);
    assert_eq!(leaving(&context, &config, &pod("worker")).unwrap().why, Why::Unlabelled);
}

#[tokio::test]
async fn there_is_another_node_if_one_takes_pods() {
    let worker = || node("worker", cordoned(), json!({}));
    let has = |other: Node| {
        let context = with_nodes(config(), vec![worker(), other]);
        has_another(&context, &config(), &pod("worker"), &[])
    };
    assert!(has(node("other", json!({}), json!({}))));
    assert!(!has(node("other", cordoned(), json!({}))));
    assert!(!has(node(
        "other",
        json!({ "taints": [{ "key": "a", "effect": "NoExecute" }] }),
        json!({})
    )));
    assert!(!has(node("worker", json!({}), json!({}))), "the same");
}

#[test]
fn a_node_takes_no_pod_that_its_taints_keep_away_or_while_it_is_not_ready() {
    let takes = |node: &Facts, pod: Demands<'_>| judge::takes(node, &BTreeMap::new(), &pod);
    let plane = tainted("node-role.kubernetes.io/control-plane", "NoSchedule");
    assert!(!takes(&plane, Demands::default()));
    let tolerations = json!([{ "key": "node-role.kubernetes.io/control-plane",
                               "operator": "Exists", "effect": "NoSchedule" }]);
    let tolerations: Vec<Toleration> = serde_json::from_value(tolerations).unwrap();
    let tolerates = Demands { tolerations: &tolerations, ..Demands::default() };
    assert!(takes(&plane, tolerates));
    assert!(!takes(&tainted("node.kubernetes.io/not-ready", "NoExecute"), Demands::default()));
    assert!(takes(&tainted("example.com/rather-not", "PreferNoSchedule"), Demands::default()));
    for (status, taken) in [("True", true), ("False", false), ("Unknown", false)] {
        let status = json!({ "conditions": [{ "type": "Ready", "status": status }] });
        let node = json!({ "metadata": { "name": "worker" }, "status": status });
        let node = Facts::of(&serde_json::from_value(node).unwrap());
        assert_eq!(takes(&node, Demands::default()), taken);
    }
}

#[test]
fn a_node_takes_no_pod_whose_volume_is_elsewhere() {
    let zone = |zone: &str| {
        let term = json!({ "key": "zone", "operator": "In", "values": [zone] });
        [selector(json!([{ "matchExpressions": [term] }]))]
    };
    let node = facts(json!({}), json!({ "zone": "a" }));
    let takes = |volumes: &[NodeSelector]| {
        judge::takes(&node, &BTreeMap::new(), &Demands { volumes, ..Demands::default() })
    };
    assert!(takes(&zone("a")) && takes(&[]));
    assert!(!takes(&zone("b")));
}

fn clusters_waiting(context: &Context) -> usize {
    context.objects.waiting().len()
}

#[tokio::test]
async fn a_node_that_turns_makes_the_clusters_on_it_due_and_others_not() {
    let context = Arc::new(with_nodes(config(), vec![node("worker", json!({}), json!({}))]));
    context.caches.pods.wrote(pod("worker"));
    super::follow::wake(&context, &["worker".to_owned()]);
    assert_eq!(clusters_waiting(&context), 0, "a cluster without a manifest is nobody's business");
    let manifest: Postgresql = serde_json::from_value(json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": { "name": "acid-db", "namespace": "default" }, "spec": {},
    }))
    .unwrap();
    context.caches.manifests.wrote(manifest);
    super::follow::wake(&context, &["other".to_owned()]);
    assert_eq!(clusters_waiting(&context), 0);
    super::follow::wake(&context, &["worker".to_owned()]);
    assert_eq!(clusters_waiting(&context), 1);
}

#[tokio::test]
async fn who_waits_for_a_place_hears_of_a_new_one() {
    let context = with_nodes(config(), vec![node("worker", cordoned(), json!({}))]);
    context.caches.pods.wrote(pod("worker"));
    let manifest = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": { "name": "acid-db", "namespace": "default" }, "spec": {},
    });
    context.caches.manifests.wrote(serde_json::from_value(manifest).unwrap());
    super::follow::wake(&context, &["other".to_owned()]);
    assert_eq!(clusters_waiting(&context), 1);
}

#[tokio::test]
async fn without_the_right_to_list_nodes_nobody_waits_for_them() {
    let refuses = FakeApi::new(|_| crate::testing::refusal(403));
    let context = refuses.context(config(), None);
    tokio::select! {
        () = super::follow(&context) => panic!("it goes on"),
        () = context.nodes.answered() => {}
    }
    assert!(matches!(context.nodes.find("worker"), Found::Unknown));
}
