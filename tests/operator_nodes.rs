//! Nodes that are emptied: pods keep to those that are ready, and primaries go before they are
//! evicted.

use harness::{ControlPlane, Kube, Platform, eventually};
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
    platform.set("CONFIG_MAP_NAME", "");
    platform.set("POSTGRES_OPERATOR_CONFIGURATION_OBJECT", "settings");
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
    let mut role = kube.get("ClusterRole", "", "postgres-operator").expect("the example");
    for rule in role["rules"].as_array_mut().expect("rules") {
        let resources = rule["resources"].as_array_mut().expect("resources");
        resources.retain(|resource| resource != "nodes");
    }
    let name = format!("without-nodes-{}", platform.namespace);
    role["metadata"] = json!({ "name": name });
    kube.create(&role);
    kube.delete("ClusterRoleBinding", "", &format!("postgres-operator-{}", platform.namespace));
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
