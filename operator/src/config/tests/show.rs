//! What people see of a configuration.

use serde_json::json;

use super::{config, loaded};
use crate::config::keys::all;
use crate::config::{changes, needs_restart, redacted};

#[test]
fn fields_have_the_names_of_the_reference() {
    let shown = redacted(&config(&[("watched_namespace", "*")]));
    assert_eq!(shown["WatchedNamespace"], "*");
    assert_eq!(shown["ResyncPeriod"], "30m0s");
    assert_eq!(shown["Workers"], 8);
    assert_eq!(shown["EnableTeamsAPI"], true);
    assert_eq!(shown["ClusterLabels"], json!({"application": "spilo"}));
    assert_eq!(shown["OAuthTokenSecretName"], "operators/postgresql-operator");
    assert_eq!(shown["ProtectedRoles"], json!(["admin", "cron_admin"]));
    assert_eq!(shown["LogicalBackupSchedule"], "30 00 * * *");
    assert_eq!(shown["NumberOfInstances"], 2);
    assert_eq!(shown.as_object().unwrap().len(), all().count());
}

#[test]
fn no_secret_is_shown() {
    let config = config(&[
        ("scalyr_api_key", "hunter2"),
        ("logical_backup_s3_secret_access_key", "hunter2"),
        ("logical_backup_s3_access_key_id", "hunter2"),
        ("logical_backup_azure_storage_account_key", "hunter2"),
        (
            "sidecars",
            "[{name: a, env: [{name: P, value: hunter2}], args: [run, hunter2], readinessProbe: {httpGet: {port: 1, httpHeaders: [{name: A, value: hunter2}]}}}]",
        ),
        ("liveness_probe", "{exec: {command: [check, hunter2]}}"),
    ]);
    let shown = redacted(&config);
    assert_eq!(shown["ScalyrAPIKey"], "***");
    assert_eq!(shown["SidecarContainers"][0]["args"][0], "run");
    assert!(!shown.to_string().contains("hunter2"), "{shown}");
    // Only a log of the program itself would have it.
    let debug = format!("{:?}{:?}{:?}", config.sidecars, config.backup, config.unused);
    assert!(!debug.contains("hunter2"), "{debug}");
    assert_eq!(redacted(&super::config(&[]))["ScalyrAPIKey"], "");
}

#[test]
fn each_change_is_a_line() {
    let old = config(&[("scalyr_api_key", "hunter2"), ("kube_iam_role", "role")]);
    let new = config(&[
        ("scalyr_api_key", "hunter3"),
        ("resync_period", "5m"),
        ("workers", "4"),
        ("logical_backup_s3_bucket", "backups"),
    ]);
    assert_eq!(
        changes(&old, &new),
        [
            "resync_period: \"30m0s\" -> \"5m0s\"",
            "workers: 8 -> 4",
            "kube_iam_role: \"role\" -> \"\"",
            "scalyr_api_key: changed",
            "logical_backup_s3_bucket: \"\" -> \"backups\"",
        ]
    );
    assert_eq!(needs_restart(&old, &new), ["workers"]);
    assert_eq!(changes(&old, &old), Vec::<String>::new());
}

#[test]
fn ports_namespaces_labels_and_crds_wait_for_a_restart() {
    let new = [
        ("cluster_labels", "application:db"),
        ("cluster_name_label", "cluster"),
        ("pod_role_label", "role"),
        ("workers", "2"),
        ("api_port", "9090"),
        ("watched_namespace", "*"),
        ("enable_crd_registration", "false"),
        ("crd_categories", "databases"),
        ("enable_postgres_team_crd", "true"),
        ("docker_image", "example.com/spilo"),
        ("enable_teams_api", "false"),
    ];
    assert_eq!(
        needs_restart(&config(&[]), &config(&new)),
        [
            "crd_categories",
            "enable_crd_registration",
            "workers",
            "api_port",
            "cluster_labels",
            "cluster_name_label",
            "pod_role_label",
            "watched_namespace",
            "enable_postgres_team_crd",
        ]
    );
}

/// A key that could be set and read by no change would not be in the right place.
#[test]
fn every_key_goes_where_it_is_read() {
    let sample = |kind: &str, name: &str| match (kind, name) {
        (_, "pam_configuration") => "https://a.example.com/t?t= sub",
        (_, "storage_resize_mode") => "off",
        (_, "external_traffic_policy") => "Local",
        (_, "pod_management_policy") => "parallel",
        (_, "node_readiness_label_merge") => "AND",
        (_, "connect_to") => "pod",
        (_, "connection_pooler_mode") => "session",
        (_, "maintenance_windows") => "Sat:01:00-06:00",
        (_, "logical_backup_schedule") => "@daily",
        (_, "logical_backup_provider") => "gcs",
        (_, "major_version_upgrade_mode") => "off",
        (_, "minimal_major_version" | "target_major_version") => "17",
        (_, "teams_api_url") => "https://a.example.com/",
        (_, "secret_name_template") => "{username}.{cluster}.x",
        (_, "toleration") => "key:x",
        (_, "persistent_volume_claim_retention_policy") => "when_deleted:delete",
        (_, "pod_service_account_definition") => "kind: ServiceAccount",
        (_, "pod_service_account_role_binding_definition") => "kind: RoleBinding",
        (_, "infrastructure_roles_secrets") => "secretname:x,userkey:u,passwordkey:p",
        (_, "additional_secret_mount_path") => "/x",
        (_, name) if name.ends_with("_dns_name_format") || name == "pdb_name_format" => {
            "x-{cluster}"
        }
        (_, name) if name.contains("cpu") || name.contains("memory_") => "7",
        ("duration", name) if name.ends_with("_interval") => "2s",
        ("duration", _) => "77s",
        ("number", _) => "77",
        ("share", _) => "0.77",
        ("map", _) => "x:y",
        ("containers", _) => "[{name: x}]",
        ("probe", _) => "{periodSeconds: 7}",
        _ => "x",
    };
    let old = loaded(&[]).config;
    for key in all() {
        let flipped = if key.default == "true" { "false" } else { "true" };
        let value = match key.slot.kind() {
            "bool" => flipped,
            kind => sample(kind, key.name),
        };
        let mut data = vec![(key.name, value)];
        let needed = match key.name {
            "additional_secret_mount" => Some(("additional_secret_mount_path", "/x")),
            _ => None,
        };
        data.extend(needed);
        let new = config(&data);
        let lines = changes(&old, &new);
        let about = |line: &&String| line.starts_with(&format!("{}: ", key.name));
        assert!(lines.iter().any(|line| about(&line)), "{}: {lines:?}", key.name);
        assert_eq!(lines.len(), data.len(), "{}: {lines:?}", key.name);
    }
}
