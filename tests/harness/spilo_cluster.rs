//! The objects of a cluster as the operator that is to be replaced writes them, by hand: for tests
//! of the node agent, and for clusters that are there before an operator is.

use serde_json::{Value, json};

pub const CLUSTER: &str = "acid-db";
/// Without the characters that Spilo escapes.
pub const PASSWORD: &str = "Zk3NwVt9Qx";

/// Where Patroni keeps who leads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Store {
    Endpoints,
    ConfigMaps,
}

#[derive(Clone, Debug)]
pub struct Cluster<'a> {
    pub namespace: &'a str,
    pub store: Store,
    pub members: u32,
    /// `PAM_OAUTH2`.
    pub pam: &'a str,
    /// `SPILO_CONFIGURATION`.
    pub configuration: String,
    /// The Secret with the certificate of the server; without one each member makes its own.
    pub tls: Option<&'a str>,
}

impl<'a> Cluster<'a> {
    /// Two members that are quick to notice.
    pub fn new(namespace: &'a str, store: Store, pam: &'a str) -> Self {
        let configuration = json!({
            "postgresql": {},
            "bootstrap": {
                "initdb": [{ "auth-host": "scram-sha-256" }, { "auth-local": "trust" }],
                "dcs": { "ttl": 20, "loop_wait": 1, "retry_timeout": 3 },
            },
        });
        Self {
            namespace,
            store,
            members: 2,
            pam,
            configuration: configuration.to_string(),
            tls: None,
        }
    }

    /// In the order in which they are to be made, without Secrets.
    pub fn objects(&self) -> Vec<Value> {
        let port = json!([{ "name": "postgresql", "port": 5432, "targetPort": 5432 }]);
        let mut found = self.access();
        let mut master = self.object("v1", "Service", CLUSTER);
        master["spec"] = json!({ "ports": port });
        match self.store {
            Store::Endpoints => found.push(self.object("v1", "Endpoints", CLUSTER)),
            Store::ConfigMaps => master["spec"]["selector"] = with_role("master"),
        }
        let mut replica = self.object("v1", "Service", &format!("{CLUSTER}-repl"));
        replica["spec"] = json!({ "ports": port, "selector": with_role("replica") });
        found.extend([master, replica, self.stateful_set()]);
        found
    }

    pub fn secrets(&self) -> Vec<Value> {
        let secret = |user: &str| {
            let mut secret = self.object("v1", "Secret", &secret_of(user));
            secret["stringData"] = json!({ "username": user, "password": PASSWORD });
            secret
        };
        ["postgres", "standby"].map(secret).into()
    }

    fn object(&self, version: &str, kind: &str, name: &str) -> Value {
        json!({ "apiVersion": version, "kind": kind, "metadata": {
            "namespace": self.namespace, "name": name, "labels": labels(),
        } })
    }

    fn access(&self) -> Vec<Value> {
        let rbac = "rbac.authorization.k8s.io/v1";
        let mut role = self.object(rbac, "Role", "postgres-pod");
        role["rules"] = json!([
            { "apiGroups": [""], "resources": ["configmaps", "endpoints"],
              "verbs": ["create", "get", "list", "patch", "update", "watch"] },
            { "apiGroups": [""], "resources": ["pods"],
              "verbs": ["get", "list", "patch", "update", "watch"] },
            { "apiGroups": [""], "resources": ["services"], "verbs": ["create"] },
        ]);
        let mut binding = self.object(rbac, "RoleBinding", "postgres-pod");
        binding["roleRef"] = json!({
            "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "postgres-pod",
        });
        binding["subjects"] = json!([{
            "kind": "ServiceAccount", "name": "postgres-pod", "namespace": self.namespace,
        }]);
        vec![self.object("v1", "ServiceAccount", "postgres-pod"), role, binding]
    }

    fn stateful_set(&self) -> Value {
        let mut set = self.object("apps/v1", "StatefulSet", CLUSTER);
        set["spec"] = json!({
            "replicas": self.members, "serviceName": CLUSTER,
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": { "type": "OnDelete" },
            "selector": { "matchLabels": { "application": "spilo", "cluster-name": CLUSTER } },
            "template": {
                "metadata": { "labels": labels() },
                "spec": {
                    "serviceAccountName": "postgres-pod", "terminationGracePeriodSeconds": 30,
                    "containers": [{
                        "name": "postgres", "image": "ghcr.io/zalando/spilo-15:3.0-p1",
                        "env": self.environment(),
                        "volumeMounts": [
                            { "name": "pgdata", "mountPath": "/home/postgres/pgdata" },
                        ],
                    }],
                },
            },
            "volumeClaimTemplates": [{
                "metadata": { "name": "pgdata", "labels": labels() },
                "spec": { "accessModes": ["ReadWriteOnce"],
                          "resources": { "requests": { "storage": "1Gi" } } },
            }],
        });
        if let Some(secret) = self.tls {
            let pod = &mut set["spec"]["template"]["spec"];
            pod["volumes"] = json!([
                { "name": secret, "secret": { "secretName": secret, "defaultMode": 0o640 } },
            ]);
            let mount = json!({ "name": secret, "mountPath": "/tls", "readOnly": true });
            let mounts = pod["containers"][0]["volumeMounts"].as_array_mut();
            mounts.expect("a list").push(mount);
        }
        set
    }

    fn environment(&self) -> Vec<Value> {
        let plain = [
            ("SCOPE", CLUSTER),
            ("PGROOT", "/home/postgres/pgdata/pgroot"),
            ("PGUSER_SUPERUSER", "postgres"),
            ("KUBERNETES_SCOPE_LABEL", "cluster-name"),
            ("KUBERNETES_ROLE_LABEL", "spilo-role"),
            ("PGUSER_STANDBY", "standby"),
            ("PAM_OAUTH2", self.pam),
            ("HUMAN_ROLE", "zalandos"),
            ("KUBERNETES_LABELS", r#"{"application":"spilo"}"#),
            ("SPILO_CONFIGURATION", &self.configuration),
            ("DCS_ENABLE_KUBERNETES_API", "true"),
        ];
        let mut found: Vec<_> =
            plain.map(|(name, value)| json!({ "name": name, "value": value })).into();
        let field = |path: &str| json!({ "fieldRef": { "fieldPath": path } });
        let secret =
            |user: &str| json!({ "secretKeyRef": { "name": secret_of(user), "key": "password" } });
        for (name, from) in [
            ("POD_IP", field("status.podIP")),
            ("POD_NAMESPACE", field("metadata.namespace")),
            ("PGPASSWORD_SUPERUSER", secret("postgres")),
            ("PGPASSWORD_STANDBY", secret("standby")),
        ] {
            found.push(json!({ "name": name, "valueFrom": from }));
        }
        if self.store == Store::ConfigMaps {
            found.push(json!({ "name": "KUBERNETES_USE_CONFIGMAPS", "value": "true" }));
        }
        if self.tls.is_some() {
            for (name, file) in [("CERTIFICATE", "crt"), ("PRIVATE_KEY", "key")] {
                let name = format!("SSL_{name}_FILE");
                found.push(json!({ "name": name, "value": format!("/tls/tls.{file}") }));
            }
        }
        found
    }
}

pub fn secret_of(user: &str) -> String {
    format!("{user}.{CLUSTER}.credentials.postgresql.acid.zalan.do")
}

fn labels() -> Value {
    json!({ "application": "spilo", "cluster-name": CLUSTER, "team": "acid" })
}

fn with_role(role: &str) -> Value {
    json!({ "application": "spilo", "cluster-name": CLUSTER, "spilo-role": role })
}
