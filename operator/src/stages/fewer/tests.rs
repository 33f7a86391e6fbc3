use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::{Leader, Step, before_fewer, step};
use crate::api::postgresql::Postgresql;
use crate::build::tests::config;
use crate::build::vectors;
use crate::cluster::Cluster;
use crate::context::Context;
use crate::report::{Finding, Outcome};
use crate::testing::{FakeApi, refusal};
use crate::validate::validate;

fn ready(number: i32) -> Option<Leader> {
    Some(Leader { number, ready: true })
}

#[test]
fn a_primary_that_stays_lets_the_others_go() {
    assert_eq!(step(1, 3, ready(0), true, false), Step::Go);
    assert_eq!(step(2, 3, ready(1), true, false), Step::Go);
}

#[test]
fn a_primary_that_goes_hands_over_first_even_where_it_is_not_ready() {
    assert_eq!(step(1, 3, ready(1), true, false), Step::HandOver);
    assert_eq!(step(2, 3, Some(Leader { number: 2, ready: false }), true, false), Step::HandOver);
}

#[test]
fn nobody_goes_while_the_primary_is_not_known_or_not_ready() {
    assert_eq!(step(1, 3, None, true, false), Step::Wait);
    assert_eq!(step(1, 3, Some(Leader { number: 0, ready: false }), true, false), Step::Wait);
}

#[test]
fn nobody_goes_while_a_primary_hands_over() {
    assert_eq!(step(2, 3, ready(0), true, true), Step::Switches);
    assert_eq!(step(2, 3, None, false, true), Step::Switches);
}

#[test]
fn pods_that_never_had_a_role_go_without_a_primary() {
    assert_eq!(step(1, 3, None, false, false), Step::Go);
}

#[test]
fn whoever_wants_none_or_more_waits_for_nobody() {
    assert_eq!(step(0, 3, None, true, false), Step::Go);
    assert_eq!(step(0, 3, ready(2), true, true), Step::Go);
    assert_eq!(step(4, 3, ready(2), true, true), Step::Go);
    assert_eq!(step(3, 3, None, true, false), Step::Go);
}

/// Pods with these labels of a role and annotations; `leader` by Patroni's own record.
fn world(leader: Option<&'static str>, pods: &[(&str, Value)]) -> Context {
    let api = FakeApi::new(move |_| match leader {
        None => refusal(500),
        Some(leader) => {
            let metadata = json!({ "name": "acid-main", "annotations": { "leader": leader } });
            (200, json!({ "metadata": metadata }))
        }
    });
    let context = api.context(config(), None);
    for (name, metadata) in pods {
        let mut pod = json!({
            "metadata": metadata,
            "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
        });
        pod["metadata"]["name"] = json!(name);
        pod["metadata"]["namespace"] = json!("a");
        pod["metadata"]["labels"]["cluster-name"] = json!("acid-main");
        let pod = serde_json::from_value(pod).expect("a pod");
        context.caches.pods.take(Event::Apply(pod));
    }
    context
}

fn cluster() -> Cluster {
    let manifest = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": { "name": "acid-main", "namespace": "a" },
        "spec": {
            "teamId": "acid", "numberOfInstances": 1, "volume": { "size": "1Gi" },
            "postgresql": { "version": "15" },
        },
    });
    let manifest: Postgresql = serde_json::from_value(manifest).expect("a manifest");
    validate(&manifest, &config()).expect("a good one").cluster
}

/// From so many to one less.
async fn one_less(context: &Context, now: i32) -> Option<Finding> {
    let set = json!({ "spec": { "replicas": now, "selector": {}, "template": {} } });
    let set = serde_json::from_value(set).expect("a StatefulSet");
    let before = before_fewer(context, &config(), &cluster(), now - 1, Some(&set)).await;
    before.map(|(number, finding)| {
        assert_eq!(number, now);
        finding
    })
}

fn role(role: &str) -> Value {
    json!({ "labels": { "spilo-role": role } })
}

#[tokio::test]
async fn of_two_pods_with_the_label_of_the_primary_the_one_that_leads_stays() {
    // The old one was killed, and its label stays.
    let pods = [("acid-main-0", role("master")), ("acid-main-1", role("master"))];
    let context = world(Some("acid-main-1"), &pods);
    assert_eq!(one_less(&context, 2).await.expect("it waits").reason, "HandsOver");
    let context = world(Some("acid-main-0"), &pods);
    assert!(one_less(&context, 2).await.is_none());
}

#[tokio::test]
async fn a_pod_that_led_and_lost_its_label_does_not_go_while_nobody_leads() {
    let noted = json!({ "labels": {}, "annotations": { "status": "{}" } });
    let pods = [("acid-main-0", role("replica")), ("acid-main-1", noted)];
    assert_eq!(one_less(&world(Some(""), &pods), 2).await.expect("it waits").reason, "NoPrimary");
    let fresh = [("acid-main-0", role("replica")), ("acid-main-1", json!({ "labels": {} }))];
    assert!(one_less(&world(Some(""), &fresh), 2).await.is_none(), "it never was a member");
}

#[tokio::test]
async fn nobody_goes_while_the_record_of_who_leads_cannot_be_read() {
    let pods = [("acid-main-0", role("master")), ("acid-main-1", role("replica"))];
    let finding = one_less(&world(None, &pods), 2).await.expect("it waits");
    assert_eq!((finding.outcome, finding.reason), (Outcome::Failed, "ReadFailed"));
}

#[tokio::test]
async fn no_pod_goes_with_the_last_one_before_volumes_are_kept_for_certain() {
    let (config, cluster) = (vectors::config(), vectors::cluster());
    let context = FakeApi::empty().context(config.clone(), None);
    let before = async |wanted, replicas, policy, heard| {
        let set = json!({
            "metadata": { "name": "acid-minimal-cluster", "generation": 3 },
            "spec": {
                "replicas": replicas, "selector": {}, "template": {},
                "persistentVolumeClaimRetentionPolicy": { "whenScaled": policy },
            },
            "status": { "replicas": replicas, "observedGeneration": heard },
        });
        let set = serde_json::from_value(set).unwrap();
        let before = before_fewer(&context, &config, &cluster, wanted, Some(&set)).await;
        before.map(|(number, finding)| (number, finding.reason))
    };
    assert_eq!(before(0, 2, "Delete", 3).await, Some((2, "KeepsVolumes")));
    assert_eq!(
        before(0, 2, "Retain", 2).await,
        Some((2, "KeepsVolumes")),
        "nobody has heard of it"
    );
    assert_eq!(before(0, 2, "Retain", 3).await, None);
    assert_eq!(before(0, 0, "Delete", 3).await, None, "there is none that could go");
    assert_eq!(before(1, 2, "Delete", 3).await, None, "of replicas they go");
}
