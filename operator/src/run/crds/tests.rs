use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kube::ResourceExt;
use serde_json::{Value, json};

use super::{Patience, make, needs, register, register_configuration, renew, wanted};
use crate::build::tests::config;
use crate::testing::{Asked, FakeApi, refusal};

const PATIENCE: Patience =
    Patience { interval: Duration::from_secs(4), timeout: Duration::from_secs(30) };

fn served(is: bool, name: &str) -> Value {
    let status = if is { "True" } else { "False" };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": name },
        "spec": { "group": "acid.zalan.do", "scope": "Namespaced", "versions": [],
            "names": { "kind": "x", "plural": "xs" } },
        "status": { "conditions": [{ "type": "Established", "status": status }] },
    })
}

fn name(asked: &Asked) -> &str {
    asked.path.rsplit('/').next().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_is_made_and_asked_for_by_name_until_it_is_served() {
    let looks = Arc::new(AtomicUsize::new(0));
    let api = FakeApi::new({
        let looks = Arc::clone(&looks);
        move |asked| match (asked.method.as_str(), looks.fetch_add(1, Ordering::Relaxed)) {
            ("GET", 0..6) => refusal(404),
            (_, number) => (200, served(number > 10, name(asked))),
        }
    });
    let mut config = config();
    config.operation.ready_wait_interval = Duration::from_secs(4);
    config.operation.ready_wait_timeout = Duration::from_secs(30);
    register(&api.client(), &config).await.expect("it is served in the end");
    let all = api.asked();
    let written: Vec<&str> = all.iter().filter(|asked| asked.method == "PATCH").map(name).collect();
    assert_eq!(written.len(), 3, "{written:?}");
    // No rights to list or watch are needed.
    assert!(all.iter().all(|asked| name(asked).ends_with(".acid.zalan.do")), "{all:?}");
}

#[tokio::test]
async fn what_is_served_is_not_written_at_the_start() {
    let api = FakeApi::new(|asked| (200, served(true, name(asked))));
    register(&api.client(), &config()).await.expect("all is there");
    assert_eq!(api.writes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_never_served_is_given_up_after_the_configured_time() {
    let api = FakeApi::new(|asked| (200, served(false, name(asked))));
    let start = tokio::time::Instant::now();
    let all = wanted(&[]).expect("definitions");
    let error = make(&api.client(), all, PATIENCE).await.expect_err("it is not served");
    assert!(error.contains("postgresql") && error.contains("not served in time"), "{error}");
    assert!((30..36).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_read_one_it_is_said_at_once() {
    let api = FakeApi::new(|_| refusal(403));
    let start = tokio::time::Instant::now();
    let all = wanted(&[]).expect("definitions");
    let error = make(&api.client(), all, PATIENCE).await.expect_err("it may not");
    assert!(error.contains("enable_crd_registration"), "{error}");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_leader_renews_what_differs() {
    let api = FakeApi::new(|asked| (200, served(true, name(asked))));
    renew(&api.client(), &config()).await.expect("written");
    assert_eq!(api.writes().len(), 3);
}

#[test]
fn the_definition_of_a_newer_operator_stays() {
    let own = wanted(&[]).expect("definitions").remove(0);
    let mut live = own.clone();
    for (version, is_written) in
        [("0.0.1", true), (env!("CARGO_PKG_VERSION"), true), ("0.10.0", false), ("none", true)]
    {
        live.annotations_mut().insert(super::VERSION.to_owned(), version.to_owned());
        assert_eq!(needs(&own, &live), is_written, "{version}");
    }
}

#[tokio::test]
async fn the_kind_of_the_configuration_alone_is_made_before_it_is_read() {
    let api = FakeApi::new(|asked| match asked.method.as_str() {
        "GET" => refusal(404),
        _ => (200, served(true, name(asked))),
    });
    register_configuration(&api.client()).await.expect("it is made");
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    assert_eq!(api.writes(), [format!("PATCH {path}/operatorconfigurations.acid.zalan.do")]);
}
