use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Node;
use kube::runtime::watcher::Event;
use serde_json::json;

use super::*;
use crate::build::tests::{cluster, config};
use crate::testing::FakeApi;

fn manifest() -> Postgresql {
    let metadata = json!({ "name": "acid-minimal-cluster", "namespace": "default" });
    let manifest = json!({ "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": metadata, "spec": {} });
    serde_json::from_value(manifest).unwrap()
}

fn id() -> ClusterId {
    cluster(json!({})).id
}

/// The primary on one node and, with `replica`, a replica on another.
fn world(nodes: &[(&str, bool)], replica: bool) -> Context {
    let context = FakeApi::empty().context(config(), None);
    for (name, is_cordoned) in nodes {
        let node =
            json!({ "metadata": { "name": name }, "spec": { "unschedulable": is_cordoned } });
        let node: Node = serde_json::from_value(node).unwrap();
        context.nodes.take(Event::Apply(node), &BTreeMap::new(), Timestamp::now());
    }
    for (number, role) in [(0, "master"), (1, "replica")].into_iter().take(1 + usize::from(replica))
    {
        let pod = json!({
            "metadata": { "name": format!("acid-minimal-cluster-{number}"), "namespace": "default",
                "creationTimestamp": "2020-01-01T00:00:00Z",
                "labels": { "application": "spilo", "cluster-name": "acid-minimal-cluster",
                    "spilo-role": role } },
            "spec": { "nodeName": format!("worker-{number}"), "containers": [] },
            "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] },
        });
        let pod: Pod = serde_json::from_value(pod).unwrap();
        context.caches.pods.take(Event::Apply(pod));
    }
    context
}

async fn of_node(context: &Context) -> Outlook {
    let (cluster, mut outlook) = (cluster(json!({})), Outlook::of("default/c"));
    let mut pods = context.caches.pods.of(&cluster.id);
    pods.sort_by_key(|pod| pod.name_any());
    node(context, &config(), &manifest(), &cluster, (&pods, false), &mut outlook).await;
    outlook
}

#[tokio::test]
async fn a_primary_whose_node_is_cordoned_moves_with_the_first_look_and_that_is_a_restart() {
    let alone = of_node(&world(&[("worker-0", true), ("worker-1", false)], false)).await;
    assert!(alone.restarts);
    assert_eq!(alone.changes[0].to, "made anew on another node");
    assert_eq!(alone.changes[0].why, "its node worker-0 is cordoned");
    let two = of_node(&world(&[("worker-0", true), ("worker-1", false)], true)).await;
    assert!(two.restarts);
    assert_eq!(two.changes[0].to, "hands over to a replica");
    // There is nowhere to go.
    let stays = of_node(&world(&[("worker-0", true)], false)).await;
    assert!(!stays.restarts);
    assert!(stays.notes[0].contains("no other node takes"), "{stays:?}");
    let replica = of_node(&world(&[("worker-0", false), ("worker-1", true)], true)).await;
    assert_eq!(replica, Outlook::of("default/c"), "a replica moves with its primary alone");
}

#[tokio::test]
async fn where_nodes_or_patroni_or_a_primary_say_nothing_that_is_an_error() {
    let unknown = of_node(&world(&[], false)).await;
    assert!(unknown.errors[0].contains("the node worker-0 is not known"), "{unknown:?}");
    let context = world(&[("worker-0", false)], false);
    let mut outlook = Outlook::of("default/c");
    look(&context, &config(), &manifest(), &cluster(json!({})), &mut outlook).await;
    assert_eq!(outlook.code(), 1);
    assert!(outlook.errors[0].contains("Patroni could not be asked"), "{outlook:?}");
    assert!(outlook.errors[1].contains("no primary says which version"), "{outlook:?}");
    let mut none = Outlook::of("default/c");
    let empty = FakeApi::empty().context(config(), None);
    look(&empty, &config(), &manifest(), &cluster(json!({})), &mut none).await;
    assert_eq!(none.code(), 0, "of a cluster that is to be made nobody is asked");
}

fn members(pending: bool) -> Members {
    let member = json!({ "name": "acid-minimal-cluster-0", "role": "leader",
        "pending_restart": pending });
    serde_json::from_value(json!({ "members": [member] })).unwrap()
}

fn of_patroni(settings: Value, members: &Members) -> Outlook {
    let postgresql = json!({ "version": "15", "parameters": { "max_connections": "100" } });
    let cluster = cluster(json!({ "postgresql": postgresql }));
    let wanted = Wanted::of(&cluster, &config(), false);
    let mut outlook = Outlook::of("default/c");
    let settings: Map<String, Value> = serde_json::from_value(settings).unwrap();
    planned(&id(), &plan(&wanted, &Default::default(), &settings), members, &mut outlook);
    outlook
}

#[test]
fn settings_that_patroni_gets_and_restarts_that_are_pending_are_changes() {
    let same = json!({ "postgresql": { "parameters": { "max_connections": 100 } } });
    let other = json!({ "postgresql": { "parameters": { "max_connections": 500 } } });
    assert_eq!(of_patroni(same.clone(), &members(false)), Outlook::of("default/c"));
    let changed = of_patroni(other, &members(false));
    assert_eq!(changed.code(), 2);
    assert!(changed.changes[0].to.contains("max_connections"), "{changed:?}");
    assert!(changed.parameters.contains("max_connections"), "its server says what that takes");
    let pending = of_patroni(same, &members(true));
    assert!(pending.restarts);
    assert_eq!(pending.changes[0].to, "PostgreSQL restarted");
}

#[test]
fn a_major_upgrade_that_waits_is_a_change_and_one_that_is_refused_a_note() {
    let now = version::Situation {
        wanted: 16,
        running: Some(15),
        is_allowed: true,
        is_standby: false,
        runs_here: false,
        note: None,
        script: None,
        is_lost_for_long: false,
        problem: None,
        has_failed: false,
        is_disturbed: false,
        is_paused: false,
        opens: Some(Timestamp::UNIX_EPOCH),
        expected: 1,
        pods: Vec::new(),
        members: None,
    };
    let told = |now: &version::Situation| {
        let mut outlook = Outlook::of("default/c");
        upgraded(&id(), now, &mut outlook);
        outlook
    };
    let waits = told(&now);
    assert!(waits.restarts);
    let change = &waits.changes[0];
    assert_eq!((change.from.as_str(), change.to.as_str()), ("15", "16"));
    assert!(change.why.contains("a maintenance window opens"), "{change:?}");
    let off = told(&version::Situation { is_allowed: false, ..now.clone() });
    assert_eq!((off.restarts, off.code(), off.notes.len()), (false, 0, 1));
    assert_eq!(told(&version::Situation { running: Some(16), ..now.clone() }).code(), 0);
    assert_eq!(told(&version::Situation { running: None, ..now }).code(), 1);
}
