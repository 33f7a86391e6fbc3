//! The chart and the base for kustomize, on a real API server: they are taken, the operator runs with
//! what they give it, and they give it nothing that it does not need.

use std::collections::BTreeSet;

use harness::cloud::{CLUSTER, minimal};
use harness::control_plane::ApiRequest;
use harness::manifest_tools::{
    helm_template, kubectl, kustomization, kustomize_build, objects, said,
};
use harness::workdir::Workdir;
use harness::{Cloud, ControlPlane, Kube, Platform, artifacts, eventually};
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
            "create": true, "metricsFrom": [{ "namespaceSelector": { "matchLabels": { "a": "b" } } }],
            "apiServer": { "ports": [443], "cidrs": ["10.0.0.1/32", "fd00::/8"] },
            "teamsApi": { "ports": [80, 443], "to": [{ "ipBlock": { "cidr": "10.0.0.0/8" } }] },
            "databases": { "namespaces": ["default"], "clients": [{ "podSelector": {} }] },
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

/// A release of the chart, applied for real, and the operator with the account that it made.
struct Release {
    platform: Platform,
    objects: Vec<Value>,
    mark: usize,
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
        let text = helm_template(&namespace, &namespace, &["--values", &values]).unwrap();
        apply(&text, &[]).unwrap();
        let objects = objects(&text);
        platform.acts_as(plane, &namespace);
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["args"], json!(["run"]));
        platform.set("CONFIG_MAP_NAME", "");
        for variable in container["env"].as_array().unwrap() {
            if let Some(value) = variable["value"].as_str() {
                platform.set(variable["name"].as_str().unwrap(), value);
            }
        }
        Self { platform, objects, mark: plane.mark() }
    }

    /// Nothing that the operator asked for was forbidden.
    fn nothing_was_forbidden(&self) {
        let requests = self.requests();
        assert!(requests.len() > 20, "{}", requests.len());
        let forbidden: Vec<_> = requests.iter().filter(|one| one.status == Some(403)).collect();
        assert!(forbidden.is_empty(), "{forbidden:#?}");
    }

    fn requests(&self) -> Vec<ApiRequest> {
        let mut all = ControlPlane::shared().requests_since(self.mark);
        all.retain(|request| request.user == self.platform.user());
        all
    }
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
        values["configurationForm"] = json!("OperatorConfiguration");
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
    assert_eq!(operator.stop().code, Some(0));
    release.nothing_was_forbidden();
    assert_eq!(kube.names("StatefulSet", &other, ""), [""; 0]);
    let own = Kube::with_token(ControlPlane::shared(), platform.token());
    for namespace in [&other, "kube-system"] {
        for kind in ["Secret", "ConfigMap", "Pod", "StatefulSet"] {
            let refusal = own.try_list(kind, namespace, &Default::default()).unwrap_err();
            assert_eq!(refusal.code, 403, "{kind}: {refusal}");
        }
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
        values["configuration"]["timeouts"] = json!({ "ready_wait_interval": "100ms" });
        values
    });
    let platform = &release.platform;
    assert!(release.objects.iter().any(|object| object["kind"] == "ConfigMap"));
    let operator = platform.start();
    let mut manifest = platform.manifest(CLUSTER, &json!({}));
    manifest["metadata"]["namespace"] = json!(databases);
    manifest["metadata"]["annotations"] = json!({ "acid.zalan.do/controller": platform.namespace });
    kube.try_apply(&manifest).expect("a manifest");
    eventually("the cluster is made", || kube.get("StatefulSet", &databases, CLUSTER).ok_or(()));
    kube.delete("postgresql", &databases, CLUSTER);
    eventually("and goes", || match kube.get("StatefulSet", &databases, CLUSTER) {
        None => Ok(()),
        Some(left) => Err(left),
    });
    operator.wait_until_idle();
    assert_eq!(operator.stop().code, Some(0));
    release.nothing_was_forbidden();
}

/// A verb on a resource, with its subresource.
type Permission = (String, String);

/// What the base for kustomize, and so the chart, lets the operator do.
fn granted() -> BTreeSet<Permission> {
    let text = std::fs::read_to_string(kustomization().join("rbac.yaml")).unwrap();
    let is_operators = |object: &&Value| {
        object["kind"].as_str().is_some_and(|kind| kind.ends_with("Role"))
            && object["metadata"]["name"] != "postgres-pod"
    };
    let mut all = BTreeSet::new();
    for role in objects(&text).iter().filter(is_operators) {
        for rule in role["rules"].as_array().unwrap() {
            for resource in rule["resources"].as_array().unwrap() {
                for verb in rule["verbs"].as_array().unwrap() {
                    let text = |value: &Value| value.as_str().unwrap().to_owned();
                    assert!(text(verb) != "*" && text(resource) != "*", "{rule}");
                    all.insert((text(resource), text(verb)));
                }
            }
        }
    }
    all
}

/// What a request needed. Server-side apply that makes an object needs two.
fn needed(request: &ApiRequest) -> Vec<Permission> {
    let of = |verb: &str| (request.resource.clone(), verb.to_owned());
    match request.verb.as_str() {
        "patch" if request.status == Some(201) => vec![of("patch"), of("create")],
        verb => vec![of(verb)],
    }
}

/// What is not seen in the life of one cluster: the test that does it, or why it has to be there.
const ELSEWHERE: [(&str, &str, &str); 0] = [];

#[test]
fn each_permission_is_used_in_the_life_of_a_cluster_or_by_another_test() {
    let plane = ControlPlane::shared();
    let mark = plane.mark();
    let mut world = Cloud::new(&[
        ("kubernetes_use_configmaps", "false"),
        ("enable_postgres_team_crd", "true"),
        ("enable_finalizers", "true"),
    ]);
    live(&world);
    let user = world.platform.user();
    assert_eq!(world.operator.take().expect("it runs").stop().code, Some(0));
    let requests = plane.requests_since(mark).into_iter().filter(|one| one.user == user);
    let requests: Vec<_> = requests.filter(|one| !one.resource.is_empty()).collect();
    let forbidden: Vec<_> = requests.iter().filter(|one| one.status == Some(403)).collect();
    assert!(forbidden.is_empty(), "{forbidden:#?}");
    let used: BTreeSet<Permission> = requests.iter().flat_map(needed).collect();
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
    platform.wait_for("Deployment", &pooler);
    platform.wait_for("CronJob", &backup);
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
    kube.delete("postgresql", namespace, CLUSTER);
    gone("postgresql", CLUSTER);
    gone("StatefulSet", CLUSTER);
}
