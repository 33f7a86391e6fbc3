use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::EnvVar;
use serde_json::{Value, json};

use super::*;
use crate::build::vectors;
use crate::config::from_config_map;

fn config(keys: &[(&str, &str)]) -> Config {
    let data: BTreeMap<String, String> =
        keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    from_config_map(&data, &crate::config::Environment::default()).unwrap().config
}

fn json_of(cluster: &Cluster, config: &Config, keys: &[&str]) -> Value {
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    serde_json::to_value(cron_job(cluster, config, &keys)).unwrap()
}

fn written(job: &Value) -> Vec<String> {
    let container = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let all: Vec<EnvVar> = serde_json::from_value(container["env"].clone()).unwrap();
    all.iter()
        .map(|one| {
            let source = one.value_from.clone().unwrap_or_default();
            match (&one.value, source.field_ref, source.secret_key_ref) {
                (Some(value), None, None) => format!("{}={value}", one.name),
                (None, Some(field), None) => format!("{}={}", one.name, field.field_path),
                (None, None, Some(key)) => format!("{}=<{}/{}>", one.name, key.name, key.key),
                _ => panic!("{one:?}"),
            }
        })
        .collect()
}

const SERVER: [&str; 9] = [
    "SCOPE=acid-minimal-cluster",
    "CLUSTER_NAME_LABEL=cluster-name",
    "POD_NAMESPACE=metadata.namespace",
    "PG_VERSION=15",
    "PGPORT=5432",
    "PGUSER=postgres",
    "PGDATABASE=postgres",
    "PGSSLMODE=require",
    "PGPASSWORD=<postgres.acid-minimal-cluster.credentials.postgresql.acid.zalan.do/password>",
];

#[test]
fn the_environment_is_that_of_the_reference_and_keys_stand_in_a_secret() {
    let config = config(&[
        ("logical_backup_s3_bucket", "backups"),
        ("logical_backup_s3_region", "eu-central-1"),
        ("logical_backup_s3_retention_time", "2 weeks"),
        ("logical_backup_s3_access_key_id", "AKIA-hunter2"),
        ("logical_backup_s3_secret_access_key", "hunter2"),
        ("logical_backup_azure_storage_account_key", "not-of-s3"),
    ]);
    let mut cluster = vectors::cluster();
    let held = "logical-backup-acid-minimal-cluster-credentials";
    let mut expected: Vec<String> = SERVER.iter().map(|line| (*line).to_owned()).collect();
    expected.extend(
        [
            "LOGICAL_BACKUP_PROVIDER=s3",
            "LOGICAL_BACKUP_S3_BUCKET=backups",
            "LOGICAL_BACKUP_S3_BUCKET_PREFIX=spilo",
            "LOGICAL_BACKUP_S3_BUCKET_SCOPE_SUFFIX=/867e5e2e-2ba8-4893-845c-e144b06e301a",
            "LOGICAL_BACKUP_S3_REGION=eu-central-1",
            "LOGICAL_BACKUP_S3_ENDPOINT=",
            "LOGICAL_BACKUP_S3_SSE=",
            "LOGICAL_BACKUP_S3_RETENTION_TIME=2 weeks",
        ]
        .map(str::to_owned),
    );
    expected.push(format!("AWS_ACCESS_KEY_ID=<{held}/AWS_ACCESS_KEY_ID>"));
    expected.push(format!("AWS_SECRET_ACCESS_KEY=<{held}/AWS_SECRET_ACCESS_KEY>"));
    let job = json_of(&cluster, &config, &[]);
    assert_eq!(written(&job), expected);
    assert!(!job.to_string().contains("hunter2"), "{job}");
    let secret = credentials(&cluster, &config).unwrap();
    assert_eq!(secret.metadata.name.as_deref(), Some(held));
    let data = secret.data.unwrap();
    assert_eq!(data["AWS_SECRET_ACCESS_KEY"].0, b"hunter2");
    assert_eq!(data.len(), 2);

    cluster.spec.logical_backup_retention = Some("3 days".to_owned());
    let lines = written(&json_of(&cluster, &config, &[]));
    assert!(lines.contains(&"LOGICAL_BACKUP_S3_RETENTION_TIME=3 days".to_owned()), "{lines:?}");
}

#[test]
fn each_cloud_has_its_own_variables() {
    for (keys, expected) in [
        (
            vec![
                ("logical_backup_provider", "gcs"),
                ("logical_backup_google_application_credentials", "/secrets/key.json"),
            ],
            vec!["LOGICAL_BACKUP_GOOGLE_APPLICATION_CREDENTIALS"],
        ),
        (vec![("logical_backup_provider", "gcs")], vec![]),
        (
            vec![
                ("logical_backup_provider", "az"),
                ("logical_backup_azure_storage_account_name", "acid"),
                ("logical_backup_azure_storage_account_key", "hunter2"),
            ],
            vec![
                "LOGICAL_BACKUP_AZURE_STORAGE_ACCOUNT_NAME",
                "LOGICAL_BACKUP_AZURE_STORAGE_CONTAINER",
                "LOGICAL_BACKUP_AZURE_STORAGE_ACCOUNT_KEY",
            ],
        ),
    ] {
        let lines = written(&json_of(&vectors::cluster(), &config(&keys), &[]));
        let names: Vec<&str> =
            lines[13..].iter().map(|line| line.split('=').next().unwrap()).collect();
        assert_eq!(names, expected, "{keys:?}");
    }
}

#[test]
fn a_key_of_the_added_secret_goes_before_ours() {
    let config = config(&[
        ("logical_backup_cronjob_environment_secret", "backup-env"),
        ("logical_backup_s3_access_key_id", "of-all"),
    ]);
    let keys = ["PG_DUMP_EXTRA", "AWS_ACCESS_KEY_ID"];
    let lines = written(&json_of(&vectors::cluster(), &config, &keys));
    assert_eq!(
        lines[lines.len() - 2..],
        [
            "AWS_ACCESS_KEY_ID=<backup-env/AWS_ACCESS_KEY_ID>",
            "PG_DUMP_EXTRA=<backup-env/PG_DUMP_EXTRA>"
        ]
    );
    let same = lines.iter().filter(|line| line.starts_with("AWS_ACCESS_KEY_ID=")).count();
    assert_eq!(same, 1, "the API server takes a name once: {lines:?}");
}

#[test]
fn the_job_is_one_of_the_reference() {
    let config = config(&[
        ("logical_backup_cpu_limit", "2"),
        ("default_cpu_request", "100m"),
        ("toleration", "key:postgres,operator:Exists,effect:NoSchedule"),
        ("node_readiness_label", "lifecycle-status:ready"),
        ("kube_iam_role", "backup"),
        ("logical_backup_failed_jobs_history_limit", "1"),
        ("additional_secret_mount", "keys"),
        ("additional_secret_mount_path", "/keys"),
    ]);
    let job = json_of(&vectors::cluster(), &config, &[]);
    assert_eq!(job["metadata"]["name"], "logical-backup-acid-minimal-cluster");
    assert_eq!(job["metadata"]["labels"]["application"], "spilo");
    let spec = &job["spec"];
    assert_eq!(spec["schedule"], "30 00 * * *");
    assert_eq!(spec["concurrencyPolicy"], "Forbid");
    assert_eq!(spec["successfulJobsHistoryLimit"], 3);
    assert_eq!(spec["failedJobsHistoryLimit"], 1);
    assert_eq!(spec["jobTemplate"]["spec"]["ttlSecondsAfterFinished"], 86_400);
    let template = &spec["jobTemplate"]["spec"]["template"];
    let labels = json!({ "application": "spilo-logical-backup", "team": "ACID",
        "cluster-name": "acid-minimal-cluster" });
    assert_eq!(template["metadata"]["labels"], labels);
    assert_eq!(template["metadata"]["annotations"]["iam.amazonaws.com/role"], "backup");
    let pod = &template["spec"];
    assert_eq!(pod["restartPolicy"], "Never");
    assert_eq!(pod["serviceAccountName"], "postgres-pod");
    assert_eq!(pod["tolerations"][0]["key"], "postgres");
    let near = &pod["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"];
    let term = &near[0]["podAffinityTerm"];
    assert_eq!(term["topologyKey"], "kubernetes.io/hostname");
    assert_eq!(term["labelSelector"]["matchLabels"]["spilo-role"], "replica");
    let nodes = &pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let nodes = &nodes["nodeSelectorTerms"][0]["matchExpressions"][0];
    assert_eq!(nodes["key"], "lifecycle-status");
    let container = &pod["containers"][0];
    assert_eq!(container["name"], "logical-backup");
    assert_eq!(container["image"], "ghcr.io/zalando/postgres-operator/logical-backup:v2.0.1");
    assert_eq!(
        container["resources"],
        json!({"limits": {"cpu": "2"}, "requests": {"cpu": "100m"}})
    );
    assert_eq!(container["volumeMounts"][0]["mountPath"], "/keys");
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], true);
}

/// The pods of a StatefulSet and of Services are found by these.
#[test]
fn a_backup_is_never_taken_for_a_pod_of_the_cluster() {
    let mut config = config(&[("cluster_labels", "app:postgres,tier:db")]);
    config.labels.inherited_labels.insert("zone".to_owned());
    let mut cluster = vectors::cluster();
    cluster.labels.insert("zone".to_owned(), "a".to_owned());
    let job = json_of(&cluster, &config, &[]);
    let labels = &job["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"];
    assert_eq!(
        labels,
        &json!({ "application": "spilo-logical-backup", "team": "ACID", "zone": "a",
            "cluster-name": "acid-minimal-cluster" })
    );
}

#[test]
fn a_name_is_cut_to_what_a_cron_job_may_be_called() {
    let config = config(&[]);
    let long = format!("acid-{}", "x".repeat(53));
    assert_eq!(name(&long, &config), format!("logical-backup-acid-{}", "x".repeat(32)));
    // 15 + 37 = 52, and the 52nd is a dash.
    let dash = format!("{}-{}", "a".repeat(36), "b".repeat(10));
    assert_eq!(name(&dash, &config), format!("logical-backup-{}", "a".repeat(36)));
}

#[test]
fn a_manifest_has_its_own_schedule_and_a_wrong_one_is_refused() {
    let mut cluster = vectors::cluster();
    cluster.spec.logical_backup_schedule = Some("0 3 * * sun".to_owned());
    assert_eq!(json_of(&cluster, &config(&[]), &[])["spec"]["schedule"], "0 3 * * sun");
    check(&cluster.spec).unwrap();
    cluster.spec.logical_backup_schedule = Some("nightly".to_owned());
    assert_eq!(check(&cluster.spec).unwrap_err().field, "spec.logicalBackupSchedule");
    cluster.spec.logical_backup_schedule = Some(String::new());
    assert_eq!(json_of(&cluster, &config(&[]), &[])["spec"]["schedule"], "30 00 * * *");
    check(&cluster.spec).unwrap();
}
