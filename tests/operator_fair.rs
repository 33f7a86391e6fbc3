//! One noisy cluster does not hold up the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use harness::eventually::pause;
use harness::{ApiProxy, ControlPlane, Fault, Kube, Platform, eventually};
use kube::api::{GetParams, PostParams};
use kube::core::Request;
use serde_json::{Value, json};

const NOISY: &str = "acid-noisy";
const QUIET: usize = 12;

fn zone(platform: &Platform, cluster: &str) -> Value {
    let service = platform.get("Service", cluster).unwrap_or_default();
    service["metadata"]["annotations"]["example.com/zone"].clone()
}

/// Somebody who changes the manifest all the time; how often it was changed in the end.
fn change_all_the_time(namespace: &str, ended: &Arc<AtomicBool>) -> std::thread::JoinHandle<u32> {
    let (kube, namespace) = (Kube::admin(ControlPlane::shared()), namespace.to_owned());
    let ended = Arc::clone(ended);
    std::thread::spawn(move || {
        let mut number = 0;
        while !ended.load(Ordering::Relaxed) {
            number += 1;
            let zone = json!({ "example.com/zone": number.to_string() });
            let patch = json!({ "spec": { "serviceAnnotations": zone } });
            kube.patch_merge("postgresql", &namespace, NOISY, &patch);
            pause(Duration::from_millis(20));
        }
        number
    })
}

#[test]
fn a_cluster_that_changes_all_the_time_and_whose_requests_hang_holds_up_no_other() {
    let plane = ControlPlane::shared();
    let proxy = ApiProxy::start(plane);
    let mut platform = Platform::on(plane, &Kube::admin(plane).namespace());
    platform.reach_through(plane, &proxy);
    platform.configure(&[("workers", "2")]);
    let _operator = platform.start();
    platform.apply(NOISY, &json!({ "serviceAnnotations": { "example.com/zone": "0" } }));
    eventually("it is there", || match zone(&platform, NOISY) {
        zone if zone == "0" => Ok(()),
        other => Err(other),
    });
    // Each of its requests takes as long as any may.
    proxy.plan(|request| {
        let is_its_own = request.path().contains(NOISY) && !request.path().contains("/events");
        is_its_own.then_some(Fault::BlackHole)
    });
    let ended = Arc::new(AtomicBool::new(false));
    let noise = change_all_the_time(&platform.namespace, &ended);
    let quiet: Vec<String> = (0..QUIET).map(|number| format!("acid-quiet-{number}")).collect();
    for cluster in &quiet {
        platform.apply(cluster, &json!({ "serviceAnnotations": { "example.com/zone": "a" } }));
    }
    eventually("all others are made", || {
        let is_made = |cluster: &&String| {
            zone(&platform, cluster) == "a" && platform.get("StatefulSet", cluster).is_some()
        };
        let missing: Vec<_> = quiet.iter().filter(|cluster| !is_made(cluster)).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?}")) }
    });
    assert_eq!(zone(&platform, NOISY), "0", "its requests hang");
    ended.store(true, Ordering::Relaxed);
    let last = noise.join().expect("it ends").to_string();
    proxy.behave();
    eventually("and it arrives as soon as it can", || match zone(&platform, NOISY) {
        zone if zone == *last => Ok(()),
        other => Err(other),
    });
}

const DEEP: &str = "acid-deep";

/// Too deep for most readers of JSON, ours among them; the API server has no such limit.
fn apply_what_nests_without_end(platform: &Platform) {
    let deep = (0..500).fold(json!(1), |inner, _| json!({ "x": inner }));
    let spec = json!({ "postgresql": { "version": "17", "parameters": { "deep": deep } } });
    let body = platform.manifest(DEEP, &spec).to_string().into_bytes();
    let (client, path) = (platform.kube.client(), path(platform));
    let create = Request::new(path).create(&PostParams::default(), body).expect("a request");
    let made =
        ControlPlane::shared().network().run(async move { client.request_text(create).await });
    let kept = made.expect("it is accepted").matches(r#"{"x":"#).count();
    assert!(kept >= 500, "only {kept} levels were kept");
}

fn path(platform: &Platform) -> String {
    format!("/apis/acid.zalan.do/v1/namespaces/{}/postgresqls", platform.namespace)
}

fn text_of_deep(platform: &Platform) -> String {
    let client = platform.kube.client();
    let get = Request::new(path(platform)).get(DEEP, &GetParams::default()).expect("a request");
    let text = ControlPlane::shared().network().run(async move { client.request_text(get).await });
    text.expect("it is there")
}

#[test]
fn a_manifest_that_nests_without_end_keeps_the_operator_from_no_other() {
    let platform = Platform::new();
    let operator = platform.start();
    apply_what_nests_without_end(&platform);
    platform.apply("acid-second", &json!({}));
    platform.wait_for("StatefulSet", "acid-second");
    eventually("whoever wrote it is told", || {
        let text = text_of_deep(&platform);
        if text.contains("it is nested too deep: 127 levels at most") { Ok(()) } else { Err(text) }
    });
    // Nor where it is in the first list.
    drop(operator);
    let _operator = platform.start();
    platform.apply("acid-third", &json!({}));
    platform.wait_for("StatefulSet", "acid-third");
}
