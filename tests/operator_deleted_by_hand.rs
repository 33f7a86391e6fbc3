//! Somebody deletes what a database needs while it is written to. Each object is made anew, and a Secret
//! comes back with the password that the pods run with: no other one would let anybody in.

use std::time::Duration;

use harness::cloud::{CLUSTER, Cloud, minimal, secret_name};
use harness::kubelet::Asked;
use harness::{ControlPlane, Writer, eventually};
use serde_json::{Value, json};

/// With the Service of the primary go the Endpoints of its name, and with them the lock of Patroni,
/// which elects again.
const LONGEST_GAP: Duration = Duration::from_secs(10);

/// Pods, and since when their containers run.
fn pods(world: &Cloud) -> Vec<Value> {
    let pods = world.platform.kube.list("Pod", &world.platform.namespace, "application=spilo");
    let parts = |pod: &Value| {
        let since = &pod["status"]["containerStatuses"][0]["state"];
        json!([pod["metadata"]["uid"], since])
    };
    pods.iter().map(parts).collect()
}

fn delete(world: &Cloud, kind: &str, name: &str) {
    let old = world.platform.wait_for(kind, name)["metadata"]["uid"].clone();
    world.platform.kube.delete(kind, &world.platform.namespace, name);
    eventually(&format!("{kind} {name} is made anew"), || {
        let new = world.platform.get(kind, name).unwrap_or_default();
        if new.is_object() && new["metadata"]["uid"] != old { Ok(()) } else { Err(new) }
    });
}

#[track_caller]
fn is_well(world: &Cloud) {
    for (type_, reason) in [
        ("ResourcesReady", "Ready"),
        ("SecretsReady", "Ready"),
        ("PodsReady", "Ready"),
        ("RolesSynced", "Synced"),
    ] {
        world.platform.wait_for_condition(CLUSTER, type_, ("True", reason));
    }
}

#[test]
fn what_somebody_deletes_comes_back_and_whoever_writes_goes_on() {
    let world = Cloud::new(&[]);
    let mut manifest = minimal(&world.platform.namespace);
    manifest["spec"]["patroni"]["synchronous_mode"] = json!(true);
    world.platform.kube.try_apply(&manifest).expect("it is accepted");
    is_well(&world);
    let before = pods(&world);
    let host = format!("{CLUSTER}.{}.svc.cluster.local", world.platform.namespace);
    let writer = Writer::start(&world.agent, &host, "postgres", &world.password("postgres"));

    delete(&world, "Service", CLUSTER);
    delete(&world, "Service", &format!("{CLUSTER}-repl"));
    delete(&world, "PodDisruptionBudget", &format!("postgres-{CLUSTER}-pdb"));
    delete(&world, "PodDisruptionBudget", &format!("postgres-{CLUSTER}-critical-op-pdb"));
    writer.goes_on();
    passwords_come_back_from_where_they_are_used(&world);
    is_well(&world);
    // By names and passwords as they are now.
    world.logs_in("foo_user", &world.password("foo_user"));
    world.logs_in("postgres", &world.password("postgres"));
    writer.goes_on();

    let written = writer.stop();
    #[allow(clippy::print_stderr, reason = "a figure of the test")]
    {
        eprintln!(
            "longest write gap while Services and Secrets are deleted: {:?}; {} rows",
            written.longest_gap, written.acknowledged
        );
    }
    assert!(written.lost.is_empty(), "acknowledged and lost: {:?}", written.lost);
    assert!(written.longest_gap <= LONGEST_GAP, "{written:?}");
    assert_eq!(pods(&world), before, "nobody is restarted for it");
}

/// The operator asks the container itself; what it hears is what that process has.
fn passwords_come_back_from_where_they_are_used(world: &Cloud) {
    let namespace = &world.platform.namespace;
    let kubelet = ControlPlane::shared().kubelet();
    world.agent.runs_commands(ControlPlane::shared(), namespace);
    let system = ["postgres", "standby"];
    let kept = system.map(|user| world.password(user));
    let of_application = world.password("foo_user");
    for user in system.into_iter().chain(["foo_user"]) {
        delete(world, "Secret", &secret_name(user));
    }
    assert_eq!(system.map(|user| world.password(user)), kept);
    assert_ne!(world.password("foo_user"), of_application, "nobody else knows that one");

    let asked = kubelet.asked(namespace);
    let question = |variable: &str| Asked {
        namespace: namespace.clone(),
        pod: world.primary(),
        container: "postgres".to_owned(),
        command: vec!["/usr/bin/printenv".to_owned(), variable.to_owned()],
    };
    let wanted = ["PGPASSWORD_SUPERUSER", "PGPASSWORD_STANDBY"].map(question);
    assert_eq!(asked, wanted, "the primary, once for each, and nothing else");
    let told = world.platform.events(CLUSTER);
    assert!(told.iter().any(|event| event.contains("Secrets were gone")), "{told:?}");
}
