//! Connection poolers: their objects follow the manifest. No pod runs here.

use harness::cloud::decoded;
use harness::{Platform, eventually};
use serde_json::{Value, json};

const CLUSTER: &str = "acid-orders";

fn pooler_of(role: &str) -> String {
    format!("{CLUSTER}-pooler{role}")
}

/// What carries the labels of poolers, by name.
fn of_poolers(platform: &Platform, kind: &str) -> Vec<String> {
    let labels = format!("application=db-connection-pooler,cluster-name={CLUSTER}");
    let mut names = platform.kube.names(kind, &platform.namespace, &labels);
    names.sort();
    names
}

#[track_caller]
fn there_are(platform: &Platform, kind: &str, wanted: &[&str]) {
    eventually(&format!("{kind} {wanted:?}"), || {
        let found = of_poolers(platform, kind);
        if found == wanted { Ok(()) } else { Err((found, platform.status(CLUSTER))) }
    });
}

#[track_caller]
fn becomes(platform: &Platform, kind: &str, name: &str, what: &str, is: impl Fn(&Value) -> bool) {
    eventually(&format!("{kind} {name}: {what}"), || {
        let object = platform.get(kind, name).unwrap_or_default();
        if is(&object) { Ok(()) } else { Err(object) }
    });
}

fn variables(deployment: &Value) -> Vec<String> {
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let all = container["env"].as_array().cloned().unwrap_or_default();
    all.iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect()
}

fn dns(service: &Value) -> &Value {
    &service["metadata"]["annotations"]["external-dns.alpha.kubernetes.io/hostname"]
}

/// What zalando/postgres-operator promises of poolers, one after the other, as there.
#[test]
fn poolers_are_switched_on_and_off_scaled_and_balanced_one_by_one() {
    let platform = Platform::new();
    let _operator = platform.start();
    let (master, replica) = (pooler_of(""), pooler_of("-repl"));
    let user = format!("pooler.{CLUSTER}.credentials.postgresql.acid.zalan.do");
    let both = json!({ "enableConnectionPooler": true, "enableReplicaConnectionPooler": true,
        "tls": { "secretName": "pg-tls" } });
    platform.apply(CLUSTER, &both);
    there_are(&platform, "Deployment", &[&master, &replica]);
    there_are(&platform, "Service", &[&master, &replica]);
    let lists = [format!("{replica}-u"), format!("{master}-u")];
    there_are(&platform, "Secret", &[&lists[0], &lists[1], &user]);
    for name in [&master, &replica] {
        let deployment = platform.wait_for("Deployment", name);
        assert_eq!(deployment["spec"]["replicas"], 2, "{name}");
        let names = variables(&deployment);
        for wanted in ["CONNECTION_POOLER_CLIENT_TLS_CRT", "CONNECTION_POOLER_CLIENT_TLS_KEY"] {
            assert!(names.iter().any(|name| name == wanted), "{names:?}");
        }
        let mounts = &deployment["spec"]["template"]["spec"]["containers"][0]["volumeMounts"];
        assert_eq!(mounts[0]["name"], "pg-tls");
    }
    let list = decoded(&platform.wait_for("Secret", &lists[1])["data"]["userlist.txt"]);
    let password = decoded(&platform.wait_for("Secret", &user)["data"]["password"]);
    assert_eq!(list, format!("\"pooler\" \"{password}\"\n"));
    platform.wait_for_condition(CLUSTER, "PoolerReady", ("False", "Rollout"));
    platform.wait_for_condition(CLUSTER, "ResourcesReady", ("True", "Ready"));

    let mut balanced = both.clone();
    balanced["enableMasterPoolerLoadBalancer"] = json!(true);
    balanced["enableReplicaPoolerLoadBalancer"] = json!(true);
    platform.apply(CLUSTER, &balanced);
    for name in [&master, &replica] {
        let address = format!("{name}.{}.db.example.com", platform.namespace);
        becomes(&platform, "Service", name, "is balanced", |service| {
            service["spec"]["type"] == "LoadBalancer" && *dns(service) == address
        });
    }

    let mut other = balanced.clone();
    other["enableConnectionPooler"] = json!(false);
    platform.apply(CLUSTER, &other);
    there_are(&platform, "Deployment", &[&replica]);
    there_are(&platform, "Service", &[&replica]);
    there_are(&platform, "Secret", &[&lists[0], &user]);

    other["enableConnectionPooler"] = json!(true);
    other["enableReplicaConnectionPooler"] = json!(false);
    other["enableMasterPoolerLoadBalancer"] = json!(false);
    platform.apply(CLUSTER, &other);
    there_are(&platform, "Deployment", &[&master]);
    there_are(&platform, "Service", &[&master]);
    becomes(&platform, "Service", &master, "is inside", |service| {
        service["spec"]["type"] == "ClusterIP" && dns(service).is_null()
    });

    other["connectionPooler"] = json!({ "numberOfInstances": 3 });
    platform.apply(CLUSTER, &other);
    becomes(&platform, "Deployment", &master, "has three", |it| it["spec"]["replicas"] == 3);
    // A flag that says no goes before a section.
    other["enableConnectionPooler"] = json!(false);
    platform.apply(CLUSTER, &other);
    for kind in ["Deployment", "Service", "Secret"] {
        there_are(&platform, kind, &[]);
    }
    platform.wait_for_condition(CLUSTER, "PoolerReady", ("Unknown", "NotWanted"));
    assert!(platform.get("StatefulSet", CLUSTER).is_some());
    platform.kube.delete("postgresql", &platform.namespace, CLUSTER);
}

#[test]
fn a_broken_deployment_of_that_name_is_taken_over_and_a_password_makes_new_pods() {
    let platform = Platform::new();
    let operator = platform.start();
    let name = pooler_of("");
    let labels = json!({ "application": "db-connection-pooler", "connection-pooler": name,
        "cluster-name": CLUSTER });
    let broken = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name, "namespace": platform.namespace, "labels": {
            "application": "db-connection-pooler", "connection-pooler": name } },
        "spec": {
            "replicas": 1, "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": {
                "serviceAccountName": "postgres-operator",
                "containers": [{ "name": "postgres-operator", "image": "pgbouncer:master-19" }],
            } },
        },
    });
    let before = platform.kube.create(&broken)["metadata"]["uid"].clone();
    platform.apply(CLUSTER, &json!({ "enableConnectionPooler": true }));
    becomes(&platform, "Deployment", &name, "is ours", |deployment| {
        let containers = &deployment["spec"]["template"]["spec"]["containers"];
        deployment["spec"]["replicas"] == 2
            && deployment["metadata"]["uid"] != before
            && containers.as_array().is_some_and(|all| all.len() == 1)
            && containers[0]["name"] == "connection-pooler"
    });
    // What somebody changes by hand is put right, and nothing is written without a reason.
    let wrong = json!({ "spec": { "replicas": 7 } });
    platform.kube.patch_merge("Deployment", &platform.namespace, &name, &wrong);
    becomes(&platform, "Deployment", &name, "has two", |it| it["spec"]["replicas"] == 2);
    operator.wait_until_idle();
    operator.stop();
    let plane = harness::ControlPlane::shared();
    let mark = plane.mark();
    let operator = platform.start();
    eventually("the other one has looked", || {
        let status = operator.json("/status/");
        if status["Clusters"] == 1 { Ok(()) } else { Err(status) }
    });
    operator.wait_until_idle();
    let writes = plane.writes_since(mark, &platform.user());
    let writes = writes.iter().filter(|one| one.resource != "leases" && one.resource != "events");
    let writes: Vec<String> = writes.map(|one| format!("{} {}", one.verb, one.uri)).collect();
    assert_eq!(writes, Vec::<String>::new());

    let version = |deployment: &Value| {
        let template = &deployment["spec"]["template"]["metadata"];
        template["annotations"]["acid.zalan.do/pooler-users"].clone()
    };
    assert_eq!(version(&platform.wait_for("Deployment", &name)), Value::Null);
    let user = format!("pooler.{CLUSTER}.credentials.postgresql.acid.zalan.do");
    let new = json!({ "stringData": { "password": "my-own-choice" } });
    platform.kube.patch_merge("Secret", &platform.namespace, &user, &new);
    becomes(&platform, "Deployment", &name, "is rolled", |it| version(it).is_string());
    let list = platform.wait_for("Secret", &format!("{name}-u"));
    assert_eq!(decoded(&list["data"]["userlist.txt"]), "\"pooler\" \"my-own-choice\"\n");
    platform.kube.delete("postgresql", &platform.namespace, CLUSTER);
    for kind in ["Deployment", "Service"] {
        there_are(&platform, kind, &[]);
    }
}
