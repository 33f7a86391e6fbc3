//! A cluster that zalando/postgres-operator runs becomes ours without anybody noticing: objects as it
//! writes them, real Patroni under them, people and robots as it makes them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use harness::cloud::{CLUSTER, Cloud, secret_name};
use harness::eventually::pause;
use harness::reference::{self, MANAGER, Reference, password};
use harness::takeover::{Standing, catalog, dry_run, fields, line, settled, stands, writes};
use harness::{ControlPlane, eventually};
use serde_json::{Value, json};

/// A world with a cluster in it and no operator yet.
fn taken(
    reference: impl FnOnce(&Cloud) -> Reference,
    settings: &[(&str, &str)],
) -> (Cloud, Reference) {
    let mut all = reference::RESOURCES.to_vec();
    all.extend(settings);
    let world = Cloud::without_operator(&all);
    for (token, person) in [("alices", "alice"), ("bobs", "bob"), ("ghosts", "ghost")] {
        let answer = json!({ "uid": person, "realm": "/employees" });
        world.service.know(token, answer.to_string());
    }
    let reference = reference(&world);
    reference.install(&world);
    (world, reference)
}

fn secrets(world: &Cloud, namespace: &str) -> Vec<(Value, Value, Value)> {
    let all = world.platform.kube.list("Secret", namespace, &format!("cluster-name={CLUSTER}"));
    let part = |own: &Value, field: &str| own["metadata"][field].clone();
    all.iter()
        .map(|own| (part(own, "name"), part(own, "resourceVersion"), own["data"].clone()))
        .collect()
}

/// Logs in all the time while something happens; nobody may be kept out.
fn while_logging_in<T>(world: &Cloud, work: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut logins = 0;
            // Once at least, however quick the work is.
            while logins == 0 || !is_over.load(Ordering::Relaxed) {
                for (user, secret) in
                    [("alice", "alices".to_owned()), ("foo_user", password("foo_user"))]
                {
                    let login = world.login(user, &secret, "select 1");
                    assert!(login.is_ok(), "{user} is kept out: {login:?}");
                    logins += 1;
                }
                pause(Duration::from_millis(100));
            }
            logins
        });
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        assert!(client.join().expect("everybody logs in") > 0);
        done
    })
}

#[test]
fn a_cluster_of_another_operator_is_ours_and_nobody_notices() {
    let elsewhere = harness::Kube::admin(ControlPlane::shared()).namespace();
    let settings =
        [("enable_cross_namespace_secret", "true"), ("infrastructure_roles_secret_name", "robots")];
    let (mut world, reference) = taken(
        |world| {
            reference::robots(world);
            world.platform.may_work_everywhere();
            Reference { elsewhere: Some(elsewhere.clone()), ..Reference::new(world, false) }
        },
        &settings,
    );
    let reader = reference.reader().unwrap();
    let namespace = world.platform.namespace.clone();
    world.logs_in("alice", "alices");
    world.logs_in("ghost", "ghosts");
    world.logs_in(&reader, &password(&reader));
    let (before, roles) = (settled(&world), catalog(&world));
    let foreign = secrets(&world, &elsewhere);

    let outlook = dry_run(&world, 2, &[]);
    assert_eq!(outlook["restarts"], false, "{outlook:#}");
    assert_eq!(outlook["cluster"], format!("{namespace}/{CLUSTER}"));
    assert_eq!(outlook["leavers"], json!(["ghost"]), "{outlook:#}");
    assert_eq!(outlook["errors"], json!([]), "{outlook:#}");
    let said = fields(&outlook);
    let marked = format!(
        "Secret {elsewhere}/{} metadata.annotations.acid.zalan.do/secret-of",
        secret_name(&reader)
    );
    assert!(said.contains(&marked), "{said:?}");
    let old = format!("Service {namespace}/{CLUSTER}-repl metadata.annotations.example.com/old");
    assert!(said.contains(&old), "{said:?}");
    assert!(said.contains(&"role alice grant".to_owned()), "{said:?}");
    let objects_said: Vec<_> = said.iter().filter(|own| !own.starts_with("role ")).collect();
    assert_eq!(objects_said.len(), 2, "everything else is as it should be: {said:?}");

    let start = ControlPlane::shared().mark();
    world.restart_operator();
    while_logging_in(&world, || {
        let wanted = ("False", "LeaversForgotten");
        let said = world.platform.wait_for_condition(CLUSTER, "HumanAccessSynced", wanted);
        assert!(said.contains("ghost") && said.contains("--lock-leavers"), "{said}");
        world.operator().wait_until_idle();
    });
    eventually("roles are in sync", || {
        let status = world.platform.status(CLUSTER);
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let is_true = |type_: &str| {
            conditions.iter().any(|own| own["type"] == type_ && own["status"] == "True")
        };
        let all = [
            "ResourcesReady",
            "SecretsReady",
            "PodsReady",
            "PodsUpToDate",
            "RolesSynced",
            "DatabasesSynced",
        ];
        if all.into_iter().all(is_true) { Ok(()) } else { Err(status) }
    });
    the_objects_are_as_they_were(
        &world,
        before,
        start,
        &format!("{elsewhere}/{}", secret_name(&reader)),
    );
    let marked = secrets(&world, &elsewhere);
    assert_eq!(marked[0].2, foreign[0].2, "what it holds is what it held");
    let secret = world.platform.kube.get("Secret", &elsewhere, &secret_name(&reader)).unwrap();
    let of = secret["metadata"]["annotations"]["acid.zalan.do/secret-of"].as_str().unwrap();
    assert!(of.starts_with(&format!("{namespace}/{CLUSTER}/")), "{of}");

    people_are_marked_and_nothing_else(&world, &roles);
    assert_eq!(world.platform.status(CLUSTER)["people"]["forgotten"], json!(["ghost"]));
    world.logs_in(&reader, &password(&reader));
    the_second_operator_writes_nothing(&mut world);
    what_it_once_set_can_be_removed(&world);
    leavers_are_locked_by_a_person_alone(&world);
}

fn the_objects_are_as_they_were(world: &Cloud, mut before: Standing, start: usize, reader: &str) {
    // The one thing that the manifest does not ask for.
    let replicas = before.get_mut(&format!("Service {CLUSTER}-repl")).unwrap();
    replicas["metadata"].as_object_mut().unwrap().remove("annotations");
    stands(world, &before);
    let written = [
        // Whose Secret it is that lies elsewhere.
        format!("patch secrets {reader}"),
        // Fields that it set become ours, so that they can be removed.
        format!("patch services {CLUSTER}"),
        format!("patch services {CLUSTER}-repl"),
        format!("patch statefulsets {CLUSTER}"),
        format!("patch postgresqls/status {CLUSTER}"),
    ];
    assert_eq!(writes(world, start), BTreeSet::from(written), "and nothing else");
    let set = world.platform.wait_for("StatefulSet", CLUSTER);
    let managers = set["metadata"]["managedFields"].as_array().unwrap();
    let plain = managers.iter().find(|own| {
        own["manager"] == MANAGER && own["operation"] == "Update" && own["subresource"].is_null()
    });
    assert_eq!(plain, None, "its fields are ours by an apply");
}

fn people_are_marked_and_nothing_else(world: &Cloud, before: &str) {
    let after = catalog(world);
    for person in ["alice", "bob"] {
        let (was, is) = (line(before, person), line(&after, person));
        assert!(is.contains("teams_sync_managed") && is.contains("teams-sync: person"), "{is}");
        let left = is.replace("teams_sync_managed,", "");
        assert!(left.starts_with(was), "{was} -> {is}");
    }
    for other in ["ghost", "old_deleted"] {
        assert_eq!(line(&after, other), line(before, other), "nobody touches a leaver");
    }
    let password = |catalog: &str, role: &str| {
        line(catalog, role).split(' ').find(|word| word.starts_with("SCRAM-")).map(str::to_owned)
    };
    for robot in ["zalando", "foo_user", "etl", "postgres", "standby"] {
        assert_eq!(password(&after, robot), password(before, robot), "{robot}");
    }
    world.logs_in("ghost", "ghosts");
    world.logs_in("etl", &reference::password("etl"));
}

fn the_second_operator_writes_nothing(world: &mut Cloud) {
    let before = catalog(world);
    drop(world.operator.take().map(harness::Operator::stop));
    let mark = ControlPlane::shared().mark();
    world.restart_operator();
    world.operator().wait_until_people_are_known();
    world.operator().wait_until_idle();
    assert_eq!(writes(world, mark), BTreeSet::new());
    assert_eq!(catalog(world), before);
    let outlook = dry_run(world, 0, &[]);
    assert_eq!(outlook["changes"], json!([]), "{outlook:#}");
    assert_eq!(outlook["leavers"], json!(["ghost"]), "told of, and nothing that would be done");
}

/// A label that came by the other operator goes when nobody asks for it any more.
fn what_it_once_set_can_be_removed(world: &Cloud) {
    let service = world.platform.wait_for("Service", &format!("{CLUSTER}-repl"));
    assert_eq!(service["metadata"]["annotations"]["example.com/old"], Value::Null);
}

fn leavers_are_locked_by_a_person_alone(world: &Cloud) {
    let nothing = world.adopt(&[]);
    assert_eq!(nothing.code, Some(1));
    assert!(nothing.stderr.contains("--dry-run"), "{}", nothing.stderr);
    let blind = world.adopt(&["--dry-run", "--lock-leavers", "--no-teams-api"]);
    assert!(blind.stderr.contains("cannot be used with"), "{}", blind.stderr);
    let misspelt = world.adopt(&["--dry-run", "--output", "json", "no-such-cluster", CLUSTER]);
    assert_eq!(
        (misspelt.code, misspelt.stdout.lines().count()),
        (Some(1), 2),
        "{}",
        misspelt.stdout
    );
    let all = world.adopt(&["--lock-leavers"]);
    assert!(all.stderr.contains("--all"), "{}", all.stderr);
    let outlook = dry_run(world, 2, &["--lock-leavers"]);
    let said = fields(&outlook);
    assert!(said.contains(&"role ghost switch_off".to_owned()), "{said:?}");
    world.logs_in("ghost", "ghosts");

    let cluster = format!("{}/{CLUSTER}", world.platform.namespace);
    let output = world.adopt(&["--lock-leavers", &cluster]);
    assert_eq!(output.code, Some(0), "{} {}", output.stdout, output.stderr);
    assert!(output.stdout.contains("alter ghost: NOLOGIN"), "{}", output.stdout);
    world.is_out("ghost", "ghosts");
    world.logs_in("alice", "alices");
    world.platform.wait_for_condition(CLUSTER, "HumanAccessSynced", ("True", "Synced"));
    let catalog = catalog(world);
    assert!(line(&catalog, "ghost").contains(" left="), "{}", line(&catalog, "ghost"));
    dry_run(world, 0, &[]);
    let text = world.adopt(&["--dry-run"]);
    assert_eq!(text.stdout, format!("{cluster}: nothing to change\n"));
}

#[test]
fn a_template_that_would_restart_pods_is_held_until_somebody_accepts_it() {
    let (mut world, _) = taken(
        |world| Reference {
            instances: 1,
            image: "registry.example.com/spilo-15:2.9".to_owned(),
            ..Reference::new(world, true)
        },
        &[("kubernetes_use_configmaps", "true")],
    );
    let template = || world.platform.wait_for("StatefulSet", CLUSTER)["spec"]["template"].clone();
    let (before, there) = (template(), world.uids());
    let outlook = dry_run(&world, 2, &[]);
    assert_eq!(outlook["restarts"], true, "{outlook:#}");
    let field = format!(
        "StatefulSet {}/{CLUSTER} spec.template.containers[postgres].image",
        world.platform.namespace
    );
    assert!(fields(&outlook).contains(&field), "{outlook:#}");

    world.restart_operator();
    let held = ("False", "RestartsHeld");
    let said = world.platform.wait_for_condition(CLUSTER, "TakenOver", held);
    assert!(said.contains("spilo-15:2.9 -> registry.example.com/spilo-15:3.0-p1"), "{said}");
    world.operator().wait_until_idle();
    // Another process knows it as well, and everything else of the cluster is kept up.
    world.restart_operator();
    world.platform.kube.patch_merge(
        "postgresql",
        &world.platform.namespace,
        CLUSTER,
        &json!({ "spec": { "numberOfInstances": 2 } }),
    );
    eventually("there are two pods", || {
        let pods = world.uids();
        if pods.len() == 2 { Ok(()) } else { Err(world.platform.status(CLUSTER)) }
    });
    world.platform.wait_for_condition(CLUSTER, "PodsReady", ("True", "Ready"));
    world.platform.wait_for_condition(CLUSTER, "TakenOver", held);
    world.operator().wait_until_idle();
    let template = || world.platform.wait_for("StatefulSet", CLUSTER)["spec"]["template"].clone();
    assert_eq!(template(), before, "it is as the other operator left it");
    assert_eq!(there.len(), 1, "{there:?}");
    let (pod, uid) = there.first_key_value().expect("one pod");
    assert_eq!(world.uids().get(pod), Some(uid), "the pod that was there is there");
    // Nothing is done to pods, and yet the newest manifest has not arrived at them.
    world.platform.wait_for_condition(CLUSTER, "PodsUpToDate", held);

    let output = world.adopt(&["--accept-restarts", CLUSTER]);
    assert_eq!(output.code, Some(0), "{} {}", output.stdout, output.stderr);
    world.platform.wait_for_condition(CLUSTER, "TakenOver", ("True", "TakenOver"));
    let image = template()["spec"]["containers"][0]["image"].clone();
    assert_eq!(image, "registry.example.com/spilo-15:3.0-p1");
    eventually("what was accepted is done, and is asked for again next time", || {
        let manifest = world.platform.wait_for("postgresql", CLUSTER);
        let accepted = manifest["metadata"]["annotations"]["acid.zalan.do/accept-restarts"].clone();
        if accepted.is_null() { Ok(()) } else { Err(accepted) }
    });
    world.logs_in("alice", "alices");
}
