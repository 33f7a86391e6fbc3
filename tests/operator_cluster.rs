//! `kubectl apply -f minimal.yaml`, and there is a cluster: its team logs in with tokens, and
//! whoever leaves is out, on whatever pod the primary is.

use harness::cloud::{CLUSTER, Cloud, minimal};
use harness::eventually;
use serde_json::{Value, json};

fn a_cluster_is_made_and_its_team_comes_and_goes(store: &str) {
    let mut world = Cloud::new(&[("kubernetes_use_configmaps", store)]);
    world.platform.kube.try_apply(&minimal(&world.platform.namespace)).expect("it is accepted");
    world.platform.wait_for_phase(CLUSTER, "Running");
    world.service.know("alices", r#"{"uid":"alice","realm":"/employees"}"#);
    world.service.know("bobs", r#"{"uid":"bob","realm":"/employees"}"#);
    world.logs_in("alice", "alices");
    world.logs_in("bob", "bobs");
    world.logs_in("foo_user", &world.password("foo-user"));
    let owner = "select pg_get_userbyid(datdba) from pg_database where datname = 'foo'";
    assert_eq!(world.as_superuser(owner), "zalando");

    world.teams.team("ACID", &["alice"]);
    world.is_out("bob", "bobs");
    world.logs_in("alice", "alices");

    let before = world.primary();
    world.agent.kill(&world.platform.namespace, &before);
    world.logs_in("alice", "alices");
    assert_ne!(world.primary(), before);
    world.agent.revive(&world.platform.namespace, &before);
    world.platform.wait_for_condition(CLUSTER, "PodsReady", ("True", "Ready"));
    world.platform.wait_for_phase(CLUSTER, "Running");
    let status = world.platform.status(CLUSTER);
    assert_eq!(status["people"]["count"], 1, "{status:#}");
    // Patroni forgets to rewind a former primary for which a pause comes too early.
    stream(&world, "1");
    a_pause_keeps_pods_as_they_are(&world);
    pods_come_and_go_with_their_number(&world);
    the_primary_hands_over_before_its_pod_goes(&world);
    let operator = world.operator.take().expect("it runs");
    assert_eq!(operator.stop().code, Some(0));
}

fn a_pause_keeps_pods_as_they_are(world: &Cloud) {
    let before = world.uids();
    an_annotation_needs_none(world);
    assert_eq!(world.uids(), before, "nobody restarts them");
    let mut other = minimal(&world.platform.namespace);
    other["spec"]["dockerImage"] = json!("registry.example.com/spilo-15:3.1");
    other["metadata"]["annotations"] = json!({ "acid.zalan.do/pause": "true" });
    world.platform.kube.try_apply(&other).expect("it is accepted");
    let wanted = ("False", "Paused");
    let said = world.platform.wait_for_condition(CLUSTER, "PodsUpToDate", wanted);
    assert!(said.contains("image") && said.contains("spilo-15:3.1"), "{said}");
    assert_eq!(world.uids(), before, "nobody restarts them");
    // At once: a member may not have seen yet that there is a pause, which is to end all the same.
    world.platform.kube.try_apply(&minimal(&world.platform.namespace)).expect("and back");
    world.platform.wait_for_condition(CLUSTER, "PodsUpToDate", ("True", "UpToDate"));
    world.platform.wait_for_condition(CLUSTER, "PatroniConfigured", ("True", "InSync"));
}

fn an_annotation_needs_none(world: &Cloud) {
    let mut other = minimal(&world.platform.namespace);
    other["spec"]["podAnnotations"] = json!({ "example.com/cost-center": "0815" });
    world.platform.kube.try_apply(&other).expect("it is accepted");
    let on_pods = || {
        let pods = world.pods();
        let own = |pod: &Value| pod["metadata"]["annotations"]["example.com/cost-center"].clone();
        pods.iter().map(own).collect::<Vec<_>>()
    };
    for (manifest, wanted) in
        [(other, json!("0815")), (minimal(&world.platform.namespace), Value::Null)]
    {
        world.platform.kube.try_apply(&manifest).expect("it is accepted");
        eventually(&format!("all pods have {wanted}"), || {
            let found = on_pods();
            if found == [wanted.clone(), wanted.clone()] { Ok(()) } else { Err(found) }
        });
    }
}

/// Of the manifest as it is now.
fn has_instances(world: &Cloud, number: usize) {
    let mut manifest = minimal(&world.platform.namespace);
    manifest["spec"]["numberOfInstances"] = json!(number);
    world.platform.kube.try_apply(&manifest).expect("it is accepted");
    let wanted: Vec<String> = (0..number).map(|ordinal| format!("{CLUSTER}-{ordinal}")).collect();
    eventually(&format!("{number} pods"), || {
        let pods = world.platform.kube.names("Pod", &world.platform.namespace, "application=spilo");
        let own = world.platform.status(CLUSTER);
        let conditions = own["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.into_iter().find(|own| own["type"] == "PodsReady");
        let is_said = ready.is_some_and(|own| {
            own["status"] == "True"
                && own["message"] == format!("{number} of {number} pods are ready")
        });
        if pods == wanted && is_said { Ok(()) } else { Err((pods, own)) }
    });
}

/// Waits until so many replicas do.
#[track_caller]
fn stream(world: &Cloud, number: &str) {
    let statement = "select count(*) from pg_stat_replication where state = 'streaming'";
    eventually(&format!("{number} replicas stream"), || {
        let found = world.as_superuser(statement);
        if found == number { Ok(()) } else { Err(found) }
    });
}

fn pods_come_and_go_with_their_number(world: &Cloud) {
    let before = world.primary();
    has_instances(world, 3);
    stream(world, "2");
    has_instances(world, 2);
    assert_eq!(world.primary(), before, "no primary moves for it");
}

fn the_primary_hands_over_before_its_pod_goes(world: &Cloud) {
    assert_eq!(world.primary(), format!("{CLUSTER}-1"), "or it would not have to go");
    let mut fewer = minimal(&world.platform.namespace);
    fewer["spec"]["numberOfInstances"] = json!(1);
    world.platform.kube.try_apply(&fewer).expect("it is accepted");
    eventually("one pod is left", || {
        let pods = world.platform.kube.names("Pod", &world.platform.namespace, "application=spilo");
        if pods == [format!("{CLUSTER}-0")] { Ok(()) } else { Err(pods) }
    });
    assert_eq!(world.primary(), format!("{CLUSTER}-0"));
    world.logs_in("alice", "alices");
    world.platform.wait_for_condition(CLUSTER, "PodsReady", ("True", "Ready"));
}

#[test]
fn a_cluster_that_keeps_its_leader_in_endpoints_is_made_and_its_team_comes_and_goes() {
    a_cluster_is_made_and_its_team_comes_and_goes("false");
}

#[test]
fn a_cluster_that_keeps_its_leader_in_config_maps_is_made_and_its_team_comes_and_goes() {
    a_cluster_is_made_and_its_team_comes_and_goes("true");
}
