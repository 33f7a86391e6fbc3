use k8s_openapi::api::apps::v1::Deployment;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::*;
use crate::build::tests::{cluster, config as bare, pairs};

fn config() -> Config {
    let mut config = bare();
    config.services.master_dns_name_format = "{cluster}.{namespace}.{hostedzone}".to_owned();
    config.services.replica_dns_name_format = "{cluster}-repl.{namespace}.{hostedzone}".to_owned();
    config.services.master_legacy_dns_name_format = "{cluster}.{team}.{hostedzone}".to_owned();
    config.services.db_hosted_zone = "db.example.com".to_owned();
    config.services.external_traffic_policy = "Cluster".to_owned();
    config.poolers = config::Poolers {
        number_of_instances: 2,
        schema: "pooler".to_owned(),
        user: "pooler".to_owned(),
        image: "ghcr.io/zalando/postgres-operator/pgbouncer:v2.0.1".to_owned(),
        mode: "transaction".to_owned(),
        max_db_connections: 60,
        ..config::Poolers::default()
    };
    config
}

fn spec(more: Value) -> PostgresSpec {
    cluster(more).spec
}

fn roles(more: Value) -> Vec<Role> {
    of(&spec(more), &config()).map(|pooler| pooler.roles).unwrap_or_default()
}

fn built(role: Role, more: Value, config: &Config) -> Value {
    let cluster = cluster(more);
    let pooler = of(&cluster.spec, config).expect("somebody asks for one");
    let deployment: Deployment = deployment(&pooler, role, &cluster, config, &Facts::default());
    serde_json::to_value(deployment).unwrap()
}

/// `name=value`.
fn env(deployment: &Value) -> Vec<String> {
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let all = container["env"].as_array().unwrap().iter().map(|one| {
        let key = &one["valueFrom"]["secretKeyRef"];
        let of = format!("@{}/{}", text(&key["name"]), text(&key["key"]));
        let value = if key.is_null() { text(&one["value"]) } else { of };
        format!("{}={value}", text(&one["name"]))
    });
    all.collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_section_without_a_flag_asks_for_a_pooler_of_the_primary_alone() {
    use Role::{Master, Replica};
    for (more, wanted) in [
        (json!({}), vec![]),
        (json!({ "connectionPooler": {} }), vec![Master]),
        (json!({ "connectionPooler": null }), vec![]),
        (json!({ "enableConnectionPooler": true }), vec![Master]),
        (json!({ "enableConnectionPooler": false, "connectionPooler": {} }), vec![]),
        (json!({ "enableReplicaConnectionPooler": true }), vec![Replica]),
        (json!({ "enableReplicaConnectionPooler": false, "connectionPooler": {} }), vec![Master]),
        (
            json!({ "enableReplicaConnectionPooler": true, "connectionPooler": {} }),
            vec![Master, Replica],
        ),
    ] {
        assert_eq!(roles(more.clone()), wanted, "{more}");
    }
}

#[test]
fn a_manifest_says_more_than_the_configuration() {
    let mut config = config();
    let pooler = of(&spec(json!({ "connectionPooler": { "user": "" } })), &config).unwrap();
    assert_eq!((pooler.user.as_str(), pooler.schema.as_str()), ("pooler", "pooler"));
    assert_eq!((pooler.instances, pooler.max_db_connections), (2, 60));
    // What the CRD form has where nothing is said.
    config.poolers.max_db_connections = 0;
    let own = json!({ "connectionPooler": {
        "numberOfInstances": 3, "user": "bouncer", "schema": "bouncing", "mode": "session",
        "dockerImage": "registry.example.com/pgbouncer:1", "resources": { "limits": { "cpu": 1 } },
    } });
    let pooler = of(&spec(own), &config).unwrap();
    assert_eq!((pooler.user.as_str(), pooler.schema.as_str()), ("bouncer", "bouncing"));
    assert_eq!((pooler.instances, pooler.max_db_connections), (3, 60));
    assert_eq!(pooler.mode, "session");
    assert_eq!(pooler.image, "registry.example.com/pgbouncer:1");
}

#[test]
fn the_deployment_is_that_of_the_reference() {
    let made = built(Role::Master, json!({ "connectionPooler": {} }), &config());
    let base = json!({
        "application": "db-connection-pooler", "cluster-name": "acid-minimal-cluster",
        "connection-pooler": "acid-minimal-cluster-pooler",
    });
    let mut all = base.clone();
    all.as_object_mut()
        .unwrap()
        .extend([("team".to_owned(), json!("acid")), ("spilo-role".to_owned(), json!("master"))]);
    assert_eq!(made["metadata"]["name"], "acid-minimal-cluster-pooler");
    assert_eq!(made["metadata"]["labels"], all);
    assert_eq!(made["spec"]["replicas"], 2);
    assert_eq!(made["spec"]["selector"]["matchLabels"], base);
    let template = &made["spec"]["template"];
    assert_eq!(template["metadata"], json!({ "labels": all }));
    let pod = &template["spec"];
    assert_eq!(pod["serviceAccountName"], "postgres-pod");
    assert_eq!(pod["terminationGracePeriodSeconds"], 300);
    assert_eq!(pod["securityContext"], json!({ "runAsUser": 100, "runAsGroup": 101 }));
    let container = &pod["containers"][0];
    assert_eq!(container["name"], "connection-pooler");
    assert_eq!(container["image"], "ghcr.io/zalando/postgres-operator/pgbouncer:v2.0.1");
    assert_eq!(container["imagePullPolicy"], "IfNotPresent");
    assert_eq!(container["ports"], json!([{ "containerPort": 5432, "protocol": "TCP" }]));
    assert_eq!(container["readinessProbe"], json!({ "tcpSocket": { "port": 5432 } }));
    assert_eq!(container["securityContext"], json!({ "allowPrivilegeEscalation": false }));
    let secret = "pooler.acid-minimal-cluster.credentials.postgresql.acid.zalan.do";
    assert_eq!(
        env(&made),
        [
            "PGHOST=acid-minimal-cluster",
            "PGPORT=5432",
            &format!("PGUSER=@{secret}/username"),
            "PGSCHEMA=pooler",
            &format!("PGPASSWORD=@{secret}/password"),
            "CONNECTION_POOLER_PORT=5432",
            "CONNECTION_POOLER_MODE=transaction",
            "CONNECTION_POOLER_DEFAULT_SIZE=15",
            "CONNECTION_POOLER_MIN_SIZE=7",
            "CONNECTION_POOLER_RESERVE_SIZE=7",
            "CONNECTION_POOLER_MAX_CLIENT_CONN=10000",
            "CONNECTION_POOLER_MAX_DB_CONN=30",
            "INFRASTRUCTURE_ROLES=",
        ]
    );
    let users = json!([{ "name": "userlist", "secret": {
        "secretName": "acid-minimal-cluster-pooler-u" } }]);
    assert_eq!(pod["volumes"], users);
    let mounts = json!([{ "name": "userlist", "mountPath": "/etc/pgbouncer/userlist.txt",
        "subPath": "userlist.txt" }]);
    assert_eq!(container["volumeMounts"], mounts);
}

#[test]
fn the_pooler_of_replicas_leads_to_replicas() {
    let more = json!({ "enableReplicaConnectionPooler": true });
    let made = built(Role::Replica, more, &config());
    assert_eq!(made["metadata"]["name"], "acid-minimal-cluster-pooler-repl");
    assert_eq!(made["metadata"]["labels"]["spilo-role"], "replica");
    assert_eq!(env(&made)[0], "PGHOST=acid-minimal-cluster-repl");
}

#[test]
fn connections_are_shared_among_the_instances_and_never_without_limit() {
    let sizes = |instances: i32, most: i32| {
        let more = json!({ "connectionPooler": {
            "numberOfInstances": instances, "maxDBConnections": most } });
        let env = env(&built(Role::Master, more, &config()));
        let number = |name: &str| {
            let found = env.iter().find_map(|one| one.strip_prefix(name)?.strip_prefix('='));
            found.unwrap().parse::<i32>().unwrap()
        };
        (number("CONNECTION_POOLER_MAX_DB_CONN"), number("CONNECTION_POOLER_DEFAULT_SIZE"))
    };
    assert_eq!(sizes(3, 100), (33, 16));
    assert_eq!(sizes(1, 60), (60, 30));
    assert_eq!(sizes(5, 3), (1, 1), "0 is no limit to PgBouncer");
}

#[test]
fn certificates_of_a_manifest_are_those_of_its_poolers() {
    let more = json!({ "enableConnectionPooler": true, "tls": {
        "secretName": "pg-tls", "caFile": "ca.crt", "caSecretName": "pg-ca" } });
    let made = built(Role::Master, more, &config());
    let env = env(&made);
    assert_eq!(
        env[env.len() - 3..],
        [
            "CONNECTION_POOLER_CLIENT_TLS_CRT=/tls/tls.crt",
            "CONNECTION_POOLER_CLIENT_TLS_KEY=/tls/tls.key",
            "CONNECTION_POOLER_CLIENT_CA_FILE=/tlsca/ca.crt",
        ]
    );
    let pod = &made["spec"]["template"]["spec"];
    let of = |list: &Value, field: &str| -> Vec<String> {
        list.as_array().unwrap().iter().map(|one| text(&one[field])).collect()
    };
    assert_eq!(of(&pod["volumes"], "name"), ["pg-tls", "pg-ca", "userlist"]);
    assert_eq!(pod["volumes"][0]["secret"]["defaultMode"], 0o640);
    let mounts = of(&pod["containers"][0]["volumeMounts"], "mountPath");
    assert_eq!(mounts, ["/tls", "/tlsca", "/etc/pgbouncer/userlist.txt"]);
}

#[test]
fn poolers_keep_apart_from_each_other_and_ask_for_what_is_configured() {
    let mut config = config();
    config.pods.enable_pod_antiaffinity = true;
    config.poolers.default_cpu_request = Some("500m".to_owned());
    config.poolers.default_memory_limit = Some("100Mi".to_owned());
    config.resources.default_cpu_request = Some("9".to_owned());
    let more = json!({ "connectionPooler": { "resources": { "requests": { "memory": "50Mi" } } },
        "podAnnotations": { "example.com/a": "b" },
        "tolerations": [{ "key": "postgres", "operator": "Exists" }] });
    let made = built(Role::Master, more, &config);
    let pod = &made["spec"]["template"]["spec"];
    let term =
        &pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let apart = &term[0]["labelSelector"]["matchLabels"];
    assert_eq!(*apart, made["spec"]["selector"]["matchLabels"]);
    assert_eq!(pod["tolerations"][0]["key"], "postgres");
    let wanted = json!({ "requests": { "cpu": "500m", "memory": "50Mi" },
        "limits": { "memory": "100Mi" } });
    assert_eq!(pod["containers"][0]["resources"], wanted);
    let annotations = &made["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(*annotations, json!({ "example.com/a": "b" }));
}

#[test]
fn a_service_selects_by_one_label_and_is_a_load_balancer_with_a_name_of_its_own() {
    let more = json!({
        "enableConnectionPooler": true, "enableMasterPoolerLoadBalancer": true,
        "enableReplicaPoolerLoadBalancer": true, "masterServiceAnnotations": { "a": "b" },
    });
    let cluster = cluster(more);
    let made = |role| serde_json::to_value(service(role, &cluster, &config())).unwrap();
    let (master, replica) = (made(Role::Master), made(Role::Replica));
    assert_eq!(
        master["spec"]["selector"],
        json!({
        "connection-pooler": "acid-minimal-cluster-pooler" })
    );
    assert_eq!(master["spec"]["type"], "LoadBalancer");
    assert_eq!(master["spec"]["loadBalancerSourceRanges"], json!(["127.0.0.1/32"]));
    assert_eq!(
        master["spec"]["ports"],
        json!([{ "name": "acid-minimal-cluster-pooler",
        "port": 5432, "protocol": "TCP", "targetPort": 5432 }])
    );
    assert_eq!(
        master["metadata"]["labels"],
        json!({
        "application": "db-connection-pooler", "cluster-name": "acid-minimal-cluster",
        "connection-pooler": "acid-minimal-cluster-pooler" })
    );
    let dns = "external-dns.alpha.kubernetes.io/hostname";
    assert_eq!(
        master["metadata"]["annotations"],
        json!({ "a": "b",
        dns: "acid-minimal-cluster-pooler.default.db.example.com" })
    );
    assert_eq!(
        replica["metadata"]["annotations"],
        json!({
        dns: "acid-minimal-cluster-pooler-repl.default.db.example.com" })
    );
}

#[test]
fn a_node_port_goes_before_a_load_balancer_and_nothing_is_inside_alone() {
    let made = |more: Value, config: &Config| {
        let cluster = cluster(more);
        serde_json::to_value(service(Role::Replica, &cluster, config)).unwrap()["spec"].clone()
    };
    let mut config = config();
    assert_eq!(made(json!({}), &config)["type"], "ClusterIP");
    config.services.enable_replica_pooler_load_balancer = true;
    assert_eq!(made(json!({}), &config)["type"], "LoadBalancer");
    config.services.enable_replica_pooler_node_port = true;
    let spec = made(json!({ "replicaPoolerNodePort": 30123 }), &config);
    assert_eq!(spec["type"], "NodePort");
    assert_eq!(spec["ports"][0]["nodePort"], 30123);
    let off = json!({ "enableReplicaPoolerNodePort": false,
        "enableReplicaPoolerLoadBalancer": false, "replicaPoolerNodePort": 30123 });
    let spec = made(off, &config);
    assert_eq!(
        (spec["type"].clone(), spec["ports"][0]["nodePort"].clone()),
        (json!("ClusterIP"), Value::Null)
    );
}

#[test]
fn what_no_pooler_could_use_is_refused_with_its_field() {
    let refused = |section: Value| check(&spec(json!({ "connectionPooler": section })));
    for section in [
        json!({ "numberOfInstances": 0 }),
        json!({ "maxDBConnections": -1 }),
        json!({ "user": "x\" \"y" }),
        json!({ "user": "x\ny" }),
        json!({ "user": "Pooler" }),
        json!({ "user": "pg_pooler" }),
        json!({ "schema": "pooler\"; drop table t; --" }),
        json!({ "schema": "Pooler" }),
        json!({ "schema": "pg_pooler" }),
        json!({ "schema": "public" }),
        json!({ "schema": "select" }),
        json!({ "mode": "statement" }),
        json!({ "mode": "session\nauth_type = any" }),
        json!({ "dockerImage": "an image" }),
        json!({ "resources": { "limits": { "cpu": "much" } } }),
    ] {
        let error = refused(section.clone()).expect_err("it is refused");
        let field = section.as_object().unwrap().keys().next().unwrap().clone();
        let at = format!("spec.connectionPooler.{field}");
        assert!(error.field.starts_with(&at), "{section}: {error}");
    }
    assert!(refused(json!({ "user": "my-pooler", "schema": "my_pooler", "mode": "" })).is_ok());
}

#[test]
fn pods_of_poolers_are_never_taken_for_databases() {
    let mut labels = config().labels;
    assert_eq!(confusion(&labels), None);
    assert_eq!(selector(&labels), "application=db-connection-pooler,connection-pooler");
    assert_eq!(selector_of_both(&labels), "application in (spilo,db-connection-pooler)");
    labels.cluster_labels = pairs([("application", "spilo"), ("tier", "db")]);
    assert_eq!(selector_of_both(&labels), "application in (spilo,db-connection-pooler),tier=db");
    labels.cluster_labels = pairs([("app", "postgres")]);
    assert!(confusion(&labels).is_some());
    labels.cluster_labels = pairs([("application", "db-connection-pooler")]);
    assert!(confusion(&labels).is_some());
}

#[test]
fn a_name_that_no_service_could_have_is_too_long() {
    let pooler = |more: Value| of(&spec(more), &config()).unwrap();
    let one = pooler(json!({ "enableConnectionPooler": true }));
    let both = pooler(json!({
        "enableConnectionPooler": true, "enableReplicaConnectionPooler": true }));
    assert_eq!(is_too_long(&"a".repeat(56), &one), None);
    assert!(is_too_long(&"a".repeat(57), &one).is_some());
    assert_eq!(is_too_long(&"a".repeat(51), &both), None);
    assert!(is_too_long(&"a".repeat(52), &both).is_some());
}

#[test]
fn a_list_of_users_is_read_as_it_is_written_and_a_line_is_a_user() {
    let users = [("pooler", "p\"w"), ("monitor", "SCRAM-SHA-256$4096:a$b:c"), ("x\ny", "z")];
    let all = users.map(|(name, password)| (name.to_owned(), Zeroizing::new(password.to_owned())));
    let list = UserList::new(all);
    assert_eq!(
        list.text().as_str(),
        "\"monitor\" \"SCRAM-SHA-256$4096:a$b:c\"\n\"pooler\" \"p\"\"w\"\n"
    );
    assert!(UserList::parse(&list.text()) == list);
    // As the reference has it: in whatever order.
    let other = "\"pooler\" \"p\"\"w\"\n\nbroken\n\"monitor\" \"SCRAM-SHA-256$4096:a$b:c\"";
    assert!(UserList::parse(other) == list);
    assert_eq!(format!("{list:?}"), r#"{"monitor", "pooler"}"#);
    assert_eq!(list.without("pooler").names().collect::<Vec<_>>(), ["monitor"]);
}
