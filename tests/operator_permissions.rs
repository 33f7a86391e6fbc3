//! The operator may do nothing that it does not need: each permission of the base for kustomize, which
//! is that of the chart, is used.

use std::collections::BTreeSet;

use harness::cloud::{CLUSTER, minimal};
use harness::control_plane::ApiRequest;
use harness::manifest_tools::{helm_template, objects};
use harness::permissions::{self, Permission};
use harness::{Cloud, ControlPlane, artifacts, eventually};
use serde_json::{Value, json};

/// What the base for kustomize lets the operator do to clusters and where there is no namespace.
fn granted() -> BTreeSet<Permission> {
    let roles = permissions::own();
    let roles = roles.iter().filter(|one| one["kind"] == "ClusterRole");
    let is_operators = |role: &&Value| role["metadata"]["name"] != "postgres-pod";
    roles.filter(is_operators).flat_map(permissions::granted).collect()
}

/// What is not seen in the life of one cluster: the test that does it, or why it has to be there.
const ELSEWHERE: [(&str, &str, &str); 16] = [
    (
        "clusterroles",
        "bind",
        "the API server asks for it where a RoleBinding is made, and tells nobody",
    ),
    ("configmaps", "get", ALL),
    ("configmaps", "patch", ALL),
    ("configmaps", "watch", ROBOTS),
    ("customresourcedefinitions", "create", KINDS),
    ("customresourcedefinitions", "get", KINDS),
    ("customresourcedefinitions", "patch", KINDS),
    ("persistentvolumeclaims", "patch", VOLUMES),
    (
        "persistentvolumes",
        "get",
        "on which nodes a volume can be mounted; those of tests are claims alone",
    ),
    (
        "poddisruptionbudgets",
        "get",
        "a budget of another operator that somebody changes while it is taken over is read again",
    ),
    ("pods", "get", UPGRADE),
    ("pods/exec", "create", "API servers from 1.35 on ask for it beside `get`"),
    ("pods/exec", "get", UPGRADE),
    ("postgresqls", "get", UPGRADE),
    ("serviceaccounts", "patch", "irsa_role_arn, which may change"),
    ("storageclasses", "get", VOLUMES),
];
const ALL: &str =
    "operator_manifests::an_applied_chart_is_enough_for_an_operator_of_all_namespaces";
const KINDS: &str =
    "operator_life::with_its_defaults_the_operator_makes_its_kinds_by_its_own_rights";
const ROBOTS: &str =
    "operator_robots::infrastructure_roles_are_on_every_cluster_and_follow_their_secrets";
const UPGRADE: &str =
    "operator_upgrade::a_major_version_is_installed_in_a_window_and_what_failed_waits_for_somebody";
const VOLUMES: &str =
    "operator_storage::the_volumes_of_a_cluster_that_runs_grow_in_seconds_and_no_pod_is_restarted";

/// They check it themselves: `has_used`.
#[test]
fn a_test_that_a_permission_names_shows_that_it_is_used() {
    for (resource, verb, why) in ELSEWHERE {
        let Some((file, test)) = why.split_once("::") else { continue };
        let path = artifacts::source().join(format!("tests/{file}.rs"));
        let text = std::fs::read_to_string(&path).unwrap();
        let body = text.split_once(&format!("fn {test}()")).unwrap_or_else(|| panic!("{why}")).1;
        let body = body.split_once("\n}\n").unwrap().0;
        let is_checked = body.contains(&format!("(\"{resource}\", \"{verb}\")"));
        assert!(is_checked && body.contains(".has_used("), "{why}: {verb} of {resource}");
    }
}

#[test]
fn each_permission_is_used_in_the_life_of_a_cluster_or_by_another_test() {
    let mut world = Cloud::new(&[
        ("kubernetes_use_configmaps", "false"),
        ("enable_postgres_team_crd", "true"),
        ("enable_finalizers", "true"),
    ]);
    live(&world);
    assert_eq!(world.operator.take().expect("it runs").stop().code, Some(0));
    let mut requests = world.platform.requests(ControlPlane::shared());
    let forbidden: Vec<_> = requests.iter().filter(|one| one.status == Some(403)).collect();
    assert!(forbidden.is_empty(), "{forbidden:#?}");
    let is_token = |one: &ApiRequest| one.resource == "secrets" && one.verb == "get";
    // Its Lease, its configuration and its token are for the Role beside it.
    let mut beside = requests.iter().filter(|one| one.name == "postgres-operator");
    assert!(beside.any(is_token), "the token of the Teams API is read");
    requests.retain(|one| one.name != "postgres-operator");
    let used = permissions::needed(&requests);
    let elsewhere = ELSEWHERE.map(|(resource, verb, _)| (resource.to_owned(), verb.to_owned()));
    let elsewhere = BTreeSet::from(elsewhere);
    let granted = granted();
    let unused: Vec<_> = granted.difference(&used).filter(|one| !elsewhere.contains(one)).collect();
    assert!(unused.is_empty(), "nobody uses: {unused:?}");
    let gone: Vec<_> = elsewhere.difference(&granted).collect();
    assert!(gone.is_empty(), "explained, and not granted: {gone:?}");
}

/// From its manifest to its end, with all that one cluster can have.
fn live(world: &Cloud) {
    let platform = &world.platform;
    let (kube, namespace) = (&platform.kube, &platform.namespace);
    let change = |more: &Value| {
        let mut manifest = minimal(namespace);
        let spec = manifest["spec"].as_object_mut().unwrap();
        spec.extend(more.as_object().unwrap().clone());
        kube.try_apply(&manifest).expect("it is accepted");
    };
    let gone = |kind: &str, name: &str| {
        eventually(&format!("{kind} {name} is gone"), || match platform.get(kind, name) {
            None => Ok(()),
            Some(left) => Err(left),
        });
    };
    let (pooler, backup) = (format!("{CLUSTER}-pooler"), format!("logical-backup-{CLUSTER}"));
    change(&json!({ "enableConnectionPooler": true, "enableLogicalBackup": true }));
    platform.wait_for_phase(CLUSTER, "Running");
    let made = platform.wait_for("Deployment", &pooler);
    may_connect(&made["spec"]["template"]);
    let made = platform.wait_for("CronJob", &backup);
    may_connect(&made["spec"]["jobTemplate"]["spec"]["template"]);
    // Off and larger, by pods with another image.
    change(&json!({
        "enableConnectionPooler": false, "enableLogicalBackup": false, "volume": { "size": "2Gi" },
        "dockerImage": "registry.example.com/spilo-15:3.2",
    }));
    gone("Deployment", &pooler);
    gone("CronJob", &backup);
    eventually("pods have the image", || {
        let pods = kube.list("Pod", namespace, "application=spilo");
        let image = |pod: &Value| pod["spec"]["containers"][0]["image"].clone();
        let images: Vec<_> = pods.iter().map(image).collect();
        let is_new = |image: &Value| *image == "registry.example.com/spilo-15:3.2";
        if images.len() == 2 && images.iter().all(is_new) { Ok(()) } else { Err(images) }
    });
    platform.wait_for_condition(CLUSTER, "PodsUpToDate", ("True", "UpToDate"));
    // Of a Patroni that once kept its state there.
    let left = format!("{CLUSTER}-failover");
    kube.create(&json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": left, "namespace": namespace, "labels": {
            "application": "spilo", "cluster-name": CLUSTER,
        } },
    }));
    kube.delete("postgresql", namespace, CLUSTER);
    gone("postgresql", CLUSTER);
    gone("StatefulSet", CLUSTER);
    gone("ConfigMap", &left);
}

/// The policy of databases lets pods of this template in, where it lets no client in.
fn may_connect(template: &Value) {
    let nobody = ["--set-json", r#"networkPolicies={"create":true,"databases":{"clients":[]}}"#];
    let rendered = objects(&helm_template("operator", "operator", &nobody).unwrap());
    let policy = rendered.iter().rfind(|object| object["kind"] == "NetworkPolicy").unwrap();
    assert_eq!(policy["spec"]["podSelector"]["matchLabels"]["application"], "spilo");
    let labels = template["metadata"]["labels"].as_object().unwrap();
    let has = |wanted: &Value| {
        let mut wanted = wanted["podSelector"]["matchLabels"].as_object().unwrap().iter();
        wanted.all(|(key, value)| labels.get(key) == Some(value))
    };
    let mut rules = policy["spec"]["ingress"].as_array().unwrap().iter();
    let is_let_in = rules.any(|rule| {
        let opens = rule["ports"].as_array().unwrap().contains(&json!({ "port": 5432 }));
        opens && rule["from"].as_array().unwrap().iter().any(has)
    });
    assert!(is_let_in, "{labels:?}: {policy:#}");
}
