//! The chart and the base for kustomize, on a real API server: they are taken, and the operator runs with
//! what they give it, beside other releases.

use std::collections::{BTreeMap, BTreeSet};

use harness::cloud::CLUSTER;
use harness::manifest_tools::{
    helm_template, kubectl, kustomization, kustomize_build, objects, said,
};
use harness::permissions;
use harness::workdir::Workdir;
use harness::{ControlPlane, Kube, Platform, artifacts, eventually};
use serde_json::{Value, json};

/// `kubectl apply` of this, by somebody who may do everything.
fn apply(text: &str, arguments: &[&str]) -> Result<String, String> {
    let plane = ControlPlane::shared();
    let workdir = Workdir::new();
    let file = workdir.file("all.yaml", text).display().to_string();
    let all = [&["apply", "--filename", &file], arguments].concat();
    said(&mut kubectl(plane.network(), &plane.kubeconfig_file(), &all))
}

/// The namespace that the base for kustomize is for.
fn namespace_of_the_base(kube: &Kube) {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "postgres-operator" },
    });
    kube.try_apply(&namespace).expect("a namespace");
}

/// Everything that can be switched on.
fn everything() -> Value {
    json!({
        "image": { "repository": "registry.example.com/operator", "digest": format!("sha256:{}", "0".repeat(64)) },
        "imagePullSecrets": [{ "name": "registry" }],
        "replicas": 3, "fullnameOverride": "elephants", "controllerId": "blue", "jsonLogging": true,
        "serviceAccount": { "name": "herd", "annotations": { "example.com/a": "b" } },
        "podAnnotations": { "example.com/a": "b" }, "podLabels": { "team": "acid" },
        "nodeSelector": { "pool": "system" }, "tolerations": [{ "key": "a", "operator": "Exists" }],
        "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{ "matchExpressions": [{ "key": "a", "operator": "Exists" }] }],
        } } },
        "priorityClassName": "system-cluster-critical",
        "extraEnv": [{ "name": "SCALYR_API_KEY", "valueFrom": { "secretKeyRef": { "name": "a", "key": "b" } } }],
        "service": { "annotations": { "prometheus.io/scrape": "true" } },
        "networkPolicies": {
            "create": true, "dns": { "ports": [53, 5353] }, "metricsFrom": [{ "namespaceSelector": { "matchLabels": { "a": "b" } } }],
            "apiServer": { "ports": [443], "cidrs": ["10.0.0.1/32", "fd00::/8"] },
            "teamsApi": { "ports": [80, 443], "to": [{ "ipBlock": { "cidr": "10.0.0.0/8" } }] },
            "databases": { "namespaces": ["default"], "clients": [{ "podSelector": {} }],
                           "extraIngress": [{ "ports": [{ "port": 9187 }] }] },
        },
        "configuration": {
            "kubernetes": { "cluster_labels": { "application": "spilo", "herd": "blue" },
                            "pod_service_account_name": "postgres-elephant" },
            "logging_rest_api": { "api_port": 9090 },
        },
    })
}

#[test]
fn what_the_chart_and_the_base_render_is_taken_by_the_api_server() {
    let platform = Platform::new();
    namespace_of_the_base(&platform.kube);
    let talk = artifacts::source().join("packaging/helm/talk.yaml");
    let talk = ["--values", &talk.display().to_string()].map(str::to_owned).to_vec();
    let workdir = Workdir::new();
    let values = |name: &str, values: &Value| {
        let file = workdir.file(name, values.to_string());
        vec!["--values".to_owned(), file.display().to_string()]
    };
    let one = json!({ "replicas": 1, "configurationForm": "OperatorConfiguration",
                      "networkPolicies": { "create": true },
                      "configuration": { "kubernetes": { "watched_namespace": "default" } } });
    let mut everything_else = everything();
    everything_else["configurationForm"] = json!("OperatorConfiguration");
    let none = json!({ "serviceAccount": { "create": false }, "rbac": { "create": false },
                       "podRole": { "create": false }, "service": { "create": false } });
    let namespace = &platform.namespace;
    for (arguments, wanted) in [
        (Vec::new(), 12),
        (talk, 12),
        (values("everything.json", &everything()), 14),
        (values("everything-else.json", &everything_else), 14),
        (values("one.json", &one), 13),
        (values("none.json", &none), 3),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let text = helm_template(namespace, namespace, &arguments).unwrap();
        let told = apply(&text, &["--dry-run=server"])
            .unwrap_or_else(|why| panic!("{arguments:?}: {why}"));
        let taken = told.lines().filter(|line| line.ends_with("(server dry run)")).count();
        assert_eq!((taken, objects(&text).len()), (wanted, wanted), "{arguments:?}: {told}");
    }
    let base = kustomize_build(&kustomization()).unwrap();
    apply(&base, &["--dry-run=server"]).unwrap();
    // The API server would say so.
    let wrong = base.replace("readOnlyRootFilesystem", "readOnlyRootfs");
    let error = apply(&wrong, &["--dry-run=server"]).unwrap_err();
    assert!(error.contains("readOnlyRootfs"), "{error}");
}

#[test]
fn samples_are_taken_by_the_api_server() {
    let platform = Platform::new();
    let folder = artifacts::source().join("operator/examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let told = apply(&text, &["--dry-run=server", "--namespace", &platform.namespace]);
        told.unwrap_or_else(|why| panic!("{}: {why}", entry.path().display()));
        seen += 1;
    }
    assert!(seen > 4, "{seen}");
}

const RELEASE: &str = "postgres-operator";

/// A release of the chart, applied for real, and the operator with the account that it made.
struct Release {
    platform: Platform,
    objects: Vec<Value>,
}

impl Release {
    /// In a namespace for which the strictest of the standards for pods counts.
    fn new(values: impl FnOnce(&str, u16) -> Value) -> Self {
        let plane = ControlPlane::shared();
        let kube = Kube::admin(plane);
        let namespace = kube.namespace();
        let labels = json!({ "metadata": { "labels": {
            "pod-security.kubernetes.io/enforce": "restricted",
        } } });
        kube.patch_merge("Namespace", "", &namespace, &labels);
        let mut platform = Platform::bare(plane, &namespace);
        let workdir = Workdir::new();
        let values = values(&namespace, platform.port()).to_string();
        let values = workdir.file("values.json", values).display().to_string();
        // All have the same name, and do not meet.
        let text = helm_template(RELEASE, &namespace, &["--values", &values]).unwrap();
        apply(&text, &[]).unwrap();
        let objects = objects(&text);
        platform.acts_as(plane, RELEASE);
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["args"], json!(["run"]));
        platform.set("CONFIG_MAP_NAME", "");
        for variable in container["env"].as_array().unwrap() {
            if let Some(value) = variable["value"].as_str() {
                platform.set(variable["name"].as_str().unwrap(), value);
            }
        }
        Self { platform, objects }
    }

    /// Nothing that the operator asked for was forbidden.
    fn nothing_was_forbidden(&self) {
        let requests = self.platform.requests(ControlPlane::shared());
        assert!(requests.len() > 20, "{}", requests.len());
        let forbidden: Vec<_> = requests.iter().filter(|one| one.status == Some(403)).collect();
        assert!(forbidden.is_empty(), "{forbidden:#?}");
    }

    /// One of its objects.
    fn object(&self, kind: &str, name: &str) -> &Value {
        let found =
            self.objects.iter().find(|own| own["kind"] == kind && own["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("no {kind} {name}"))
    }
}

/// Verbs by group, resource and name, as the API server has them for somebody in a namespace: those
/// that not everybody has.
fn may(somebody: &Kube, namespace: &str) -> BTreeMap<String, BTreeSet<String>> {
    let review = somebody.create(&json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
        "metadata": { "name": "" }, "spec": { "namespace": namespace },
    }));
    assert_eq!(review["status"]["incomplete"], false, "{review}");
    let mut all = by_resource(review["status"]["resourceRules"].as_array().unwrap());
    all.retain(|resource, _| !resource.contains("selfsubject"));
    all
}

/// The same as roles have it.
fn rules(roles: &[&Value]) -> BTreeMap<String, BTreeSet<String>> {
    let all = roles.iter().flat_map(|role| role["rules"].as_array().unwrap());
    by_resource(&all.cloned().collect::<Vec<_>>())
}

fn by_resource(rules: &[Value]) -> BTreeMap<String, BTreeSet<String>> {
    let texts = |value: &Value| -> Vec<String> {
        serde_json::from_value(value.clone()).unwrap_or_else(|_| vec![String::new()])
    };
    let mut all: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for rule in rules {
        for group in texts(&rule["apiGroups"]) {
            for resource in texts(&rule["resources"]) {
                for name in texts(&rule["resourceNames"]) {
                    let verbs = all.entry(format!("{group}/{resource}/{name}")).or_default();
                    verbs.extend(texts(&rule["verbs"]));
                }
            }
        }
    }
    all
}

fn values(namespace: &str, port: u16, watched: &str) -> Value {
    json!({ "configuration": {
        "workers": 2,
        "kubernetes": { "watched_namespace": watched, "pod_service_account_name": format!("pods-{namespace}") },
        "logging_rest_api": { "api_port": port },
    } })
}

#[test]
fn an_applied_chart_is_enough_for_an_operator_of_one_namespace_and_no_more() {
    let kube = Kube::admin(ControlPlane::shared());
    let (databases, other) = (kube.namespace(), kube.namespace());
    let release = Release::new(|namespace, port| {
        let mut values = values(namespace, port, &databases);
        let kubernetes = &mut values["configuration"]["kubernetes"];
        kubernetes["infrastructure_roles_secret_name"] = json!("robots");
        kubernetes["oauth_token_secret_name"] = json!("token");
        values
    });
    let platform = &release.platform;
    // As strict as it is, the API server lets its pods in.
    eventually("the Deployment has its pods", || {
        let sets = kube.list("ReplicaSet", &platform.namespace, "");
        let made = sets.first().map(|set| set["status"]["replicas"].clone()).unwrap_or_default();
        if made == 2 { Ok(()) } else { Err(sets) }
    });
    let operator = platform.start();
    for namespace in [&databases, &other] {
        let mut manifest = platform.manifest(CLUSTER, &json!({ "users": { "app": [] } }));
        manifest["metadata"]["namespace"] = json!(namespace);
        kube.try_apply(&manifest).expect("a manifest");
    }
    let pods = format!("pods-{}", platform.namespace);
    for (kind, name) in [
        ("StatefulSet", CLUSTER),
        ("ServiceAccount", pods.as_str()),
        ("RoleBinding", pods.as_str()),
    ] {
        eventually(&format!("{kind} {name}"), || kube.get(kind, &databases, name).ok_or(()));
    }
    eventually("it is ready", || match operator.ask("/readyz") {
        Ok((200, _)) => Ok(()),
        other => Err(other),
    });
    assert_eq!(operator.ask("/healthz").unwrap().0, 200);
    operator.wait_until_idle();
    // A configuration that is no good is told of beside it.
    let broken = json!({ "data": { "workers": "none" } });
    kube.patch_merge("ConfigMap", &platform.namespace, RELEASE, &broken);
    eventually("it is told", || match kube.events("ConfigMap", &platform.namespace, RELEASE) {
        events if events.is_empty() => Err(operator.log()),
        _ => Ok(()),
    });
    assert_eq!(operator.stop().code, Some(0));
    release.nothing_was_forbidden();
    assert_eq!(kube.names("StatefulSet", &other, ""), [""; 0]);
    // Where it runs it used all that it may do there, and may do nothing else.
    let own = Kube::with_token(ControlPlane::shared(), platform.token());
    let (role, everywhere) = (
        release.object("Role", RELEASE),
        release.object("ClusterRole", &format!("{}:{RELEASE}:cluster", platform.namespace)),
    );
    let mut requests = platform.requests(ControlPlane::shared());
    requests.retain(|one| one.namespace == platform.namespace);
    let mut used = permissions::needed(&requests);
    // The token for the Teams API is read where there are people, as in operator_permissions.
    used.insert(("secrets".to_owned(), "get".to_owned()));
    assert_eq!(used, permissions::granted(role));
    assert_eq!(may(&own, &platform.namespace), rules(&[role, everywhere]));
    for namespace in [&other, "kube-system"] {
        assert_eq!(may(&own, namespace), rules(&[everywhere]), "{namespace}");
    }
    // It may hand out the one role that its pods have.
    let binding = |role: &str| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": { "name": format!("to-{role}"), "namespace": databases },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
            "subjects": [{ "kind": "ServiceAccount", "name": "default", "namespace": databases }],
        })
    };
    assert_eq!(own.try_create(&binding("cluster-admin")).unwrap_err().code, 403);
    own.try_create(&binding(&pods)).expect("the role of the pods");
}

#[test]
fn an_applied_chart_is_enough_for_an_operator_of_all_namespaces() {
    let kube = Kube::admin(ControlPlane::shared());
    let databases = kube.namespace();
    let release = Release::new(|namespace, port| {
        let mut values = values(namespace, port, "*");
        // Others use this API server, too.
        values["controllerId"] = json!(namespace);
        values["configurationForm"] = json!("OperatorConfiguration");
        values["configuration"]["kubernetes_use_configmaps"] = json!(true);
        values["configuration"]["kubernetes"]["enable_owner_references"] = json!(true);
        values["configuration"]["kubernetes"]["pod_environment_configmap"] =
            json!(format!("{databases}/environment"));
        values
    });
    let platform = &release.platform;
    release.object("OperatorConfiguration", RELEASE);
    kube.create(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": { "AWS_REGION": "eu-central-1" },
        "metadata": { "name": "environment", "namespace": databases },
    }));
    let operator = platform.start();
    let mut manifest = platform.manifest(CLUSTER, &json!({}));
    manifest["metadata"]["namespace"] = json!(databases);
    manifest["metadata"]["annotations"] = json!({ "acid.zalan.do/controller": platform.namespace });
    kube.try_apply(&manifest).expect("a manifest");
    eventually("the cluster is made", || kube.get("StatefulSet", &databases, CLUSTER).ok_or(()));
    // As Patroni makes it, which does not run here.
    let kept = format!("{CLUSTER}-config");
    kube.create(&json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": kept, "namespace": databases, "labels": {
            "application": "spilo", "cluster-name": CLUSTER,
        } },
    }));
    let touch = json!({ "spec": { "users": { "app": [] } } });
    kube.patch_merge("postgresql", &databases, CLUSTER, &touch);
    eventually("what Patroni keeps is the cluster's", || {
        let found = kube.get("ConfigMap", &databases, &kept).unwrap_or_default();
        let owner = found["metadata"]["ownerReferences"][0]["name"].clone();
        if owner == CLUSTER { Ok(()) } else { Err(found) }
    });
    kube.delete("postgresql", &databases, CLUSTER);
    eventually("what Patroni keeps goes", || match kube.get("ConfigMap", &databases, &kept) {
        None => Ok(()),
        Some(left) => Err(left),
    });
    eventually("and goes", || match kube.get("StatefulSet", &databases, CLUSTER) {
        None => Ok(()),
        Some(left) => Err(left),
    });
    operator.wait_until_idle();
    assert_eq!(operator.stop().code, Some(0));
    release.nothing_was_forbidden();
    platform.has_used(
        ControlPlane::shared(),
        &[
            ("configmaps", "get"),
            ("configmaps", "patch"),
            ("operatorconfigurations", "get"),
            ("operatorconfigurations", "list"),
            ("operatorconfigurations", "watch"),
        ],
    );
}
