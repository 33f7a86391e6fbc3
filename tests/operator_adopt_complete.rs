//! A cluster for which zalando/postgres-operator does all that it can becomes ours. What that changes is
//! little, and all of it is said before.

use std::collections::BTreeSet;

use harness::cloud::{CLUSTER, Cloud, decoded};
use harness::reference::{complete, password};
use harness::takeover::{Standing, dry_run, fields, settled, standing, stands, writes};
use harness::{ControlPlane, eventually};
use serde_json::{Value, json};

/// Of objects, that is all: keys of the cloud go from the CronJob into a Secret, and backups run where
/// replicas are.
fn changes(namespace: &str) -> BTreeSet<String> {
    let job = format!("CronJob {namespace}/logical-backup-{CLUSTER} {TEMPLATE}");
    let container = format!("{job}.containers[name=logical-backup]");
    let near = format!("{job}.affinity.podAffinity.{PREFERRED}");
    let mut all = BTreeSet::from([
        format!("Secret {namespace}/logical-backup-{CLUSTER}-credentials "),
        format!("{container}.ports"),
    ]);
    for label in ["application", "environment", "spilo-role", "team"] {
        all.insert(format!("{near}.podAffinityTerm.labelSelector.matchLabels.{label}"));
    }
    for key in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        for field in ["value", "valueFrom"] {
            all.insert(format!("{container}.env[name={key}].{field}"));
        }
    }
    all
}

const TEMPLATE: &str = "spec.jobTemplate.spec.template.spec";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution[0]";

#[test]
fn a_complete_cluster_is_taken_over_and_all_that_changes_was_said_before() {
    let mut world = Cloud::without_operator(&[]);
    for (token, person) in [("alices", "alice"), ("bobs", "bob")] {
        world.service.know(token, json!({ "uid": person, "realm": "/employees" }).to_string());
    }
    complete::install(&mut world);
    world.logs_in("alice", "alices");
    let before = settled(&world);
    let said = dry_run(&world, 2, &[]);
    assert_eq!(said["restarts"], false, "{said:#}");
    assert_eq!(said["errors"], json!([]), "{said:#}");
    let is_object = |own: &String| !own.starts_with("role ") && !own.starts_with("databases ");
    let of_objects: BTreeSet<_> = fields(&said).into_iter().filter(is_object).collect();
    assert_eq!(of_objects, changes(&world.platform.namespace), "{said:#}");
    let mark = ControlPlane::shared().mark();
    world.restart_operator();
    world.operator().wait_until_people_are_known();
    world.operator().wait_until_idle();
    eventually("all is said to be well", || {
        let status = world.platform.status(CLUSTER);
        let all = status["conditions"].as_array().cloned().unwrap_or_default();
        let wrong = |own: &Value| own["status"] != "True" && own["reason"] != "LeaversForgotten";
        if !all.is_empty() && !all.iter().any(wrong) { Ok(()) } else { Err(status) }
    });
    stands(&world, &with_keys_of_its_own(&world, before));
    assert_eq!(writes(&world, mark), written(), "and nothing else");
    world.logs_in("alice", "alices");
}

/// What the other operator set becomes ours by it, so that it can be removed; all but the CronJob says
/// the same as before.
fn written() -> BTreeSet<String> {
    let mut all = BTreeSet::from([
        format!("patch cronjobs logical-backup-{CLUSTER}"),
        format!("patch postgresqls/status {CLUSTER}"),
        format!("patch secrets logical-backup-{CLUSTER}-credentials"),
        format!("patch services {CLUSTER}"),
        format!("patch services {CLUSTER}-repl"),
        format!("patch statefulsets {CLUSTER}"),
    ]);
    all.extend([0, 1].map(|pod| format!("patch persistentvolumeclaims pgdata-{CLUSTER}-{pod}")));
    for (suffix, _) in complete::POOLERS {
        let name = format!("{CLUSTER}{suffix}");
        all.extend(["deployments", "services"].map(|kind| format!("patch {kind} {name}")));
    }
    all
}

/// As it was, but for the CronJob of backups, and the Secret that it reads keys from now.
fn with_keys_of_its_own(world: &Cloud, mut all: Standing) -> Standing {
    let keys = format!("logical-backup-{CLUSTER}-credentials");
    let job = all.get_mut(&format!("CronJob logical-backup-{CLUSTER}")).unwrap();
    job["metadata"]["generation"] = json!(2);
    let pod = &mut job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let near =
        &mut pod["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
    near[0]["podAffinityTerm"]["labelSelector"]["matchLabels"] =
        json!({ "application": "spilo", "cluster-name": CLUSTER, "spilo-role": "replica" });
    let container = &mut pod["containers"][0];
    container.as_object_mut().unwrap().remove("ports");
    for own in container["env"].as_array_mut().unwrap() {
        let name = own["name"].clone();
        if name.as_str().unwrap().starts_with("AWS_") {
            *own = json!({ "name": name,
                "valueFrom": { "secretKeyRef": { "name": keys, "key": name } } });
        }
    }
    let secret = world.platform.wait_for("Secret", &keys);
    assert_eq!(decoded(&secret["data"]["AWS_ACCESS_KEY_ID"]), "of-dumps");
    assert_eq!(decoded(&secret["data"]["AWS_SECRET_ACCESS_KEY"]), password("dumps"));
    let name = format!("Secret {keys}");
    let made = standing(world).remove(&name).unwrap();
    all.insert(name, made);
    all
}
