//! What a database needs goes away for a while: the API server, its store, the way between the
//! operator and the pods. Databases run on, the conditions say what is wrong, and all is as it should be
//! when it is back.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::cloud::{CLUSTER, Cloud, minimal};
use harness::eventually::pause;
use harness::{Annex, ControlPlane, Watcher, Writer, eventually};
use serde_json::{Value, json};

const OUTAGE: Duration = Duration::from_secs(60);
const NEWER: &str = "registry.example.com/spilo-15:3.1";
/// All that there is to say about a cluster that is well.
const CONDITIONS: [&str; 6] = [
    "ResourcesReady",
    "PodsReady",
    "PodsUpToDate",
    "PatroniConfigured",
    "DatabasesSynced",
    "HumanAccessSynced",
];

fn apply(world: &Cloud, change: impl FnOnce(&mut Value)) {
    let mut manifest = minimal(&world.platform.namespace);
    change(&mut manifest["spec"]);
    world.platform.kube.try_apply(&manifest).expect("it is accepted");
}

fn condition(world: &Cloud, type_: &str) -> Value {
    let status = world.platform.status(CLUSTER);
    let all = status["conditions"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|own| own["type"] == type_).unwrap_or_default()
}

/// Every condition is true, and of the manifest as it is now.
#[track_caller]
fn is_well(world: &Cloud) {
    eventually("all is as it should be, and said to be", || {
        let manifest = world.platform.get("postgresql", CLUSTER).unwrap_or_default();
        let generation = &manifest["metadata"]["generation"];
        let is_well = |type_: &str| {
            let own = condition(world, type_);
            own["status"] == "True" && own["observedGeneration"] == *generation
        };
        let wrong: Vec<_> = CONDITIONS.into_iter().filter(|own| !is_well(own)).collect();
        let phase = &manifest["status"]["PostgresClusterStatus"];
        if wrong.is_empty() && phase == "Running" {
            Ok(())
        } else {
            Err((wrong, manifest["status"].clone()))
        }
    });
}

#[test]
fn databases_run_on_without_the_api_server_and_what_was_begun_is_finished_behind_it() {
    let plane = ControlPlane::start();
    let world = Cloud::at(&plane, &[("enable_patroni_failsafe_mode", "true")]);
    let synchronous = |spec: &mut Value| spec["patroni"]["synchronous_mode"] = json!(true);
    apply(&world, synchronous);
    is_well(&world);
    let (writer, watcher) = (world.writer(), Watcher::start(&world, 2));
    let of_patroni = world.patroni_switches_over(&writer, 2);
    let of_restart = an_api_server_is_restarted_in_the_middle_of_a_roll(&plane, &world, &writer);
    let of_outage = the_store_is_away_for_a_minute(&plane, &world, &writer);
    let most_made_anew = watcher.most_made_anew();
    let written = writer.stop();
    let during = format!("store away for {OUTAGE:?}");
    let gaps =
        [("API server killed during a rolling update", of_restart), (during.as_str(), of_outage)];
    written.assert_kept(of_patroni, &gaps);
    // A Patroni that reaches neither the API server nor all members takes its own primary down.
    assert_eq!(most_made_anew, 1, "pods that were made anew at a time");
}

fn an_api_server_is_restarted_in_the_middle_of_a_roll(
    plane: &ControlPlane,
    world: &Cloud,
    writer: &Writer,
) -> Duration {
    let (start, before) = (Instant::now(), world.uids());
    apply(world, |spec| {
        spec["patroni"]["synchronous_mode"] = json!(true);
        spec["dockerImage"] = json!(NEWER);
    });
    eventually("the first pod goes", || if world.uids() == before { Err(()) } else { Ok(()) });
    plane.kill_api_server();
    plane.start_api_server();
    eventually("all pods are new", || {
        let now = world.uids();
        let is_old = now.iter().any(|(pod, uid)| before.get(pod) == Some(uid));
        if now.len() == before.len() && !is_old { Ok(()) } else { Err(now) }
    });
    is_well(world);
    for pod in world.pods() {
        assert_eq!(pod["spec"]["containers"][0]["image"], NEWER);
    }
    writer.longest_gap_since(start)
}

/// Patroni asks its members whether they are all there, and the primary goes on. Nobody who leaves
/// meanwhile stays in for long.
fn the_store_is_away_for_a_minute(
    plane: &ControlPlane,
    world: &Cloud,
    writer: &Writer,
) -> Duration {
    world.service.know("bobs", r#"{"uid":"bob","realm":"/employees"}"#);
    world.logs_in("bob", "bobs");
    let (start, before) = (Instant::now(), world.uids());
    plane.stop_etcd();
    world.teams.team("ACID", &["alice"]);
    pause(OUTAGE);
    writer.goes_on();
    plane.start_etcd();
    let gap = writer.longest_gap_since(start);
    world.is_out("bob", "bobs");
    is_well(world);
    assert_eq!(world.uids(), before, "nobody is made anew for it");
    gap
}

#[test]
fn what_the_operator_cannot_reach_is_told_of_and_put_right() {
    let mut world = Cloud::without_operator(&[]);
    let annex = Arc::new(Annex::of(world.platform.network()));
    world.operator_is_in(&annex);
    world.restart_operator();
    apply(&world, |_| {});
    is_well(&world);
    let watcher = Watcher::start(&world, 2);
    the_way_to_the_pods_is_cut(&world, &annex);
    assert_eq!(watcher.most_down(), 1, "pods that were down at a time");
}

/// Nothing is done to pods of which nothing is known, and others are not held up.
fn the_way_to_the_pods_is_cut(world: &Cloud, annex: &Annex) {
    let before = world.uids();
    let addresses: Vec<Ipv4Addr> = world
        .pods()
        .iter()
        .map(|pod| {
            let name = pod["metadata"]["name"].as_str().expect("a name");
            world.agent.pod_ip(&world.platform.namespace, name)
        })
        .collect();
    cut_in_the_middle_of_a_statement(world, || {
        addresses.iter().for_each(|address| annex.cut(*address));
    });
    apply(world, |spec| {
        spec["dockerImage"] = json!(NEWER);
        spec["patroni"]["maximum_lag_on_failover"] = json!(77_777_777);
        spec["databases"]["bar"] = json!("zalando");
    });
    for (type_, words) in [
        ("PodsUpToDate", "Patroni at "),
        ("PatroniConfigured", "Patroni at "),
        ("DatabasesSynced", "cannot connect"),
    ] {
        eventually(&format!("{type_} says why"), || {
            let own = condition(world, type_);
            let message = own["message"].as_str().unwrap_or_default();
            if own["status"] == "False" && message.contains(words) { Ok(()) } else { Err(own) }
        });
    }
    world.platform.apply("acid-other", &json!({ "numberOfInstances": 0 }));
    world.platform.wait_for("Service", "acid-other");
    assert_eq!(world.uids(), before, "nobody is restarted whose state is not known");
    for address in &addresses {
        annex.mend(*address);
    }
    is_well(world);
    let now = world.uids();
    assert!(now.iter().all(|(pod, uid)| before.get(pod) != Some(uid)), "{now:?}");
    assert_eq!(world.as_superuser("select 1 from pg_database where datname = 'bar'"), "1");
}

/// The session of the operator is silent from then on, and nobody ends it.
fn cut_in_the_middle_of_a_statement(world: &Cloud, cut: impl FnOnce()) {
    let hold = "begin; lock table pg_authid in exclusive mode; select pg_sleep(600)";
    let sessions =
        |which: &str| format!("from pg_stat_activity where pid <> pg_backend_pid() and {which}");
    let holder = sessions("query like '%lock table pg_authid%' and wait_event = 'PgSleep'");
    let waits = sessions("application_name = 'postgres-operator' and wait_event_type = 'Lock'");
    let is_there = |which: &str| match world.as_superuser(&format!("select count(*) {which}")) {
        none if none == "0" => Err(()),
        _ => Ok(()),
    };
    std::thread::scope(|scope| {
        let session = scope.spawn(|| world.login("postgres", &world.password("postgres"), hold));
        eventually("the lock is held", || is_there(&holder));
        apply(world, |spec| spec["users"]["late"] = json!([]));
        eventually("the operator waits for it", || is_there(&waits));
        cut();
        world.as_superuser(&format!("select pg_terminate_backend(pid) {holder}"));
        session.join().expect("psql ends").expect_err("its session is ended");
    });
}
