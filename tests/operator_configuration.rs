//! Where the configuration comes from, and what becomes of it while the operator runs.

use harness::cloud::decoded;
use harness::{ControlPlane, Kube, Operator, Platform, eventually};
use serde_json::{Value, json};

const CLUSTER: &str = "acid-orders";
const OBJECT: &str = "settings";

/// Its operator reads an `OperatorConfiguration` and no ConfigMap.
fn with_an_object() -> Platform {
    let plane = ControlPlane::shared();
    let mut platform = Platform::on(plane, &Kube::admin(plane).namespace());
    platform.is_configured_by(OBJECT);
    platform
}

/// What tests need, with this beside it.
fn configuration(platform: &Platform, more: &Value) -> Value {
    let mut all = json!({
        "docker_image": "registry.example.com/spilo-15:3.0-p1",
        "enable_crd_registration": false,
        "workers": 2,
        "kubernetes": { "secret_name_template": "{username}.{cluster}.credentials" },
        "logging_rest_api": { "api_port": platform.port() },
    });
    let groups = all.as_object_mut().expect("an object");
    groups.extend(more.as_object().expect("an object").clone());
    json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "OperatorConfiguration",
        "metadata": { "name": OBJECT, "namespace": platform.namespace },
        "configuration": all,
    })
}

fn configure(platform: &Platform, more: &Value) {
    platform.kube.try_apply(&configuration(platform, more)).expect("it is accepted");
}

fn services(annotation: &str) -> Value {
    json!({ "load_balancer": { "custom_service_annotations": { "example.com/zone": annotation } } })
}

#[track_caller]
fn services_are_in(platform: &Platform, zone: &str) {
    for name in [CLUSTER.to_owned(), format!("{CLUSTER}-repl")] {
        eventually(&format!("{name} is in zone {zone}"), || {
            let service = platform.get("Service", &name).unwrap_or_default();
            let found = service["metadata"]["annotations"]["example.com/zone"].clone();
            if found == zone { Ok(()) } else { Err(found) }
        });
    }
}

#[track_caller]
fn is_told(platform: &Platform, kind: &str, name: &str, parts: &[&str]) {
    eventually(&format!("an event on {kind} {name} says {parts:?}"), || {
        let events = platform.kube.events(kind, &platform.namespace, name);
        let notes: Vec<String> = events.iter().map(|event| event["message"].to_string()).collect();
        let says = |note: &String| parts.iter().all(|part| note.contains(part));
        if notes.iter().any(says) { Ok(()) } else { Err(notes) }
    });
}

#[test]
fn an_operator_configuration_is_read_and_has_defaults() {
    let platform = with_an_object();
    configure(&platform, &services("a"));
    let operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    let set = platform.wait_for("StatefulSet", CLUSTER);
    let container = &set["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "registry.example.com/spilo-15:3.0-p1");
    platform.wait_for("Secret", &format!("postgres.{CLUSTER}.credentials"));
    services_are_in(&platform, "a");
    let service = platform.wait_for("Service", CLUSTER);
    assert_eq!(service["spec"]["type"], "ClusterIP", "in this form it is so by default");
    let told = operator.json("/config/");
    assert_eq!(told["operator"]["ResyncPeriod"], "30m0s");
    assert_eq!(told["operator"]["EnableMasterLoadBalancer"], false);
    assert_eq!(told["operator"]["PDBNameFormat"], "postgres-{cluster}-pdb");
    platform.wait_for("PodDisruptionBudget", &format!("postgres-{CLUSTER}-pdb"));
    assert_eq!(operator.stop().code, Some(0));
}

#[test]
fn a_changed_operator_configuration_arrives_and_a_broken_one_is_refused_with_a_reason() {
    let platform = with_an_object();
    configure(&platform, &services("a"));
    let operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    services_are_in(&platform, "a");
    configure(&platform, &services("b"));
    services_are_in(&platform, "b");

    let mut broken = services("c");
    broken["resync_period"] = json!("soon");
    broken["workers"] = json!(0);
    configure(&platform, &broken);
    let parts = ["resync_period", "workers", "the configuration in use stays"];
    is_told(&platform, "OperatorConfiguration", OBJECT, &parts);
    operator.wait_until_idle();
    services_are_in(&platform, "b");

    configure(&platform, &services("d"));
    services_are_in(&platform, "d");
}

#[test]
fn an_operator_configuration_that_is_missing_or_broken_ends_it_with_a_reason() {
    let platform = with_an_object();
    let start = || platform.launch(|program| platform.network().command(program)).running.wait();
    let ended = start();
    assert_eq!(ended.code, Some(1));
    let wanted = format!("OperatorConfiguration {}/{OBJECT} is not there", platform.namespace);
    assert!(ended.stderr.contains(&wanted), "{}", ended.stderr);
    configure(&platform, &json!({ "workers": 0, "resync_period": "soon" }));
    let ended = start();
    assert_eq!(ended.code, Some(1));
    let says = |key: &str| ended.stderr.contains(key);
    assert!(says("workers") && says("resync_period"), "{}", ended.stderr);
}

#[test]
fn of_two_quick_changes_of_the_configuration_the_later_holds() {
    let platform = Platform::new();
    let operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    platform.wait_for("Service", &format!("{CLUSTER}-repl"));
    for zone in ["a", "b", "c", "d"] {
        let annotation = format!("example.com/zone:{zone}");
        platform.configure(&[("custom_service_annotations", &annotation)]);
    }
    services_are_in(&platform, "d");
    operator.wait_until_idle();
    services_are_in(&platform, "d");
}

#[test]
fn a_refused_config_map_is_told_of_by_an_event_on_it() {
    let platform = Platform::new();
    let operator = platform.start();
    platform.configure(&[("workers", "none"), ("resync_period", "soon")]);
    let parts = ["workers", "resync_period", "the configuration in use stays"];
    is_told(&platform, "ConfigMap", "postgres-operator", &parts);
    assert_eq!(workers(&operator), Ok(2));
}

/// How many the operator says that it has.
fn workers(operator: &Operator) -> Result<usize, String> {
    let (code, body) = operator.ask("/workers/all/status/")?;
    let all: Value = serde_json::from_str(&body).map_err(|_| format!("{code}: {body}"))?;
    Ok(all.as_object().map_or(0, serde_json::Map::len))
}

#[test]
fn the_number_of_workers_changes_while_it_runs() {
    let platform = Platform::new();
    let mut operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    platform.wait_for_condition(CLUSTER, "ResourcesReady", ("True", "Ready"));
    for number in [5, 1] {
        platform.configure(&[("workers", &number.to_string())]);
        eventually(&format!("there are {number} workers"), || match workers(&operator) {
            Ok(found) if found == number => Ok(()),
            other => Err(other),
        });
        platform.apply(CLUSTER, &json!({ "numberOfInstances": number }));
        eventually("they work", || {
            let set = platform.get("StatefulSet", CLUSTER).unwrap_or_default();
            if set["spec"]["replicas"] == number { Ok(()) } else { Err(set["spec"].clone()) }
        });
        assert!(operator.running.is_alive());
    }
    assert_eq!(operator.stop().code, Some(0));
}

#[test]
fn infrastructure_roles_of_the_line_in_the_config_map_are_shown_without_their_password() {
    const ROLE: &str = "robot_zmon_acid_monitoring_new";
    const PASSWORD: &str = "a-password-of-the-infrastructure";
    let platform = Platform::new();
    let keys = json!({ "user": ROLE, "password": PASSWORD });
    platform.kube.create(&json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": "monitoring-roles", "namespace": platform.namespace },
        "stringData": keys,
    }));
    let line = format!(
        "secretname:{}/monitoring-roles,userkey:user,passwordkey:password,rolekey:inrole,defaultrolevalue:robot_zmon",
        platform.namespace
    );
    platform.configure(&[("infrastructure_roles_secrets", &line)]);
    let operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    let wanted = json!({
        "Origin": 2, "Name": ROLE, "Namespace": "", "Password": "[redacted]",
        "Flags": null, "MemberOf": ["robot_zmon"], "Parameters": null, "AdminRole": "",
        "IsDbOwner": false, "Deleted": false, "Rotated": false, "Degraded": false,
    });
    eventually("the role is shown", || {
        let told = operator.json("/config/");
        let found = told["controller"]["InfrastructureRoles"][ROLE].clone();
        if found == wanted { Ok(()) } else { Err(found) }
    });
    let name = format!("{}.{CLUSTER}.credentials.postgresql.acid.zalan.do", ROLE.replace('_', "-"));
    // base64 of the password
    let secret = platform.wait_for("Secret", &name);
    assert_eq!(secret["data"]["password"], "YS1wYXNzd29yZC1vZi10aGUtaW5mcmFzdHJ1Y3R1cmU=");
    operator.wait_until_idle();
    let mut said = operator.log();
    said.push_str(&platform.status(CLUSTER).to_string());
    said.push_str(&platform.events(CLUSTER).join("\n"));
    let cluster = format!("/clusters/{}/{CLUSTER}/", platform.namespace);
    for path in ["/config/", "/status/", "/databases/", "/metrics", &cluster] {
        said.push_str(&operator.ask(path).expect("an answer").1);
    }
    let is_told = said.contains(PASSWORD) || said.contains("YS1wYXNzd29yZC1vZi10aGUt");
    assert!(!is_told, "the password is told");
}

#[test]
fn infrastructure_roles_of_the_list_in_the_object_have_a_secret_on_each_cluster() {
    let platform = with_an_object();
    for (name, data) in [
        ("monitoring", json!({ "user": "robot_zmon", "password": "of-zmon", "role": "robots" })),
        ("backup", json!({ "password": "of-backup", "more": "user_flags: [createdb]\n" })),
    ] {
        platform.kube.create(&json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": name, "namespace": platform.namespace },
            "stringData": data,
        }));
    }
    configure(
        &platform,
        &json!({ "kubernetes": {
            "secret_name_template": "{username}.{cluster}.credentials",
            "infrastructure_roles_secrets": [
                { "secretname": "monitoring", "userkey": "user", "passwordkey": "password",
                  "rolekey": "role" },
                { "secretname": format!("{}/backup", platform.namespace),
                  "defaultuservalue": "robot_backup", "passwordkey": "password",
                  "defaultrolevalue": "robots", "details": "more" },
            ],
        } }),
    );
    let operator = platform.start();
    platform.apply(CLUSTER, &json!({}));
    for (name, password) in [("robot-zmon", "of-zmon"), ("robot-backup", "of-backup")] {
        let secret = platform.wait_for("Secret", &format!("{name}.{CLUSTER}.credentials"));
        assert_eq!(decoded(&secret["data"]["password"]), password, "{name}");
    }
    let known = operator.json("/config/")["controller"]["InfrastructureRoles"].clone();
    assert_eq!(known["robot_zmon"]["MemberOf"], json!(["robots"]), "{known:#}");
    assert_eq!(known["robot_backup"]["MemberOf"], json!(["robots"]), "{known:#}");
    assert!(known["robot_backup"]["Flags"].to_string().contains("CREATEDB"), "{known:#}");
    // Followed: a new password is in the copies.
    let new = json!({ "stringData": { "password": "of-zmon-anew" } });
    platform.kube.patch_merge("Secret", &platform.namespace, "monitoring", &new);
    eventually("the copy follows", || {
        let name = format!("robot-zmon.{CLUSTER}.credentials");
        let secret = platform.get("Secret", &name).unwrap_or_default();
        let found = decoded(&secret["data"]["password"]);
        if found == "of-zmon-anew" { Ok(()) } else { Err(found) }
    });
}
