//! A cluster as zalando/postgres-operator leaves it: objects by plain creates and updates of its Go
//! client, roles by its statements. Made from what is known of it, and not by our own code.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cloud::{CLUSTER, Cloud, secret_name};
use crate::eventually;

pub mod complete;
mod workload;

/// Whom managed fields name: a Go client is called like its program.
pub const MANAGER: &str = "postgres-operator";
/// Resources that its configuration gives to pods.
pub const RESOURCES: [(&str, &str); 4] = [
    ("default_cpu_request", "100m"),
    ("default_memory_request", "100Mi"),
    ("default_cpu_limit", "1"),
    ("default_memory_limit", "500Mi"),
];

/// What is different from one to the other.
#[derive(Clone, Debug)]
pub struct Reference {
    pub instances: u32,
    pub config_maps: bool,
    pub image: String,
    /// `PAM_OAUTH2`.
    pub pam: String,
    /// The namespace of a Secret elsewhere: that of the user `NAMESPACE.reader`.
    pub elsewhere: Option<String>,
}

impl Reference {
    pub fn new(world: &Cloud, config_maps: bool) -> Self {
        Self {
            instances: 2,
            config_maps,
            image: "registry.example.com/spilo-15:3.0-p1".to_owned(),
            pam: world.setting("pam_configuration"),
            elsewhere: None,
        }
    }

    /// The role whose Secret is elsewhere.
    pub fn reader(&self) -> Option<String> {
        self.elsewhere.as_ref().map(|namespace| format!("{namespace}.reader"))
    }

    /// The manifest that it has, as it leaves it.
    pub fn manifest(&self, namespace: &str) -> Value {
        let mut manifest = crate::cloud::minimal(namespace);
        manifest["spec"]["numberOfInstances"] = json!(self.instances);
        if let Some(reader) = self.reader() {
            manifest["spec"]["users"][reader] = json!([]);
        }
        manifest
    }

    /// Makes everything, in its order, and waits until all pods are ready.
    pub fn install(&self, world: &Cloud) {
        let (kube, namespace) = (&world.platform.kube, &world.platform.namespace);
        kube.try_apply(&self.manifest(namespace)).expect("a manifest");
        for object in self.objects(namespace) {
            kube.create_as(MANAGER, &object);
        }
        // Annotations come by a merge, also to objects that are there.
        let noted = json!({ "metadata": { "annotations": { "example.com/old": "1" } } });
        kube.patch_merge_as(MANAGER, "Service", namespace, &format!("{CLUSTER}-repl"), &noted);
        let word = json!({ "PostgresClusterStatus": "Running" });
        kube.patch_status("postgresql", namespace, CLUSTER, &word);
        ready(world, self.instances);
        people(world, self.reader().as_deref());
    }

    fn objects(&self, namespace: &str) -> Vec<Value> {
        let object = |version: &str, kind: &str, name: &str, labels: Value| {
            made(version, kind, namespace, name, &labels)
        };
        let mut all = of_namespace(namespace);
        if !self.config_maps {
            let mut endpoints = object("v1", "Endpoints", CLUSTER, with_role(full(), "master"));
            endpoints["subsets"] = json!([]);
            all.push(endpoints);
        }
        for (name, role) in [(CLUSTER.to_owned(), "master"), (format!("{CLUSTER}-repl"), "replica")]
        {
            let mut service = object("v1", "Service", &name, with_role(full(), role));
            service["spec"] = json!({
                "ports": [{ "name": "postgresql", "protocol": "TCP", "port": 5432,
                    "targetPort": 5432 }],
                "type": "ClusterIP",
            });
            if self.config_maps || role == "replica" {
                service["spec"]["selector"] = with_role(base(), role);
            }
            service["status"] = json!({ "loadBalancer": {} });
            all.push(service);
        }
        for user in ["postgres", "standby", "zalando", "foo_user", "etl"] {
            all.push(secret(namespace, user, &secret_name(user)));
        }
        if let (Some(place), Some(reader)) = (&self.elsewhere, self.reader()) {
            all.push(secret(place, &reader, &secret_name(&reader)));
        }
        all.extend(budgets(namespace, &full()));
        let mut set = object("apps/v1", "StatefulSet", CLUSTER, full());
        set["spec"] = self.stateful_set(namespace);
        set["status"] = json!({ "replicas": 0, "availableReplicas": 0 });
        all.push(set);
        all
    }

    fn stateful_set(&self, namespace: &str) -> Value {
        json!({
            "replicas": self.instances,
            "selector": { "matchLabels": base() },
            "template": {
                "metadata": { "creationTimestamp": null, "labels": full(), "namespace": namespace },
                "spec": {
                    "volumes": [{ "name": "dshm", "emptyDir": { "medium": "Memory" } }],
                    "containers": [{
                        "name": "postgres", "image": self.image, "imagePullPolicy": "IfNotPresent",
                        "ports": [
                            { "containerPort": 8008, "protocol": "TCP" },
                            { "containerPort": 5432, "protocol": "TCP" },
                            { "containerPort": 8080, "protocol": "TCP" },
                        ],
                        "env": self.environment(),
                        "resources": {
                            "limits": { "cpu": "1", "memory": "500Mi" },
                            "requests": { "cpu": "100m", "memory": "100Mi" },
                        },
                        "volumeMounts": [
                            { "name": "pgdata", "mountPath": "/home/postgres/pgdata" },
                            { "name": "dshm", "mountPath": "/dev/shm" },
                        ],
                        "securityContext": {
                            "privileged": false, "readOnlyRootFilesystem": false,
                            "allowPrivilegeEscalation": true,
                        },
                    }],
                    "terminationGracePeriodSeconds": 300,
                    "serviceAccountName": "postgres-pod",
                    "securityContext": {},
                },
            },
            "volumeClaimTemplates": [{
                "metadata": { "name": "pgdata", "creationTimestamp": null, "labels": full() },
                "spec": { "accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem",
                    "resources": { "requests": { "storage": "1Gi" } } },
                "status": {},
            }],
            "serviceName": CLUSTER,
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": { "type": "OnDelete" },
            "persistentVolumeClaimRetentionPolicy": {
                "whenDeleted": "Retain", "whenScaled": "Retain",
            },
        })
    }

    /// In its order.
    fn environment(&self) -> Vec<Value> {
        // Compact, in this order.
        let spilo = r#"{"postgresql":{},"bootstrap":{"initdb":[{"auth-host":"scram-sha-256"},{"auth-local":"trust"}],"dcs":{"ttl":20,"loop_wait":1,"retry_timeout":3,"failsafe_mode":false}}}"#;
        let mut all = of_every_pod(&self.pam, Vec::new(), spilo);
        if self.config_maps {
            all.push(plain("KUBERNETES_USE_CONFIGMAPS", "true"));
        }
        all
    }
}

/// What the pods of every cluster have, in its order; `more` stands before the version.
fn of_every_pod(pam: &str, more: Vec<Value>, spilo: &str) -> Vec<Value> {
    let before = [
        plain("SCOPE", CLUSTER),
        plain("PGROOT", "/home/postgres/pgdata/pgroot"),
        field("POD_IP", "status.podIP"),
        field("POD_NAMESPACE", "metadata.namespace"),
        plain("PGUSER_SUPERUSER", "postgres"),
        plain("KUBERNETES_SCOPE_LABEL", "cluster-name"),
        plain("KUBERNETES_ROLE_LABEL", "spilo-role"),
        secret_of("PGPASSWORD_SUPERUSER", "postgres"),
        plain("PGUSER_STANDBY", "standby"),
        secret_of("PGPASSWORD_STANDBY", "standby"),
        plain("PAM_OAUTH2", pam),
        plain("HUMAN_ROLE", "users"),
    ];
    let behind = [
        plain("PGVERSION", "15"),
        plain("KUBERNETES_LABELS", r#"{"application":"spilo"}"#),
        plain("SPILO_CONFIGURATION", spilo),
        plain("DCS_ENABLE_KUBERNETES_API", "true"),
        plain("KUBERNETES_BOOTSTRAP_LABELS", r#"{"critical-operation":"true"}"#),
    ];
    before.into_iter().chain(more).chain(behind).collect()
}

/// What pods of a namespace need before the first of them.
fn of_namespace(namespace: &str) -> Vec<Value> {
    vec![
        json!({ "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": "postgres-pod", "namespace": namespace } }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": { "name": "postgres-pod", "namespace": namespace },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                "name": "postgres-pod" },
            "subjects": [{ "kind": "ServiceAccount", "name": "postgres-pod",
                "namespace": namespace }],
        }),
    ]
}

fn made(version: &str, kind: &str, namespace: &str, name: &str, labels: &Value) -> Value {
    json!({ "apiVersion": version, "kind": kind, "metadata": {
        "name": name, "namespace": namespace, "labels": labels, "creationTimestamp": null,
    } })
}

/// Of the primary, and of operations that must not be interrupted.
fn budgets(namespace: &str, labels: &Value) -> [Value; 2] {
    let budget = |name: String, selector: Value, what: &str, value: Value| {
        let mut budget = made("policy/v1", "PodDisruptionBudget", namespace, &name, labels);
        budget["spec"] = json!({ "selector": { "matchLabels": selector } });
        budget["spec"][what] = value;
        budget
    };
    let mut critical = base();
    critical["critical-operation"] = json!("true");
    let (primary, operations) =
        (format!("postgres-{CLUSTER}-pdb"), format!("postgres-{CLUSTER}-critical-op-pdb"));
    [
        budget(primary, with_role(base(), "master"), "minAvailable", json!(1)),
        budget(operations, critical, "maxUnavailable", json!(0)),
    ]
}

/// Variables: as they are, of a field of the pod, of a key of a Secret, the password of a role.
fn plain(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

fn field(name: &str, path: &str) -> Value {
    json!({ "name": name, "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": path } } })
}

fn key(name: &str, secret: &str, key: &str) -> Value {
    json!({ "name": name, "valueFrom": { "secretKeyRef": { "name": secret, "key": key } } })
}

fn secret_of(name: &str, user: &str) -> Value {
    key(name, &secret_name(user), "password")
}

/// Waits for so many pods of the database.
fn ready(world: &Cloud, instances: u32) {
    let (kube, namespace) = (&world.platform.kube, &world.platform.namespace);
    eventually("the pods of the other operator are ready", || {
        let label = format!("application=spilo,cluster-name={CLUSTER}");
        let pods = kube.list("Pod", namespace, &label);
        let is_ready = |pod: &&Value| {
            let conditions = pod["status"]["conditions"].as_array().cloned();
            let mut conditions = conditions.unwrap_or_default().into_iter();
            conditions.any(|own| own["type"] == "Ready" && own["status"] == "True")
                && pod["metadata"]["labels"]["spilo-role"].is_string()
        };
        let ready = pods.iter().filter(is_ready).count();
        if ready == instances as usize { Ok(()) } else { Err(ready) }
    });
    world.logs_in("postgres", &password("postgres"));
}

/// By the statements that it makes. People: alice and bob are in the team; ghost left while no
/// operator ran; old left before, and was renamed.
fn people(world: &Cloud, reader: Option<&str>) {
    let user = |name: &str, flags: &str| {
        let password = password(name);
        format!(
            "SET LOCAL synchronous_commit = 'local'; CREATE ROLE \"{name}\" {flags} ADMIN \"admin\" ENCRYPTED PASSWORD '{password}';"
        )
    };
    let person = |name: &str| {
        format!(
            "SET LOCAL synchronous_commit = 'local'; CREATE ROLE \"{name}\" LOGIN IN ROLE \"users\",\"admin\" PASSWORD NULL; \
             DO $$ BEGIN ALTER ROLE \"{name}\" RESET ALL;ALTER ROLE \"{name}\" SET log_statement TO 'all'; END;$$;"
        )
    };
    let mut statements = vec![
        user("zalando", "CREATEDB LOGIN SUPERUSER"),
        user("foo_user", "LOGIN"),
        format!(
            "CREATE ROLE \"etl\" LOGIN IN ROLE \"admin\" ENCRYPTED PASSWORD '{}';",
            password("etl")
        ),
    ];
    statements.extend(reader.map(|reader| user(reader, "LOGIN")));
    statements.extend(["alice", "bob", "ghost", "old"].map(person));
    statements.push(
        "DO $$ BEGIN ALTER ROLE \"old\" NOLOGIN; END;$$; ALTER ROLE \"old\" RENAME TO \"old_deleted\";"
            .to_owned(),
    );
    for statement in statements {
        world.as_superuser(&statement);
    }
    world.as_superuser("CREATE DATABASE \"foo\" OWNER \"zalando\"");
}

/// 64 letters and digits, always the same of one role.
pub fn password(role: &str) -> String {
    let seed: String = role.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{seed}Qx7").repeat(64).chars().take(64).collect()
}

/// The configuration and the Secret of the robot `etl`, which is on all clusters.
pub fn robots(world: &Cloud) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": { "name": "robots", "namespace": world.platform.namespace },
        "stringData": { "user1": "etl", "password1": password("etl"), "inrole1": "admin" },
    });
    world.platform.kube.create(&secret);
}

fn secret(namespace: &str, user: &str, name: &str) -> Value {
    let data: BTreeMap<&str, String> = [("username", user), ("password", &password(user))]
        .map(|(key, value)| (key, STANDARD.encode(value)))
        .into();
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
        "metadata": { "name": name, "namespace": namespace, "labels": full(),
            "creationTimestamp": null },
    })
}

fn base() -> Value {
    json!({ "application": "spilo", "cluster-name": CLUSTER })
}

fn full() -> Value {
    json!({ "application": "spilo", "cluster-name": CLUSTER, "team": "ACID" })
}

fn with_role(mut labels: Value, role: &str) -> Value {
    labels["spilo-role"] = json!(role);
    labels
}
