//! What runs of a complete cluster: its pods, those of its poolers, its backups.

use serde_json::{Value, json};

use super::complete::{CLOUD, Of, TLS, all_labels_of_pooler, full, inherited, labels_of_pooler};
use super::{base, field, key, of_every_pod, plain, secret_of};
use crate::cloud::{CLUSTER, secret_name};

/// The list of the manifest, with the line for tokens that whoever has a list of his own needs.
pub(super) const HBA: [&str; 7] = [
    "local all all trust",
    "host all all 127.0.0.1/32 md5",
    "local replication standby trust",
    "hostssl replication standby all md5",
    "hostnossl all all all reject",
    "hostssl all +users all pam",
    "hostssl all all all md5",
];

fn annotations() -> Value {
    let mut all = inherited();
    all["example.com/scrape"] = json!("false");
    all["example.com/team"] = json!("acid");
    all
}

fn security() -> Value {
    json!({ "privileged": false, "readOnlyRootFilesystem": false, "allowPrivilegeEscalation": true })
}

/// On different nodes.
fn apart(labels: &Value) -> Value {
    json!({ "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [{
        "labelSelector": { "matchLabels": labels }, "topologyKey": "kubernetes.io/hostname",
    }] } })
}

fn postgres_ports() -> Value {
    json!([
        { "containerPort": 8008, "protocol": "TCP" },
        { "containerPort": 5432, "protocol": "TCP" },
        { "containerPort": 8080, "protocol": "TCP" },
    ])
}

fn mount(name: &str, path: &str) -> Value {
    json!({ "name": name, "mountPath": path })
}

pub(super) fn stateful_set(of: &Of<'_>) -> Value {
    let data = mount("pgdata", "/home/postgres/pgdata");
    let (cloud, scratch) = (mount(CLOUD, "/var/cloud"), mount("scratch", "/home/postgres/scratch"));
    let postgres = json!({
        "name": "postgres", "image": "registry.example.com/spilo-15:3.0-p1",
        "imagePullPolicy": "IfNotPresent", "ports": postgres_ports(),
        "env": environment(of),
        "resources": { "requests": { "cpu": "10m", "memory": "100Mi" },
            "limits": { "cpu": "500m", "memory": "500Mi" } },
        "volumeMounts": [data, mount("dshm", "/dev/shm"), cloud, scratch, mount(TLS, "/tls")],
        "readinessProbe": {
            "httpGet": { "path": "/readiness", "port": 8008, "scheme": "HTTP" },
            "initialDelaySeconds": 6, "periodSeconds": 10, "timeoutSeconds": 5,
            "successThreshold": 1, "failureThreshold": 3,
        },
        "securityContext": security(),
    });
    let exporter = json!({
        "name": "exporter", "image": "registry.example.com/exporter:1",
        "imagePullPolicy": "IfNotPresent",
        "ports": [{ "name": "metrics", "containerPort": 9187, "protocol": "TCP" }],
        "env": [
            field("POD_NAME", "metadata.name"), field("POD_NAMESPACE", "metadata.namespace"),
            plain("POSTGRES_USER", "postgres"), secret_of("POSTGRES_PASSWORD", "postgres"),
            plain("TARGET", "127.0.0.1"),
        ],
        "resources": { "requests": { "cpu": "20m", "memory": "20Mi" },
            "limits": { "cpu": "100m", "memory": "100Mi" } },
        "volumeMounts": [data, cloud, scratch],
    });
    json!({
        "replicas": 2,
        "selector": { "matchLabels": base() },
        "template": {
            "metadata": { "creationTimestamp": null, "labels": full(),
                "annotations": annotations(), "namespace": of.namespace },
            "spec": {
                "volumes": [
                    { "name": "dshm", "emptyDir": { "medium": "Memory" } },
                    { "name": CLOUD, "secret": { "secretName": CLOUD } },
                    { "name": "scratch", "emptyDir": {} },
                    { "name": TLS, "secret": { "secretName": TLS, "defaultMode": 0o640 } },
                ],
                "initContainers": [{ "name": "date", "image": "registry.example.com/busybox:1",
                    "command": ["/bin/date"], "resources": {} }],
                "containers": [postgres, exporter],
                "affinity": apart(&full()),
                "terminationGracePeriodSeconds": 300,
                "serviceAccountName": "postgres-pod",
                "securityContext": { "fsGroup": 103 },
            },
        },
        "volumeClaimTemplates": [{
            "metadata": { "name": "pgdata", "creationTimestamp": null, "labels": full(),
                "annotations": inherited() },
            "spec": { "accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem",
                "resources": { "requests": { "storage": "1Gi" } } },
            "status": {},
        }],
        "serviceName": CLUSTER,
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": { "type": "OnDelete" },
        "persistentVolumeClaimRetentionPolicy": { "whenDeleted": "Retain", "whenScaled": "Retain" },
    })
}

/// In its order, the configuration of Spilo in its order of keys.
fn environment(of: &Of<'_>) -> Vec<Value> {
    let hba = json!(HBA);
    let spilo = format!(
        r#"{{"postgresql":{{"parameters":{{"shared_buffers":"32MB"}},"pg_hba":{hba}}},"bootstrap":{{"initdb":[{{"auth-host":"scram-sha-256"}},{{"auth-local":"trust"}},"data-checksums",{{"encoding":"UTF8"}},{{"locale":"C.UTF-8"}}],"dcs":{{"ttl":20,"loop_wait":1,"retry_timeout":3,"maximum_lag_on_failover":33554432,"synchronous_mode":true,"postgresql":{{"parameters":{{"log_min_duration_statement":"1000","max_connections":"60"}}}}}}}}}}"#
    );
    let wal = vec![plain("ENABLE_WAL_PATH_COMPAT", "true")];
    let mut all = of_every_pod(&of.pam, wal, &spilo);
    all.extend([
        plain("KUBERNETES_USE_CONFIGMAPS", "true"),
        plain("LANG_OF_LOGS", "en"),
        key("AWS_KEY", "pod-environment", "AWS_KEY"),
        key("WALG_KEY", "pod-environment", "WALG_KEY"),
        plain("BACKUP_NUM_TO_RETAIN", "5"),
        plain("WAL_S3_BUCKET", "wal"),
        plain("WAL_BUCKET_SCOPE_SUFFIX", &format!("/{}", of.uid)),
        plain("WAL_BUCKET_SCOPE_PREFIX", ""),
        plain("SSL_CERTIFICATE_FILE", "/tls/tls.crt"),
        plain("SSL_PRIVATE_KEY_FILE", "/tls/tls.key"),
        plain("SSL_CA_FILE", "/tls/ca.crt"),
    ]);
    all
}

/// The Deployment of one.
pub(super) fn pooler(of: &Of<'_>, suffix: &str, role: &str) -> Value {
    let user = secret_name("pooler");
    let host = if role == "master" { CLUSTER.to_owned() } else { format!("{CLUSTER}-repl") };
    let env = [
        plain("PGHOST", &host),
        plain("PGPORT", "5432"),
        key("PGUSER", &user, "username"),
        plain("PGSCHEMA", "pooler"),
        key("PGPASSWORD", &user, "password"),
        plain("CONNECTION_POOLER_PORT", "5432"),
        plain("CONNECTION_POOLER_MODE", "session"),
        plain("CONNECTION_POOLER_DEFAULT_SIZE", "15"),
        plain("CONNECTION_POOLER_MIN_SIZE", "7"),
        plain("CONNECTION_POOLER_RESERVE_SIZE", "7"),
        plain("CONNECTION_POOLER_MAX_CLIENT_CONN", "10000"),
        plain("CONNECTION_POOLER_MAX_DB_CONN", "30"),
        plain("INFRASTRUCTURE_ROLES", ""),
        plain("CONNECTION_POOLER_CLIENT_TLS_CRT", "/tls/tls.crt"),
        plain("CONNECTION_POOLER_CLIENT_TLS_KEY", "/tls/tls.key"),
        plain("CONNECTION_POOLER_CLIENT_CA_FILE", "/tls/ca.crt"),
    ];
    let users = json!({ "name": "userlist", "mountPath": "/etc/pgbouncer/userlist.txt",
        "subPath": "userlist.txt" });
    let container = json!({
        "name": "connection-pooler",
        "image": "ghcr.io/zalando/postgres-operator/pgbouncer:v2.0.1",
        "imagePullPolicy": "IfNotPresent",
        "ports": [{ "containerPort": 5432, "protocol": "TCP" }],
        "env": env,
        "resources": { "requests": { "cpu": "50m", "memory": "50Mi" },
            "limits": { "cpu": "1", "memory": "100Mi" } },
        "volumeMounts": [mount(TLS, "/tls"), users],
        "readinessProbe": { "tcpSocket": { "port": 5432 } },
        "securityContext": { "allowPrivilegeEscalation": false },
    });
    json!({
        "replicas": 2,
        "selector": { "matchLabels": labels_of_pooler(suffix) },
        "template": {
            "metadata": { "creationTimestamp": null, "namespace": of.namespace,
                "labels": all_labels_of_pooler(suffix, role), "annotations": annotations() },
            "spec": {
                "volumes": [
                    { "name": TLS, "secret": { "secretName": TLS, "defaultMode": 0o640 } },
                    { "name": "userlist", "secret": {
                        "secretName": format!("{CLUSTER}{suffix}-u") } },
                ],
                "containers": [container],
                "affinity": apart(&labels_of_pooler(suffix)),
                "terminationGracePeriodSeconds": 300,
                "serviceAccountName": "postgres-pod",
                "securityContext": { "runAsUser": 100, "runAsGroup": 101, "fsGroup": 103 },
            },
        },
        "strategy": {},
    })
}

/// The CronJob. Keys of the cloud stand in it.
pub(super) fn backup(of: &Of<'_>) -> Value {
    let env = [
        plain("SCOPE", CLUSTER),
        plain("CLUSTER_NAME_LABEL", "cluster-name"),
        field("POD_NAMESPACE", "metadata.namespace"),
        plain("PG_VERSION", "15"),
        plain("PGPORT", "5432"),
        plain("PGUSER", "postgres"),
        plain("PGDATABASE", "postgres"),
        plain("PGSSLMODE", "require"),
        secret_of("PGPASSWORD", "postgres"),
        plain("LOGICAL_BACKUP_PROVIDER", "s3"),
        plain("LOGICAL_BACKUP_S3_BUCKET", "dumps"),
        plain("LOGICAL_BACKUP_S3_BUCKET_PREFIX", "spilo"),
        plain("LOGICAL_BACKUP_S3_BUCKET_SCOPE_SUFFIX", &format!("/{}", of.uid)),
        plain("LOGICAL_BACKUP_S3_REGION", "eu-central-1"),
        plain("LOGICAL_BACKUP_S3_ENDPOINT", ""),
        plain("LOGICAL_BACKUP_S3_SSE", ""),
        plain("LOGICAL_BACKUP_S3_RETENTION_TIME", ""),
        plain("AWS_ACCESS_KEY_ID", "of-dumps"),
        plain("AWS_SECRET_ACCESS_KEY", &super::password("dumps")),
    ];
    let mut labels = full();
    labels["application"] = json!("spilo-logical-backup");
    let near = json!({ "podAffinity": { "preferredDuringSchedulingIgnoredDuringExecution": [{
        "weight": 1, "podAffinityTerm": { "labelSelector": { "matchLabels": labels },
            "topologyKey": "kubernetes.io/hostname" },
    }] } });
    let container = json!({
        "name": "logical-backup",
        "image": "ghcr.io/zalando/postgres-operator/logical-backup:v2.0.1",
        "imagePullPolicy": "IfNotPresent", "ports": postgres_ports(), "env": env,
        "resources": { "requests": { "cpu": "100m", "memory": "100Mi" },
            "limits": { "cpu": "1", "memory": "500Mi" } },
        "volumeMounts": [mount(CLOUD, "/var/cloud")],
        "securityContext": security(),
    });
    let template = json!({
        "metadata": { "creationTimestamp": null, "namespace": of.namespace, "labels": labels,
            "annotations": annotations() },
        "spec": {
            "volumes": [{ "name": CLOUD, "secret": { "secretName": CLOUD } }],
            "containers": [container], "affinity": near, "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 300, "serviceAccountName": "postgres-pod",
            "securityContext": {},
        },
    });
    json!({
        "schedule": "30 01 * * *", "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 3,
        "jobTemplate": { "metadata": { "creationTimestamp": null },
            "spec": { "template": template, "ttlSecondsAfterFinished": 86_400 } },
    })
}
