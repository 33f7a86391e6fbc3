//! Whatever becomes of requests, watches, the API server and its store: the operator lives, asks
//! no more than it has to, and what was wanted is there in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harness::eventually::pause;
use harness::{ApiProxy, ControlPlane, Fault, Operator, Platform, Request, eventually};
use serde_json::{Value, json};

const CLUSTER: &str = "acid-orders";

/// A platform whose operator goes through a proxy.
fn behind_a_proxy(plane: &ControlPlane, namespace: &str) -> (ApiProxy, Platform) {
    let proxy = ApiProxy::start(plane);
    let mut platform = Platform::on(plane, namespace);
    platform.reach_through(plane, &proxy);
    (proxy, platform)
}

fn shared() -> (ApiProxy, Platform) {
    let plane = ControlPlane::shared();
    behind_a_proxy(plane, &harness::Kube::admin(plane).namespace())
}

/// Of clusters: neither of the Lease nor of events.
fn is_of_clusters(request: &Request) -> bool {
    let path = request.path();
    !path.contains("/leases") && !path.contains("/events") && path.contains("/namespaces/")
}

fn is_write(request: &Request) -> bool {
    is_of_clusters(request) && request.method() != "GET"
}

fn is_watch(request: &Request) -> bool {
    request.query("watch").is_some()
}

/// What there is of a cluster in a given state.
fn wanted(instances: i64, zone: &str) -> Value {
    json!({
        "numberOfInstances": instances,
        "serviceAnnotations": { "example.com/zone": zone },
        "users": { format!("user_{zone}"): [] },
    })
}

fn secret(role: &str) -> String {
    format!("{role}.{CLUSTER}.credentials.postgresql.acid.zalan.do")
}

/// Waits until every object is as in [`wanted`], and the status says so.
#[track_caller]
fn arrives(platform: &Platform, instances: i64, zone: &str) {
    let value = |kind: &str, name: &str, pointer: &str| {
        let object = platform.get(kind, name).unwrap_or_default();
        object.pointer(pointer).cloned().unwrap_or_default()
    };
    let annotation = "/metadata/annotations/example.com~1zone";
    eventually(&format!("{instances} instances in zone {zone}"), || {
        let found = json!([
            value("StatefulSet", CLUSTER, "/spec/replicas"),
            value("Service", CLUSTER, annotation),
            value("Service", &format!("{CLUSTER}-repl"), annotation),
            value("Secret", &secret("postgres"), "/type"),
            value("Secret", &secret(&format!("user-{zone}")), "/type"),
            value("RoleBinding", "postgres-pod", "/roleRef/name"),
            value("PodDisruptionBudget", &format!("postgres-{CLUSTER}-pdb"), "/kind"),
            is_said_to_be_right(platform),
        ]);
        let right = json!([
            instances,
            zone,
            zone,
            "Opaque",
            "Opaque",
            "postgres-pod",
            "PodDisruptionBudget",
            true
        ]);
        if found == right { Ok(()) } else { Err(found) }
    });
}

/// Of the manifest as it is now, not of one before.
fn is_said_to_be_right(platform: &Platform) -> bool {
    let manifest = platform.get("postgresql", CLUSTER).unwrap_or_default();
    let status = &manifest["status"];
    let is_true = |kind: &str| {
        let all = status["conditions"].as_array().into_iter().flatten();
        all.clone().any(|own| own["type"] == kind && own["status"] == "True")
    };
    status["observedGeneration"] == manifest["metadata"]["generation"]
        && is_true("ResourcesReady")
        && is_true("SecretsReady")
}

/// The first of everything is hit when it is made, and again when it is changed.
fn is_survived(fault: Fault) {
    let (proxy, platform) = shared();
    let operator = platform.start();
    let hits = |method: &'static str| {
        proxy.fail_next(3, fault.clone(), move |request| {
            is_write(request) && request.method() == method
        });
    };
    hits("POST");
    platform.apply(CLUSTER, &wanted(1, "a"));
    arrives(&platform, 1, "a");
    let created = proxy.faults();
    assert_eq!(created, 3, "{fault:?}");
    hits("PATCH");
    platform.apply(CLUSTER, &wanted(2, "b"));
    arrives(&platform, 2, "b");
    assert_eq!(proxy.faults(), created + 3, "{fault:?}");
    operator.wait_until_idle();
    let requests = proxy.requests();
    let asked = requests.iter().filter(|request| is_of_clusters(request) && !is_watch(request));
    let (asked, most) = (asked.count(), 150);
    assert!(asked < most, "{fault:?}: {asked} requests for two changes, and not {most}");
    assert_eq!(operator.stop().code, Some(0));
}

#[test]
fn conflicts_are_survived() {
    is_survived(Fault::Status(409, "Conflict"));
}

#[test]
fn a_server_that_asks_for_a_pause_is_survived() {
    is_survived(Fault::TooManyRequests(1));
}

#[test]
fn failures_of_the_server_are_survived() {
    is_survived(Fault::Status(500, "InternalError"));
}

#[test]
fn requests_that_are_lost_are_survived() {
    is_survived(Fault::Lost);
}

#[test]
fn answers_that_are_lost_are_survived() {
    is_survived(Fault::AnswerLost);
}

#[test]
fn a_server_that_takes_no_write_is_asked_less_and_less() {
    let (proxy, platform) = shared();
    let operator = platform.start();
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    let name = format!("/services/{CLUSTER}");
    proxy.plan(move |request| {
        let is_one = request.path().ends_with(&name) && request.method() == "PATCH";
        counted.fetch_add(usize::from(is_one), Ordering::Relaxed);
        is_write(request).then_some(Fault::Status(500, "InternalError"))
    });
    let start = Instant::now();
    platform.apply(CLUSTER, &wanted(1, "a"));
    eventually("it has tried four times", || {
        let attempts = attempts.load(Ordering::Relaxed);
        if attempts >= 4 { Ok(()) } else { Err((attempts, operator.log())) }
    });
    // The pauses are of one, two and four seconds.
    assert!(start.elapsed() >= Duration::from_secs(6), "{:?}", start.elapsed());
    let faults = proxy.faults();
    assert!(faults < 80, "{faults} writes in {:?}", start.elapsed());
    proxy.behave();
    arrives(&platform, 1, "a");
}

#[test]
fn what_was_changed_while_watches_were_cut_arrives() {
    let (proxy, platform) = shared();
    let _operator = platform.start();
    platform.apply(CLUSTER, &wanted(1, "a"));
    arrives(&platform, 1, "a");
    proxy.plan(|request| is_watch(request).then_some(Fault::BlackHole));
    assert!(proxy.cut_watches() > 0);
    platform.apply(CLUSTER, &wanted(2, "b"));
    platform.kube.delete("Service", &platform.namespace, &format!("{CLUSTER}-repl"));
    proxy.behave();
    arrives(&platform, 2, "b");
}

/// A firewall that forgot a connection tells neither side.
#[test]
fn watches_that_fall_silent_are_noticed_before_long() {
    let (proxy, platform) = shared();
    let _operator = platform.start();
    platform.apply(CLUSTER, &wanted(1, "a"));
    arrives(&platform, 1, "a");
    assert!(proxy.silence_watches() > 0);
    platform.apply(CLUSTER, &wanted(2, "b"));
    platform.kube.delete("Service", &platform.namespace, &format!("{CLUSTER}-repl"));
    arrives(&platform, 2, "b");
}

#[test]
fn what_was_changed_while_watches_had_expired_arrives() {
    let (proxy, platform) = shared();
    let operator = platform.start();
    platform.apply(CLUSTER, &wanted(1, "a"));
    arrives(&platform, 1, "a");
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refused);
    // Each kind is told so once, and once more behind its new list.
    proxy.plan(move |request| {
        let is_hit = is_watch(request) && counted.fetch_add(1, Ordering::Relaxed) < 16;
        is_hit.then_some(Fault::Expired)
    });
    assert!(proxy.cut_watches() > 0);
    platform.apply(CLUSTER, &wanted(2, "b"));
    platform.kube.delete("Service", &platform.namespace, &format!("{CLUSTER}-repl"));
    arrives(&platform, 2, "b");
    assert!(proxy.faults() > 0);
    assert!(operator.log().contains("a watch ended, and begins anew"), "{}", operator.log());
}

#[test]
fn of_two_quick_changes_the_later_is_what_is_there() {
    let (proxy, platform) = shared();
    let operator = platform.start();
    platform.apply(CLUSTER, &wanted(1, "a"));
    arrives(&platform, 1, "a");
    // The second comes while the operator is busy with the first.
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    proxy.plan(move |request| {
        let is_hit = is_write(request);
        counted.fetch_add(usize::from(is_hit), Ordering::Relaxed);
        is_hit.then_some(Fault::Delay(Duration::from_millis(300)))
    });
    for (instances, zone) in [(2, "b"), (3, "c"), (2, "d")] {
        let before = seen.load(Ordering::Relaxed);
        platform.apply(CLUSTER, &wanted(instances, zone));
        eventually("it writes", || {
            let now = seen.load(Ordering::Relaxed);
            if now > before { Ok(()) } else { Err(now) }
        });
    }
    arrives(&platform, 2, "d");
    operator.wait_until_idle();
    arrives(&platform, 2, "d");
}

/// Alive, and says so, for this time.
#[track_caller]
fn stays_healthy(operator: &mut Operator, time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        assert!(operator.running.is_alive(), "{}", operator.log());
        let answer = operator.ask("/healthz");
        let code = answer.as_ref().map(|(code, _)| *code);
        assert_eq!(code, Ok(200), "{answer:?}");
        pause(Duration::from_millis(100));
    }
}

#[test]
fn an_api_server_that_is_killed_and_a_store_that_is_away_are_survived() {
    let plane = ControlPlane::start();
    let namespace = harness::Kube::admin(&plane).namespace();
    let (proxy, platform) = behind_a_proxy(&plane, &namespace);
    let mut operator = platform.start();
    platform.apply(CLUSTER, &wanted(1, "a"));
    arrives(&platform, 1, "a");

    // The server that comes back knows nothing of what was before: watches expire for real.
    proxy.plan(|request| is_watch(request).then_some(Fault::BlackHole));
    assert!(proxy.cut_watches() > 0);
    platform.apply(CLUSTER, &wanted(2, "b"));
    plane.kill_api_server();
    stays_healthy(&mut operator, Duration::from_secs(2));
    plane.start_api_server();
    proxy.behave();
    arrives(&platform, 2, "b");
    assert!(operator.log().contains("too old resource version"), "{}", operator.log());

    plane.stop_etcd();
    // As long as it takes to lose the Lease.
    stays_healthy(&mut operator, Duration::from_secs(11));
    plane.start_etcd();
    platform.apply(CLUSTER, &wanted(1, "c"));
    arrives(&platform, 1, "c");
    assert_eq!(operator.stop().code, Some(0));
}

#[test]
fn a_server_that_does_not_answer_keeps_nobody_who_is_asked_to_stop() {
    let (proxy, platform) = shared();
    let operator = platform.start();
    platform.apply(CLUSTER, &wanted(1, "a"));
    arrives(&platform, 1, "a");
    // Watches tell of the change; the work on it hangs, and so does the Lease.
    let held = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&held);
    proxy.plan(move |request| {
        counted.fetch_add(usize::from(is_of_clusters(request)), Ordering::Relaxed);
        (!is_watch(request)).then_some(Fault::BlackHole)
    });
    platform.apply(CLUSTER, &wanted(2, "b"));
    eventually("it is at work", || {
        let held = held.load(Ordering::Relaxed);
        if held > 0 { Ok(()) } else { Err(held) }
    });
    let asked = Instant::now();
    let ended = operator.stop();
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}\n{}", asked.elapsed(), ended.stdout);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn a_cluster_role_that_is_missing_delays_nothing_else_and_is_noticed_when_it_is_there() {
    let platform = Platform::new();
    let role = format!("pods-of-{}", platform.namespace);
    platform.configure(&[("pod_service_account_name", &role), ("repair_period", "2s")]);
    let _operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    let said = platform.wait_for_condition(CLUSTER, "ResourcesReady", ("False", "ApplyFailed"));
    assert!(said.contains(&role), "{said}");
    platform.wait_for("Service", CLUSTER);
    platform.wait_for("Service", &format!("{CLUSTER}-repl"));
    platform.wait_for("Secret", &secret("postgres"));
    platform.wait_for("StatefulSet", CLUSTER);
    platform.wait_for_condition(CLUSTER, "SecretsReady", ("True", "Ready"));
    assert_eq!(platform.get("RoleBinding", &role), None);
    let shipped = platform.kube.get("ClusterRole", "", "postgres-pod").expect("the example");
    platform.kube.create(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": { "name": role }, "rules": shipped["rules"],
    }));
    let kube = &platform.kube;
    // As the chart does where pods have another account.
    kube.create(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": { "name": role, "namespace": platform.namespace },
        "rules": [{
            "apiGroups": ["rbac.authorization.k8s.io"], "resources": ["clusterroles"],
            "resourceNames": [role], "verbs": ["bind"],
        }],
    }));
    kube.create(&json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": { "name": format!("{role}-may-be-bound"), "namespace": platform.namespace },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role },
        "subjects": [{
            "kind": "ServiceAccount", "name": "postgres-operator", "namespace": platform.namespace,
        }],
    }));
    platform.wait_for("RoleBinding", &role);
    platform.wait_for_condition(CLUSTER, "ResourcesReady", ("True", "Ready"));
}

#[test]
fn an_environment_that_is_missing_delays_the_pods_alone_and_is_noticed_when_it_is_there() {
    let platform = Platform::new();
    platform.configure(&[
        ("pod_environment_secret", "pod-environment"),
        ("resource_check_interval", "1s"),
    ]);
    let _operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    let wanted = ("False", "PodEnvironmentMissing");
    let said = platform.wait_for_condition(CLUSTER, "ResourcesReady", wanted);
    assert!(said.contains("pod-environment"), "{said}");
    platform.wait_for("Service", CLUSTER);
    platform.wait_for("Service", &format!("{CLUSTER}-repl"));
    platform.wait_for_condition(CLUSTER, "SecretsReady", ("True", "Ready"));
    assert_eq!(platform.get("StatefulSet", CLUSTER), None);
    platform.kube.create(&json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "pod-environment", "namespace": platform.namespace },
        "stringData": { "AWS_ENDPOINT": "https://s3.example.com" },
    }));
    let set = platform.wait_for("StatefulSet", CLUSTER);
    let container = set["spec"]["template"]["spec"]["containers"][0].to_string();
    assert!(container.contains("AWS_ENDPOINT"), "{container}");
    platform.wait_for_condition(CLUSTER, "ResourcesReady", ("True", "Ready"));
}

#[test]
fn a_namespace_that_is_missing_delays_one_secret_alone_and_is_noticed_when_it_is_there() {
    let platform = Platform::new();
    platform.may_work_everywhere();
    platform.configure(&[("enable_cross_namespace_secret", "true"), ("repair_period", "2s")]);
    let _operator = platform.start();
    let other = format!("{}-apps", platform.namespace);
    let user = format!("{other}.app");
    platform.apply(CLUSTER, &json!({ "users": { user.as_str(): [], "own": [] } }));
    let said = platform.wait_for_condition(CLUSTER, "SecretsReady", ("False", "SecretsFailed"));
    assert!(said.contains(&other), "{said}");
    platform.wait_for("Secret", &secret("own"));
    platform.wait_for("StatefulSet", CLUSTER);
    platform
        .kube
        .create(&json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": other } }));
    eventually("the Secret is there", || {
        platform.kube.get("Secret", &other, &secret(&user)).ok_or(())
    });
    platform.wait_for_condition(CLUSTER, "SecretsReady", ("True", "Ready"));
}

#[test]
fn a_manifest_that_is_gone_is_not_worked_on_again() {
    let (proxy, platform) = shared();
    platform.configure(&[("enable_finalizers", "true")]);
    let operator = platform.start();
    platform.apply(CLUSTER, &json!({ "numberOfInstances": 0 }));
    platform.wait_for_condition(CLUSTER, "ResourcesReady", ("True", "Ready"));
    operator.wait_until_idle();
    // The watch tells that the manifest is gone before its PATCH is answered.
    proxy.plan(|request| {
        let is_own = request.path().ends_with(&format!("/postgresqls/{CLUSTER}"));
        (is_own && request.method() == "PATCH")
            .then_some(Fault::AnswerLater(Duration::from_millis(500)))
    });
    platform.kube.delete("postgresql", &platform.namespace, CLUSTER);
    eventually("it is gone", || match platform.get("postgresql", CLUSTER) {
        None => Ok(()),
        Some(manifest) => Err(manifest),
    });
    operator.wait_until_idle();
}

#[test]
fn a_status_that_is_answered_late_does_not_bring_a_deleted_cluster_back() {
    let (proxy, platform) = shared();
    let operator = platform.start();
    platform.apply(CLUSTER, &json!({ "numberOfInstances": 0 }));
    platform.wait_for_condition(CLUSTER, "ResourcesReady", ("True", "Ready"));
    operator.wait_until_idle();
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    proxy.plan(move |request| {
        let is_status = request.path().ends_with(&format!("/postgresqls/{CLUSTER}/status"));
        counted.fetch_add(usize::from(is_status), Ordering::Relaxed);
        is_status.then_some(Fault::AnswerLater(Duration::from_secs(1)))
    });
    platform.apply(CLUSTER, &wanted(0, "a"));
    let is_observed = || {
        let manifest = platform.get("postgresql", CLUSTER).unwrap_or_default();
        manifest["status"]["observedGeneration"] == manifest["metadata"]["generation"]
    };
    eventually("the status is written, and its answer on its way", || {
        let asked = seen.load(Ordering::Relaxed);
        if asked > 0 && is_observed() { Ok(()) } else { Err(asked) }
    });
    platform.kube.delete("postgresql", &platform.namespace, CLUSTER);
    let left = || {
        let selector = format!("cluster-name={CLUSTER}");
        let kinds = ["StatefulSet", "Service", "Secret", "PodDisruptionBudget", "Endpoints"];
        let names = kinds.map(|kind| platform.kube.names(kind, &platform.namespace, &selector));
        names.concat()
    };
    eventually("nothing is left", || if left().is_empty() { Ok(()) } else { Err(left()) });
    operator.wait_until_idle();
    assert_eq!(left(), Vec::<String>::new());
    assert_eq!(operator.json("/status/")["Clusters"], 0);
}
