//! A cluster for which its operator does all that it can: load balancer, certificates, sidecars,
//! volumes, poolers, logical backups; configured by an `OperatorConfiguration`.

use serde_json::{Value, json};

use super::workload;
use super::{MANAGER, base, made, password, people, ready, with_role};
use crate::cloud::{CLUSTER, Cloud, secret_name};
use crate::eventually;

/// The configuration.
const SETTINGS: &str = "postgresql-operator-default-configuration";
/// The Secret with the certificate, and with it the volume.
pub(super) const TLS: &str = "pg-tls";
/// That of the cloud, in every container.
pub(super) const CLOUD: &str = "cloud-keys";
/// Of the poolers, in the order of roles: primary, replicas.
pub const POOLERS: [(&str, &str); 2] = [("-pooler", "master"), ("-pooler-repl", "replica")];
/// What a pooler asks, as it makes it.
pub const LOOKUP: &str = "create schema if not exists pooler; \
     create or replace function pooler.user_lookup(in i_username text, out uname text, \
     out phash text) returns record as $$ begin select usename, passwd from pg_catalog.pg_shadow \
     where usename = i_username into uname, phash; return; end; $$ \
     language plpgsql security definer; \
     revoke all on function pooler.user_lookup(text) from public, pooler; \
     grant execute on function pooler.user_lookup(text) to pooler; \
     grant usage on schema pooler to pooler";

/// Who it is for: what tells one of these from another.
pub(super) struct Of<'a> {
    pub(super) namespace: &'a str,
    pub(super) uid: &'a str,
    /// `PAM_OAUTH2`.
    pub(super) pam: String,
}

/// Everything, in its order, until all pods are ready, those of poolers too. From then on an
/// operator reads its configuration.
pub fn install(world: &mut Cloud) {
    configure(world);
    let (kube, namespace) = (&world.platform.kube, &world.platform.namespace);
    for secret in secrets_of_others(world) {
        kube.create(&secret);
    }
    let manifest = kube.try_apply(&manifest(namespace)).expect("a manifest");
    let uid = manifest["metadata"]["uid"].as_str().expect("a uid");
    let of = Of { namespace, uid, pam: world.setting("pam_configuration") };
    for object in objects(&of) {
        kube.create_as(MANAGER, &object);
    }
    let word = json!({ "PostgresClusterStatus": "Running" });
    kube.patch_status("postgresql", namespace, CLUSTER, &word);
    ready(world, 2);
    serve(world);
    eventually("a replica is synchronous", || {
        let chosen = kube.get("ConfigMap", namespace, &format!("{CLUSTER}-sync"));
        let chosen = chosen.unwrap_or_default()["metadata"]["annotations"]["sync_standby"].clone();
        if chosen.as_str().is_some_and(|name| !name.is_empty()) { Ok(()) } else { Err(chosen) }
    });
    // What Patroni made gets the annotations of the manifest.
    for part in ["leader", "config", "sync"] {
        let noted = json!({ "metadata": { "annotations": inherited() } });
        let name = format!("{CLUSTER}-{part}");
        kube.patch_merge_as(MANAGER, "ConfigMap", namespace, &name, &noted);
    }
    people(world, None);
    world.as_superuser(&format!(
        "CREATE ROLE \"pooler\" LOGIN ENCRYPTED PASSWORD '{}'",
        password("pooler")
    ));
    world.as_superuser(LOOKUP);
}

fn configure(world: &mut Cloud) {
    world.platform.is_configured_by(SETTINGS);
    let amounts = json!({
        "default_cpu_request": "100m", "default_memory_request": "100Mi",
        "default_cpu_limit": "1", "default_memory_limit": "500Mi",
    });
    let of_poolers = json!({
        "connection_pooler_default_cpu_request": "50m",
        "connection_pooler_default_memory_request": "50Mi",
        "connection_pooler_default_cpu_limit": "1",
        "connection_pooler_default_memory_limit": "100Mi",
    });
    let configuration = json!({
        "docker_image": "registry.example.com/spilo-15:3.0-p1",
        "enable_crd_registration": false, "workers": 2,
        "enable_spilo_wal_path_compat": true,
        "users": { "super_username": "postgres", "replication_username": "standby" },
        "kubernetes": {
            "custom_pod_annotations": { "example.com/scrape": "false" },
            "enable_finalizers": true,
            "enable_pod_antiaffinity": true,
            "enable_readiness_probe": true,
            "inherited_annotations": ["example.com/owner"],
            "inherited_labels": ["environment"],
            "oauth_token_secret_name": "postgres-operator",
            "pod_environment_configmap": "pod-environment",
            "pod_environment_secret": "pod-environment",
            "spilo_fsgroup": 103,
        },
        "postgres_pod_resources": amounts,
        "load_balancer": {
            "custom_service_annotations": { "example.com/scope": "internal" },
            "db_hosted_zone": "db.example.org",
        },
        "aws_or_gcp": {
            "additional_secret_mount": CLOUD, "additional_secret_mount_path": "/var/cloud",
            "wal_s3_bucket": "wal",
        },
        "logical_backup": {
            "logical_backup_s3_bucket": "dumps", "logical_backup_s3_bucket_prefix": "spilo",
            "logical_backup_s3_region": "eu-central-1",
            "logical_backup_s3_access_key_id": "of-dumps",
            "logical_backup_s3_secret_access_key": password("dumps"),
        },
        "teams_api": {
            "enable_teams_api": true,
            "teams_api_url": world.setting("teams_api_url"),
            "teams_refresh_period": "1s",
            "pam_configuration": world.setting("pam_configuration"),
            "pam_role_name": "users",
        },
        "connection_pooler": of_poolers,
        "logging_rest_api": { "api_port": world.platform.port() },
    });
    let object = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "OperatorConfiguration",
        "metadata": { "name": SETTINGS, "namespace": world.platform.namespace },
        "configuration": configuration,
    });
    world.platform.kube.try_apply(&object).expect("a configuration");
}

/// What administrators have made before.
fn secrets_of_others(world: &Cloud) -> Vec<Value> {
    let namespace = &world.platform.namespace;
    let names = [&*format!("{CLUSTER}.{namespace}.svc.cluster.local")];
    let authority = crate::certificates::Authority::new();
    let identity = authority.issue(&names, |_| {});
    let secret = |name: &str, data: Value| {
        json!({ "apiVersion": "v1", "kind": "Secret", "stringData": data,
            "metadata": { "name": name, "namespace": namespace } })
    };
    vec![
        secret(
            TLS,
            json!({ "tls.crt": identity.certificate_pem, "tls.key": identity.key_pem,
                "ca.crt": authority.pem() }),
        ),
        secret(CLOUD, json!({ "key": "of-the-cloud" })),
        secret("pod-environment", json!({ "WALG_KEY": "of-the-archive", "AWS_KEY": "of-s3" })),
        json!({ "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "pod-environment", "namespace": namespace },
            "data": { "BACKUP_NUM_TO_RETAIN": "5" } }),
    ]
}

/// The manifest, with the finalizer that it has by now.
fn manifest(namespace: &str) -> Value {
    let mut manifest = crate::cloud::minimal(namespace);
    manifest["metadata"]["labels"] = json!({ "environment": "demo" });
    manifest["metadata"]["annotations"] = inherited();
    manifest["metadata"]["finalizers"] = json!(["postgres-operator.acid.zalan.do"]);
    let more = json!({
        "postgresql": { "version": "15", "parameters": {
            "log_min_duration_statement": "1000", "max_connections": "60",
            "shared_buffers": "32MB",
        } },
        "patroni": {
            "ttl": 20, "loop_wait": 1, "retry_timeout": 3,
            "maximum_lag_on_failover": 33_554_432, "synchronous_mode": true,
            "initdb": { "encoding": "UTF8", "locale": "C.UTF-8", "data-checksums": "true" },
            "pg_hba": workload::HBA,
        },
        "allowedSourceRanges": ["10.0.0.0/8", "192.0.2.0/24"],
        "enableMasterLoadBalancer": true,
        "serviceAnnotations": { "example.com/class": "sql" },
        "masterServiceAnnotations": { "example.com/class": "sql-primary" },
        "podAnnotations": { "example.com/team": "acid" },
        "tls": { "secretName": TLS, "caFile": "ca.crt" },
        "resources": { "requests": { "cpu": "10m", "memory": "100Mi" },
            "limits": { "cpu": "500m", "memory": "500Mi" } },
        "env": [{ "name": "LANG_OF_LOGS", "value": "en" }],
        "sidecars": [{ "name": "exporter", "image": "registry.example.com/exporter:1",
            "env": [{ "name": "TARGET", "value": "127.0.0.1" }],
            "ports": [{ "name": "metrics", "containerPort": 9187, "protocol": "TCP" }],
            "resources": { "requests": { "cpu": "20m", "memory": "20Mi" },
                "limits": { "cpu": "100m", "memory": "100Mi" } } }],
        "initContainers": [{ "name": "date", "image": "registry.example.com/busybox:1",
            "command": ["/bin/date"] }],
        "additionalVolumes": [{ "name": "scratch", "mountPath": "/home/postgres/scratch",
            "targetContainers": ["all"], "volumeSource": { "emptyDir": {} } }],
        "enableConnectionPooler": true, "enableReplicaConnectionPooler": true,
        "connectionPooler": { "numberOfInstances": 2, "mode": "session" },
        "enableLogicalBackup": true, "logicalBackupSchedule": "30 01 * * *",
        "maintenanceWindows": ["Sat:01:00-06:00"],
    });
    let spec = manifest["spec"].as_object_mut().expect("a spec");
    spec.extend(more.as_object().expect("fields").clone());
    manifest
}

fn objects(of: &Of<'_>) -> Vec<Value> {
    let namespace = of.namespace;
    let mut all = super::of_namespace(namespace);
    for (name, role) in [(CLUSTER.to_owned(), "master"), (format!("{CLUSTER}-repl"), "replica")] {
        all.push(service(of, &name, role));
    }
    for user in ["postgres", "standby", "zalando", "foo_user"] {
        let mut secret = super::secret(namespace, user, &secret_name(user));
        secret["metadata"]["labels"] = full();
        all.push(noted(secret));
    }
    let mut of_pooler = super::secret(namespace, "pooler", &secret_name("pooler"));
    of_pooler["metadata"]["labels"] = labels_of_pooler("-pooler");
    all.push(noted(of_pooler));
    for mut budget in super::budgets(namespace, &full()) {
        budget = noted(budget);
        all.push(budget);
    }
    let mut set = made("apps/v1", "StatefulSet", namespace, CLUSTER, &full());
    set["spec"] = workload::stateful_set(of);
    set["status"] = json!({ "replicas": 0, "availableReplicas": 0 });
    all.push(noted(set));
    let mut job =
        made("batch/v1", "CronJob", namespace, &format!("logical-backup-{CLUSTER}"), &full());
    job["spec"] = workload::backup(of);
    job["status"] = json!({});
    all.push(noted(job));
    for (suffix, role) in POOLERS {
        let name = format!("{CLUSTER}{suffix}");
        let mut users =
            made("v1", "Secret", namespace, &format!("{name}-u"), &labels_of_pooler(suffix));
        users["stringData"] =
            json!({ "userlist.txt": format!("\"pooler\" \"{}\"\n", password("pooler")) });
        users["type"] = json!("Opaque");
        let labels = all_labels_of_pooler(suffix, role);
        let mut deployment = made("apps/v1", "Deployment", namespace, &name, &labels);
        deployment["spec"] = workload::pooler(of, suffix, role);
        deployment["status"] = json!({});
        all.extend([noted(users), noted(deployment), service_of_pooler(namespace, suffix)]);
    }
    all
}

/// The one of the primary has a load balancer.
fn service(of: &Of<'_>, name: &str, role: &str) -> Value {
    let mut service = made("v1", "Service", of.namespace, name, &with_role(full(), role));
    service["spec"] = json!({
        "ports": [{ "name": "postgresql", "protocol": "TCP", "port": 5432, "targetPort": 5432 }],
        "selector": with_role(base(), role),
        "type": "ClusterIP",
    });
    let mut notes = json!({ "example.com/scope": "internal", "example.com/class": "sql" });
    if role == "master" {
        service["spec"]["type"] = json!("LoadBalancer");
        service["spec"]["loadBalancerSourceRanges"] = json!(["10.0.0.0/8", "192.0.2.0/24"]);
        service["spec"]["externalTrafficPolicy"] = json!("Cluster");
        notes["example.com/class"] = json!("sql-primary");
        let names = format!(
            "{CLUSTER}.{}.db.example.org,minimal-cluster.acid.db.example.org",
            of.namespace
        );
        notes["external-dns.alpha.kubernetes.io/hostname"] = json!(names);
    }
    service["metadata"]["annotations"] = notes;
    service["status"] = json!({ "loadBalancer": {} });
    noted(service)
}

fn service_of_pooler(namespace: &str, suffix: &str) -> Value {
    let name = format!("{CLUSTER}{suffix}");
    let mut service = made("v1", "Service", namespace, &name, &labels_of_pooler(suffix));
    service["spec"] = json!({
        "ports": [{ "name": name, "port": 5432, "targetPort": 5432 }],
        "selector": { "connection-pooler": name },
        "type": "ClusterIP",
    });
    let class = if suffix == "-pooler" { "sql-primary" } else { "sql" };
    service["metadata"]["annotations"] =
        json!({ "example.com/scope": "internal", "example.com/class": class });
    service["status"] = json!({ "loadBalancer": {} });
    noted(service)
}

/// Of the manifest, on every child.
pub(super) fn inherited() -> Value {
    json!({ "example.com/owner": "shop" })
}

fn noted(mut object: Value) -> Value {
    object["metadata"]["annotations"]["example.com/owner"] = json!("shop");
    object
}

pub(super) fn full() -> Value {
    let mut labels = super::full();
    labels["environment"] = json!("demo");
    labels
}

/// By which pods of a pooler are found.
pub(super) fn labels_of_pooler(suffix: &str) -> Value {
    json!({ "application": "db-connection-pooler", "cluster-name": CLUSTER,
        "connection-pooler": format!("{CLUSTER}{suffix}") })
}

pub(super) fn all_labels_of_pooler(suffix: &str, role: &str) -> Value {
    let mut labels = with_role(full(), role);
    labels["application"] = json!("db-connection-pooler");
    labels["connection-pooler"] = json!(format!("{CLUSTER}{suffix}"));
    labels
}

/// Nobody runs containers of poolers: what a kubelet would say of them is said here.
fn serve(world: &Cloud) {
    let (kube, namespace) = (&world.platform.kube, &world.platform.namespace);
    eventually("all pods of poolers are there", || {
        let pods = kube.list("Pod", namespace, "application=db-connection-pooler");
        let is_told = |pod: &&Value| pod["status"]["containerStatuses"].is_array();
        let told = pods.iter().filter(is_told).count();
        if told == 4 { Ok(()) } else { Err((pods.len(), told)) }
    });
    for pod in kube.list("Pod", namespace, "application=db-connection-pooler") {
        let name = pod["metadata"]["name"].as_str().expect("a name");
        let ready = json!([{ "type": "Ready", "status": "True",
            "lastTransitionTime": pod["metadata"]["creationTimestamp"] }]);
        let status = json!({ "phase": "Running", "conditions": ready });
        kube.patch_status("Pod", namespace, name, &status);
    }
    eventually("the poolers serve", || {
        let all = kube.list("Deployment", namespace, "application=db-connection-pooler");
        let serving = all.iter().filter(|own| own["status"]["availableReplicas"] == 2).count();
        if serving == 2 { Ok(()) } else { Err(all) }
    });
}
