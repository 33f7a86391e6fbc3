//! How a cluster ends, and how an operator begins, hands over and ends.

use std::time::{Duration, Instant};

use harness::manifest_tools::{self, said};
use harness::workdir::Workdir;
use harness::{ControlPlane, Platform, artifacts, eventually};
use serde_json::{Value, json};

const CLUSTER: &str = "acid-orders";

/// What is left of a cluster, by kind and name.
fn left(platform: &Platform) -> Vec<String> {
    let selector = format!("cluster-name={CLUSTER}");
    let mut all = Vec::new();
    for kind in ["StatefulSet", "Service", "Secret", "PodDisruptionBudget", "Endpoints", "Pod"] {
        let names = platform.kube.names(kind, &platform.namespace, &selector);
        all.extend(names.into_iter().map(|name| format!("{kind} {name}")));
    }
    all
}

fn make(platform: &Platform) {
    platform.apply(CLUSTER, &json!({ "numberOfInstances": 0, "users": { "app": [] } }));
    platform.wait_for_condition(CLUSTER, "ResourcesReady", ("True", "Ready"));
    platform.wait_for("StatefulSet", CLUSTER);
}

fn delete(platform: &Platform) {
    platform.kube.delete("postgresql", &platform.namespace, CLUSTER);
}

fn is_gone(platform: &Platform) {
    let start = Instant::now();
    eventually("nothing is left", || {
        let left = left(platform);
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[test]
fn a_cluster_whose_manifest_is_deleted_goes_and_its_name_can_be_used_again() {
    let platform = Platform::new();
    let _operator = platform.start();
    make(&platform);
    delete(&platform);
    is_gone(&platform);
    make(&platform);
}

#[test]
fn with_a_finalizer_the_manifest_goes_last() {
    let platform = Platform::new();
    platform.configure(&[("enable_finalizers", "true")]);
    let _operator = platform.start();
    make(&platform);
    let finalizers = &platform.wait_for("postgresql", CLUSTER)["metadata"]["finalizers"];
    assert_eq!(*finalizers, json!(["postgres-operator.acid.zalan.do"]));
    delete(&platform);
    is_gone(&platform);
    eventually("the manifest is gone", || match platform.get("postgresql", CLUSTER) {
        None => Ok(()),
        Some(manifest) => Err(manifest["metadata"].clone()),
    });
}

#[test]
fn a_deletion_that_was_not_meant_is_refused_and_the_next_manifest_takes_over() {
    let platform = Platform::new();
    platform.configure(&[("delete_annotation_name_key", "delete-clustername")]);
    let operator = platform.start();
    make(&platform);
    let set = platform.wait_for("StatefulSet", CLUSTER);
    delete(&platform);
    eventually("it is refused", || {
        let log = operator.log();
        if log.contains("the deletion is refused") { Ok(()) } else { Err(log) }
    });
    operator.wait_until_idle();
    assert!(!left(&platform).is_empty());
    make(&platform);
    let now = platform.wait_for("StatefulSet", CLUSTER);
    assert_eq!(now["metadata"]["uid"], set["metadata"]["uid"], "it was adopted");
    let meant = json!({ "metadata": { "annotations": { "delete-clustername": CLUSTER } } });
    platform.kube.patch_merge("postgresql", &platform.namespace, CLUSTER, &meant);
    delete(&platform);
    is_gone(&platform);
}

#[test]
fn objects_without_a_manifest_are_told_of_and_never_deleted() {
    let platform = Platform::new();
    let operator = platform.start();
    make(&platform);
    operator.stop();
    delete(&platform);
    let before = left(&platform);
    let operator = platform.start();
    eventually("a metric and a warning tell", || {
        let (_, metrics) = operator.ask("/metrics")?;
        let told = metrics.lines().any(|line| {
            line.starts_with("postgres_operator_orphaned_objects") && !line.ends_with(" 0")
        });
        let warned = operator.log().contains("there are objects of this cluster and no manifest");
        if told && warned { Ok(()) } else { Err(metrics) }
    });
    operator.wait_until_idle();
    assert_eq!(left(&platform), before);
}

#[test]
fn a_deletion_that_was_cut_off_is_finished_by_the_next_operator() {
    let platform = Platform::new();
    let operator = platform.start();
    // Pods that nobody stops keep the deletion from its end.
    platform.apply(CLUSTER, &json!({ "numberOfInstances": 1 }));
    platform.wait_for("Pod", &format!("{CLUSTER}-0"));
    let hold = json!({ "metadata": { "finalizers": ["example.com/hold"] } });
    let pod = format!("{CLUSTER}-0");
    platform.kube.patch_merge("Pod", &platform.namespace, &pod, &hold);
    delete(&platform);
    eventually("it has begun", || match platform.get("StatefulSet", CLUSTER) {
        None => Ok(()),
        Some(_) => Err("the StatefulSet is there"),
    });
    operator.kill();
    let _operator = platform.start();
    let go = json!({ "metadata": { "finalizers": [] } });
    platform.kube.patch_merge("Pod", &platform.namespace, &pod, &go);
    eventually("nothing is left", || {
        let left = left(&platform);
        if left.is_empty() { Ok(()) } else { Err(left) }
    });
}

fn holder(platform: &Platform) -> Value {
    let lease = platform.get("Lease", "postgres-operator").unwrap_or_default();
    lease["spec"]["holderIdentity"].clone()
}

#[test]
fn a_successor_starts_at_once_when_the_leader_is_stopped() {
    let platform = Platform::new();
    let first = platform.start();
    eventually("somebody leads", || if holder(&platform).is_string() { Ok(()) } else { Err(()) });
    let leader = holder(&platform);
    let second = platform.start_another();
    make(&platform);
    assert_eq!(holder(&platform), leader);
    let start = Instant::now();
    let ended = first.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    eventually("the other leads", || {
        let now = holder(&platform);
        if now.is_string() && now != leader { Ok(()) } else { Err(now) }
    });
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    platform.apply(CLUSTER, &json!({ "numberOfInstances": 0, "users": { "late": [] } }));
    let late = format!("late.{CLUSTER}.credentials.postgresql.acid.zalan.do");
    platform.wait_for("Secret", &late);
    drop(second);
}

#[test]
fn a_port_that_is_taken_ends_the_operator_in_one_line() {
    let platform = Platform::new();
    let _first = platform.start();
    let second = platform.launch(|program| platform.network().command(program));
    let ended = second.running.wait();
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    let errors: Vec<&str> =
        ended.stderr.lines().filter(|line| line.starts_with("operator: ")).collect();
    assert_eq!(errors.len(), 1, "{}", ended.stderr);
    assert!(errors[0].contains("api_port"), "{}", errors[0]);
}

#[test]
fn a_configuration_that_cannot_be_used_ends_it_with_every_mistake() {
    let platform = Platform::new();
    platform.configure(&[("workers", "none"), ("resync_period", "soon")]);
    let ended = platform.launch(|program| platform.network().command(program)).running.wait();
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("workers") && ended.stderr.contains("resync_period"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_broken_configuration_is_refused_later_and_the_old_one_stays() {
    let platform = Platform::new();
    let operator = platform.start();
    make(&platform);
    platform.configure(&[("pdb_name_format", "")]);
    eventually("it is refused", || {
        let log = operator.log();
        if log.contains("the configuration in use stays") { Ok(()) } else { Err(log) }
    });
    platform.configure(&[("custom_service_annotations", "example.com/zone:a")]);
    eventually("the next one arrives", || {
        let service = platform.get("Service", CLUSTER).unwrap_or_default();
        let annotations = service["metadata"]["annotations"].clone();
        if annotations["example.com/zone"] == "a" { Ok(()) } else { Err(annotations) }
    });
}

#[test]
fn crds_prints_nothing_but_yaml_that_the_api_server_takes() {
    let output = std::process::Command::new(artifacts::operator()).arg("crds").output();
    let output = output.expect("it runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let platform = Platform::new();
    assert_eq!(platform.kube.apply_yaml(&text).len(), 3);
}

#[test]
fn the_api_tells_what_tools_ask_for_and_no_password() {
    let platform = Platform::new();
    let operator = platform.start();
    make(&platform);
    operator.wait_until_idle();
    assert_eq!(operator.json("/workers/all/status/")["0"], "idle");
    assert_eq!(operator.json("/clusters/acid/"), json!([CLUSTER]));
    let path = format!("/clusters/{}/{CLUSTER}/", platform.namespace);
    assert_eq!(operator.json(&path)["Team"], "acid");
    let mut said = operator.log();
    for path in ["/status/", "/config/", "/clusters/", "/databases/", "/metrics", path.as_str()] {
        let (code, body) = operator.ask(path).expect("an answer");
        assert_eq!(code, 200, "{path}: {body}");
        said.push_str(&body);
    }
    said.push_str(&platform.status(CLUSTER).to_string());
    said.push_str(&platform.events(CLUSTER).join("\n"));
    use base64::Engine;
    for secret in platform.kube.list("Secret", &platform.namespace, "application=spilo") {
        let encoded = secret["data"]["password"].as_str().expect("a password").to_owned();
        let plain = base64::engine::general_purpose::STANDARD.decode(&encoded).expect("base64");
        let plain = String::from_utf8(plain).expect("UTF-8");
        assert!(!said.contains(&plain) && !said.contains(&encoded), "a password is told");
    }
}

#[test]
fn with_its_defaults_the_operator_makes_its_kinds_by_its_own_rights() {
    let plane = ControlPlane::start();
    let kube = harness::Kube::admin(&plane);
    let platform = Platform::on(&plane, &kube.namespace());
    let names = ["postgresqls", "operatorconfigurations", "postgresteams"];
    for name in names {
        let name = format!("{name}.acid.zalan.do");
        platform.kube.delete("CustomResourceDefinition", "", &name);
        eventually("it is gone", || {
            match platform.kube.get("CustomResourceDefinition", "", &name) {
                None => Ok(()),
                Some(_) => Err("it is there"),
            }
        });
    }
    platform.configure(&[("enable_crd_registration", "true"), ("ready_wait_interval", "200ms")]);
    let _operator = platform.start();
    for name in names {
        let name = format!("{name}.acid.zalan.do");
        eventually("it is served", || {
            let live = platform.kube.get("CustomResourceDefinition", "", &name);
            let conditions = live.unwrap_or_default()["status"]["conditions"].clone();
            let is_served = conditions.as_array().is_some_and(|all| {
                all.iter().any(|one| one["type"] == "Established" && one["status"] == "True")
            });
            if is_served { Ok(()) } else { Err(conditions) }
        });
    }
    make(&platform);
    platform.has_used(
        &plane,
        &[
            ("customresourcedefinitions", "create"),
            ("customresourcedefinitions", "get"),
            ("customresourcedefinitions", "patch"),
        ],
    );
    a_next_version_is_applied_over_what_the_operator_has_written(&plane);
}

/// As packaging/README.md says.
fn a_next_version_is_applied_over_what_the_operator_has_written(plane: &ControlPlane) {
    let file = manifest_tools::kustomization().join("crds.yaml");
    let text = std::fs::read_to_string(file).expect("the CRDs");
    let next = text.replace("description: A PostgreSQL cluster.", "description: A cluster.");
    assert_ne!(next, text);
    let workdir = Workdir::new();
    let next = workdir.file("crds.yaml", next).display().to_string();
    let apply = ["apply", "--server-side", "--filename", &next];
    let apply = |more: &[&str]| {
        let arguments = [&apply, more].concat();
        let kubeconfig = plane.kubeconfig_file();
        said(&mut manifest_tools::kubectl(plane.network(), &kubeconfig, &arguments))
    };
    let error = apply(&[]).unwrap_err();
    assert!(error.contains("conflict") && error.contains("operator"), "{error}");
    let told = apply(&["--force-conflicts"]).unwrap();
    assert_eq!(told.matches("serverside-applied").count(), 3, "{told}");
}

#[test]
fn a_deletion_takes_its_secrets_in_other_namespaces_and_nothing_of_a_namesake() {
    let platform = Platform::new();
    platform.may_work_everywhere();
    platform.configure(&[("enable_cross_namespace_secret", "true")]);
    let other = platform.kube.namespace();
    let namesake = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": name, "namespace": other,
                "labels": { "application": "spilo", "cluster-name": CLUSTER } },
            "stringData": { "username": "x", "password": "y" },
        })
    };
    platform.kube.create(&namesake("namesake"));
    let operator = platform.start();
    let spec = json!({ "numberOfInstances": 0, "users": { format!("{other}.app"): [] } });
    platform.apply(CLUSTER, &spec);
    let name = format!("{other}.app.{CLUSTER}.credentials.postgresql.acid.zalan.do");
    let made = eventually("the Secret", || platform.kube.get("Secret", &other, &name).ok_or(()));
    let uid = platform.wait_for("postgresql", CLUSTER)["metadata"]["uid"].clone();
    let uid = uid.as_str().expect("a uid");
    let mark = format!("{}/{CLUSTER}/{uid}", platform.namespace);
    assert_eq!(made["metadata"]["annotations"]["acid.zalan.do/secret-of"], mark);
    operator.wait_until_idle();
    delete(&platform);
    is_gone(&platform);
    assert!(platform.kube.get("Secret", &other, &name).is_none());
    assert!(platform.kube.get("Secret", &other, "namesake").is_some());
}

#[test]
fn a_manifest_that_somebody_else_keeps_leaves_the_api_server_alone() {
    let platform = Platform::new();
    let operator = platform.start();
    make(&platform);
    let hold = json!({ "metadata": { "finalizers": ["example.com/hold"] } });
    platform.kube.patch_merge("postgresql", &platform.namespace, CLUSTER, &hold);
    operator.wait_until_idle();
    delete(&platform);
    is_gone(&platform);
    operator.wait_until_idle();
    let mark = ControlPlane::shared().mark();
    operator.wait_until_idle();
    let user = platform.user();
    let asked =
        ControlPlane::shared().requests_since(mark).into_iter().filter(|one| one.user == user);
    let asked: Vec<_> = asked.filter(|one| one.resource != "leases").collect();
    assert!(asked.is_empty(), "{asked:?}");
    let go = json!({ "metadata": { "finalizers": [] } });
    platform.kube.patch_merge("postgresql", &platform.namespace, CLUSTER, &go);
    eventually("the manifest is gone", || match platform.get("postgresql", CLUSTER) {
        None => Ok(()),
        Some(manifest) => Err(manifest["metadata"].clone()),
    });
    make(&platform);
}
