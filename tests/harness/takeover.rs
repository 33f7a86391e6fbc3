//! What a takeover may do to a cluster, and what it may not: everything of it before and after, what
//! the operator wrote, and what a dry run said beforehand.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::cloud::{CLUSTER, Cloud};
use crate::control_plane::ControlPlane;
use crate::eventually::{eventually, pause};
use crate::reference::password;
use crate::secrets::Secrets;

/// Everything that a cluster is made of and that has its label, and what is made of that.
const KINDS: [&str; 12] = [
    "ConfigMap",
    "ControllerRevision",
    "CronJob",
    "Deployment",
    "Endpoints",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "ReplicaSet",
    "Secret",
    "Service",
    "StatefulSet",
];
/// What a namespace has for the pods of all clusters.
const OF_NAMESPACE: [&str; 2] = ["RoleBinding", "ServiceAccount"];
/// Of these nothing may be written, and the API server counts writes.
const UNTOUCHED: [&str; 3] = ["RoleBinding", "Secret", "ServiceAccount"];
/// What Patroni and the controllers write every now and then.
const HEARTBEAT: [&str; 6] = ["optime", "renewTime", "retain_slots", "slots", "status", "failsafe"];

/// Longer than Patroni waits between two looks.
const LOOP: Duration = Duration::from_secs(2);

/// Objects by kind and name, as they have to stay: without what others count, and without notes of
/// ours.
pub type Standing = BTreeMap<String, Value>;

/// Everything of the cluster as it is now.
pub fn standing(world: &Cloud) -> Standing {
    let (kube, namespace) = (&world.platform.kube, &world.platform.namespace);
    let label = format!("cluster-name={CLUSTER}");
    let of_cluster = KINDS.into_iter().flat_map(|kind| {
        let all = kube.list(kind, namespace, &label).into_iter();
        all.map(move |object| named(kind, object))
    });
    let of_namespace = OF_NAMESPACE.into_iter().map(|kind| {
        let object = kube.get(kind, namespace, "postgres-pod");
        named(kind, object.unwrap_or_else(|| panic!("there is a {kind}")))
    });
    of_cluster.chain(of_namespace).collect()
}

/// The same once nothing of it changes any more: controllers and Patroni are a little behind.
#[track_caller]
pub fn settled(world: &Cloud) -> Standing {
    let mut last = standing(world);
    eventually("nothing of the cluster changes", || {
        pause(LOOP);
        let before = std::mem::replace(&mut last, standing(world));
        if before == last { Ok(last.clone()) } else { Err(()) }
    })
}

fn named(kind: &str, mut object: Value) -> (String, Value) {
    let name = format!("{kind} {}", object["metadata"]["name"].as_str().unwrap_or_default());
    // How a pod is says since when its containers run, and how often they were started.
    if kind != "Pod" {
        object.as_object_mut().expect("an object").remove("status");
    }
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    metadata.remove("managedFields");
    if !UNTOUCHED.contains(&kind) {
        metadata.remove("resourceVersion");
    }
    if let Some(Value::Object(notes)) = metadata.get_mut("annotations") {
        let is_counted = |key: &String| HEARTBEAT.contains(&key.as_str());
        notes.retain(|key, _| !key.starts_with("acid.zalan.do/") && !is_counted(key));
        if notes.is_empty() {
            metadata.remove("annotations");
        }
    }
    (name, object)
}

/// Every object is there, none is new, and each is as it was.
#[track_caller]
pub fn stands(world: &Cloud, before: &Standing) {
    let after = standing(world);
    let names = |all: &Standing| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(before));
    for (name, before) in before {
        assert_eq!(&after[name], before, "{name}");
    }
}

/// What the operator wrote since then, but for its Lease and events: verb, resource and name, with
/// the namespace where it is another one.
pub fn writes(world: &Cloud, mark: usize) -> BTreeSet<String> {
    let (user, own) = (world.platform.user(), &world.platform.namespace);
    let all = ControlPlane::shared().writes_since(mark, &user);
    let told = |resource: &str| resource == "leases" || resource == "events";
    let all = all.iter().filter(|one| !told(&one.resource));
    all.map(|one| {
        let place = if one.namespace == *own { "" } else { &format!("{}/", one.namespace) };
        format!("{} {} {place}{}", one.verb, one.resource, one.name)
    })
    .collect()
}

/// What a dry run says, as the one object that it is.
#[track_caller]
pub fn dry_run(world: &Cloud, code: i32, more: &[&str]) -> Value {
    let mark = ControlPlane::shared().mark();
    let before = catalog(world);
    let mut arguments = vec!["--dry-run", "--output", "json"];
    arguments.extend(more);
    let output = world.adopt(&arguments);
    assert_eq!(output.code, Some(code), "{} {}", output.stdout, output.stderr);
    assert_eq!(writes(world, mark), BTreeSet::new(), "a dry run writes nothing");
    let user = world.platform.user();
    // One that runs has its Lease to renew.
    let all = ControlPlane::shared().writes_since(mark, &user);
    assert!(world.operator.is_some() || all.is_empty(), "nor any event: {all:?}");
    assert_eq!(catalog(world), before, "nor in the database");
    let hidden = Secrets::default();
    for role in ["postgres", "standby", "zalando", "foo_user", "etl", "pooler", "dumps"] {
        hidden.add(password(role).as_bytes());
    }
    hidden.assert_absent("a dry run", output.stdout.as_bytes());
    assert_eq!(output.stdout.lines().count(), 1, "{}", output.stdout);
    serde_json::from_str(&output.stdout).expect("JSON")
}

/// Its changes: object and field.
pub fn fields(outlook: &Value) -> Vec<String> {
    let changes = outlook["changes"].as_array().expect("a list").iter();
    let text = |own: &Value, field: &str| own[field].as_str().expect("a text").to_owned();
    changes.map(|own| format!("{} {}", text(own, "object"), text(own, "field"))).collect()
}

/// Flags, memberships, settings, password and comment of every role.
pub fn catalog(world: &Cloud) -> String {
    world.as_superuser(
        "select string_agg(concat_ws(' ', rolname, rolcanlogin, rolsuper, rolcreatedb, rolpassword, \
         (select string_agg(g.rolname, ',' order by g.rolname) from pg_auth_members m \
          join pg_roles g on g.oid = m.roleid where m.member = a.oid), \
         (select array_to_string(setconfig, ',') from pg_db_role_setting where setrole = a.oid), \
         shobj_description(a.oid, 'pg_authid')), E'\\n' order by rolname) \
         from pg_authid a where rolname !~ '^pg_'",
    )
}

/// The one of a role.
#[track_caller]
pub fn line<'a>(catalog: &'a str, role: &str) -> &'a str {
    let own = catalog.lines().find(|line| line.split(' ').next() == Some(role));
    own.unwrap_or_else(|| panic!("{role} in {catalog}"))
}
