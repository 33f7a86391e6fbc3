//! The ConfigMap form.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{config, loaded, refused};
use crate::config::keys::all;
use crate::config::{ConnectTo, Merge, PodManagementPolicy};

#[test]
fn an_empty_config_map_has_the_defaults() {
    let loaded = loaded(&[]);
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let config = loaded.config;
    assert_eq!(config.operation.workers, 8);
    assert_eq!(config.operation.resync_period, Duration::from_secs(1800));
    assert_eq!(config.operation.repair_period, Duration::from_secs(300));
    assert_eq!((config.operation.min_instances, config.operation.max_instances), (-1, -1));
    assert_eq!(config.operation.connect_to, ConnectTo::Service);
    assert_eq!(config.operation.crd_categories, ["all"]);
    assert_eq!(config.labels.cluster_labels["application"], "spilo");
    assert_eq!(config.pods.docker_image, "ghcr.io/zalando/spilo-18:4.1-p2");
    assert_eq!(config.pods.pod_management_policy, PodManagementPolicy::OrderedReady);
    assert_eq!(config.pods.node_readiness_label_merge, Merge::Or);
    assert!(config.volumes.retain_when_deleted && config.volumes.retain_when_scaled);
    assert!(config.patroni.kubernetes_use_configmaps);
    assert_eq!(config.patroni.enable_patroni_failsafe_mode, Some(false));
    assert!(config.services.enable_master_load_balancer);
    assert!(config.identity.enable_teams_api);
    assert!(!config.identity.enable_postgres_team_crd);
    assert_eq!(config.identity.oauth_token_secret_name.name, "postgresql-operator");
    assert_eq!(config.identity.team_api_role_configuration["log_statement"], "all");
    assert_eq!(
        config.identity.protected_role_names,
        BTreeSet::from(["admin".to_owned(), "cron_admin".to_owned()])
    );
    assert_eq!(config.identity.teams_refresh_period, Duration::from_secs(30));
    assert_eq!(config.identity.guard, teams_sync::approve::Limits::default());
    assert!(config.identity.pam_line_in_custom_hba);
    assert_eq!(config.secrets.password_rotation_user_retention, 180);
}

/// Every key, the defaults of which are values that it takes, can be written out.
#[test]
fn defaults_that_are_written_out_change_nothing() {
    let written: BTreeMap<String, String> = all()
        .filter(|key| key.is_used() && !key.default.is_empty())
        .map(|key| (key.name.to_owned(), key.default.to_owned()))
        .collect();
    let environment = super::environment();
    let written = crate::config::from_config_map(&written, &environment).unwrap();
    assert_eq!(written, loaded(&[]));
}

#[test]
fn what_is_there_and_empty_is_not_the_default() {
    let config = config(&[
        ("pam_configuration", ""),
        ("team_admin_role", ""),
        ("enable_teams_api", ""),
        ("enable_shm_volume", ""),
        ("enable_persistent_volume_claim_deletion", ""),
        ("protected_role_names", ""),
        ("cluster_labels", ""),
        ("min_instances", ""),
        ("node_readiness_label_merge", ""),
    ]);
    assert_eq!(config.identity.pam_configuration, "");
    assert_eq!(config.identity.team_admin_role, None);
    assert!(!config.identity.enable_teams_api);
    assert!(!config.pods.enable_shm_volume);
    assert!(!config.deletion.enable_persistent_volume_claim_deletion);
    assert!(config.identity.protected_role_names.is_empty());
    assert!(config.labels.cluster_labels.is_empty());
    assert_eq!(config.operation.min_instances, 0);
    assert_eq!(config.pods.node_readiness_label_merge, Merge::Or);
}

/// The reference asks whether these are there at all.
#[test]
fn flags_that_may_be_absent_are_the_default_where_empty() {
    let config = config(&[
        ("kubernetes_use_configmaps", ""),
        ("enable_pod_disruption_budget", ""),
        ("enable_sidecars", ""),
    ]);
    assert!(config.patroni.kubernetes_use_configmaps);
    assert!(config.disruption.enable_pod_disruption_budget);
    assert!(config.sidecars.enable_sidecars);
}

/// Nothing about volumes is not: delete them.
#[test]
fn an_empty_policy_keeps_volumes() {
    let key = "persistent_volume_claim_retention_policy";
    let volumes = config(&[(key, "")]).volumes;
    assert!(volumes.retain_when_deleted && volumes.retain_when_scaled);
    let volumes = config(&[(key, "when_scaled:delete")]).volumes;
    assert!(volumes.retain_when_deleted && !volumes.retain_when_scaled);
    let loaded = loaded(&[(key, "when_deleted:Delete")]);
    assert!(loaded.config.volumes.retain_when_deleted);
    assert_eq!(loaded.warnings, [format!("{key}: when_deleted: Delete is taken for retain")]);
}

#[test]
fn what_would_break_clusters_cannot_be_empty() {
    let vectors = [
        ("pdb_name_format", "the budgets of all clusters would have the same name"),
        ("secret_name_template", "all Secrets would have the same name"),
        ("cluster_name_label", "the objects of two clusters could not be told apart"),
        ("pod_role_label", "Services find the primary by it"),
        ("docker_image", "pods need an image"),
        ("max_instances", "it would be 0, and every cluster would lose its pods"),
        ("super_username", "the operator logs in with it"),
        ("pam_role_name", "it is the role of all people"),
        ("pod_management_policy", "write ordered_ready or parallel"),
        ("cluster_domain", "the names of Services end with it"),
    ];
    for (key, reason) in vectors {
        assert_eq!(refused(&[(key, "")]), format!("{key}: \"\": it is empty, and {reason}"));
    }
}

#[test]
fn what_is_empty_and_would_spin_is_refused() {
    for key in
        ["resync_period", "repair_period", "teams_refresh_period", "pod_terminate_grace_period"]
    {
        for value in ["", "0", "0s", "999ms"] {
            let error = refused(&[(key, value)]);
            assert_eq!(error, format!("{key}: \"{value}\": it has to be at least 1s"));
        }
    }
}

#[test]
fn each_broken_value_is_refused_with_what_would_be_right() {
    let vectors = [
        ("workers", "0", "write a number from 1 to 256"),
        ("workers", "257", "write a number from 1 to 256"),
        ("workers", "many", "write a whole number"),
        ("workers", "-1", "the number is out of range"),
        ("api_port", "0", "write a number from 1 to 65535"),
        ("api_port", "70000", "the number is out of range"),
        ("enable_teams_api", "yes", "write true or false"),
        ("resync_period", "5 minutes", "write a duration such as 300ms, 5m or 1h30m"),
        (
            "cluster_labels",
            "application",
            "part 1 is not key:value with one colon; commas stand between parts",
        ),
        ("cluster_labels", "a:b,a:c", "a key stands in it twice"),
        (
            "cluster_labels",
            "application:a b",
            "the value of a label has letters, digits, '-', '_' and '.', at most 63",
        ),
        ("default_cpu_request", "1GB", "write a quantity such as 100m, 0.5 or 1Gi"),
        ("max_memory_request", "much", "write a quantity such as 100m, 0.5 or 1Gi"),
        (
            "secret_name_template",
            "{cluster}.credentials",
            "{username} is missing, and names would not differ",
        ),
        (
            "secret_name_template",
            "{username}.{cluster}.{foo}",
            "the placeholders are {username}, {cluster}, {tprkind}, {tprgroup}",
        ),
        ("pdb_name_format", "pdb", "{cluster} is missing, and names would not differ"),
        (
            "pdb_name_format",
            "postgres-{cluster}-critical-op-pdb",
            "that is the name of the budget of critical operations",
        ),
        (
            "master_dns_name_format",
            "{cluster}.{zone}",
            "the placeholders are {cluster}, {namespace}, {team}, {hostedzone}",
        ),
        (
            "master_dns_name_format",
            "{cluster}_x.{hostedzone}",
            "write a domain in lower case, such as db.example.com",
        ),
        ("watched_namespace", "a,b", "write the name of one namespace, or * for all"),
        ("pod_management_policy", "OrderedReady", "write ordered_ready or parallel"),
        ("node_readiness_label_merge", "XOR", "write OR or AND"),
        ("connect_to", "host", "write service or pod"),
        ("storage_resize_mode", "auto", "write one of pvc, ebs, mixed, off"),
        ("external_traffic_policy", "local", "write one of Cluster, Local"),
        (
            "toleration",
            "key:postgres,effect:Never",
            "write one of NoSchedule, PreferNoSchedule, NoExecute",
        ),
        (
            "toleration",
            "keys:postgres",
            "a toleration has key, operator, value and effect, and nothing else",
        ),
        (
            "infrastructure_roles_secret_name",
            "a/b/c",
            "a name has lower-case letters, digits, '-' and '.', and at most 63 between dots",
        ),
        ("guard_max_removals_share", "1.5", "write a number from 0 to 1, such as 0.3"),
        (
            "teams_api_url",
            "teams.example.com",
            "write a URL such as https://teams.example.com/api/",
        ),
        ("teams_api_url", "ftp://teams.example.com/", "a URL begins with https:// or http://"),
        (
            "super_username",
            "pg_root",
            "it is no name of a role: PostgreSQL keeps that name for itself",
        ),
        ("spilo_runasuser", "-1", "write a number from 0 to 4294967294"),
        (
            "inherited_labels",
            "a b",
            "the key of a label is [prefix/]name: letters, digits, '-', '_' and '.', at most 63 behind the slash",
        ),
        ("additional_pod_capabilities", "SYS-NICE", "write a capability such as SYS_NICE"),
        (
            "team_api_role_configuration",
            "role:postgres",
            "it is no setting of a role: a role cannot be set so for somebody else",
        ),
    ];
    for (key, value, reason) in vectors {
        let shown = value.escape_debug();
        assert_eq!(refused(&[(key, value)]), format!("{key}: \"{shown}\": {reason}"));
    }
}

#[test]
fn regular_expressions_have_to_be_some() {
    let labels = config(&[("downscaler_annotations", "deployment-time,downscaler/*")]).labels;
    assert_eq!(labels.downscaler_annotations, ["deployment-time", "downscaler/*"]);
    let error = refused(&[("downscaler_annotations", "downscaler/(")]);
    assert!(error.contains("it is no regular expression"), "{error}");
}

#[test]
fn all_errors_come_at_once() {
    let data = super::config_map(&[
        ("workers", "0"),
        ("api_port", "x"),
        ("min_instances", "3"),
        ("max_instances", "2"),
    ]);
    let errors = crate::config::from_config_map(&data, &super::environment()).unwrap_err().0;
    let keys: BTreeSet<&str> = errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, BTreeSet::from(["api_port", "min_instances", "workers"]));
    assert_eq!(errors.len(), 3);
}

#[test]
fn values_have_to_fit_together() {
    let vectors: [(&[(&str, &str)], &str); 9] = [
        (
            &[("min_instances", "3"), ("max_instances", "2")],
            "min_instances: it is more than max_instances, 2",
        ),
        (
            &[("replication_username", "postgres")],
            "super_username: it is replication_username, too: two different roles are needed",
        ),
        (
            &[("pam_role_name", "standby")],
            "pam_role_name: all people would be members of a role of the system; write one of their own",
        ),
        (
            &[("enable_team_member_deprecation", "true"), ("role_deletion_suffix", "")],
            "role_deletion_suffix: it is empty, and enable_team_member_deprecation renames roles with it",
        ),
        (
            &[("enable_password_rotation", "true"), ("password_rotation_interval", "0")],
            "password_rotation_interval: it is 0, and passwords would be renewed all the time",
        ),
        (
            &[("pod_role_label", "cluster-name")],
            "pod_role_label: another label has that key: pods of different roles would look alike",
        ),
        (
            &[("cluster_labels", "team:acid")],
            "cluster_labels: team is a label that every cluster has of its own",
        ),
        (
            &[("additional_secret_mount", "tokens")],
            "additional_secret_mount_path: it has to say where additional_secret_mount goes",
        ),
        (&[("db_hosted_zone", "")], "db_hosted_zone: load balancers have names that end with it"),
    ];
    for (data, reason) in vectors {
        assert_eq!(refused(data), reason);
    }
    assert_eq!(
        config(&[("min_instances", "2"), ("max_instances", "2")]).operation.max_instances,
        2
    );
    assert_eq!(
        config(&[("min_instances", "2"), ("max_instances", "-1")]).operation.min_instances,
        2
    );
}

#[test]
fn what_is_unknown_or_not_used_is_a_warning() {
    let loaded = loaded(&[
        ("enable_team_api", "true"),
        ("enable_load_balancer", "true"),
        ("protected_role_names", "admin, cron_admin"),
    ]);
    assert_eq!(
        loaded.warnings,
        [
            "enable_team_api: ignored, because there is no such key",
            "enable_load_balancer: accepted, and not used here",
            "protected_role_names: blanks around items of the list are no part of them; \
             zalando/postgres-operator keeps them",
        ]
    );
    assert!(loaded.config.identity.protected_role_names.contains("cron_admin"));
}

#[test]
fn what_shapes_pods_is_used_without_a_warning() {
    let loaded = loaded(&[
        ("spilo_privileged", "true"),
        ("additional_pod_capabilities", "SYS_NICE,net_admin"),
        ("custom_pod_annotations", "a.example.com/b:'c,d'"),
        ("toleration", "key:postgres,operator:Exists,effect:NoSchedule"),
        ("sidecar_docker_images", "exporter:example.com/exporter"),
        ("wal_s3_bucket", "wal"),
        ("kube_iam_role", "role"),
        ("sidecars", "[{name: exporter, image: example.com/exporter, env: [{name: A, value: b}]}]"),
        ("liveness_probe", "{\"httpGet\": {\"path\": \"/liveness\", \"port\": 8008}}"),
    ]);
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let config = loaded.config;
    assert!(config.pods.spilo_privileged);
    assert_eq!(config.pods.additional_pod_capabilities, ["SYS_NICE", "net_admin"]);
    // As the reference writes it: other annotations would restart pods.
    assert_eq!(config.pods.custom_pod_annotations["a.example.com/b"], "'c,d'");
    assert_eq!(config.pods.toleration["operator"], "Exists");
    assert_eq!(config.sidecars.sidecars[0].name, "exporter");
    assert_eq!(config.cloud.wal_s3_bucket.as_deref(), Some("wal"));
    assert!(config.pods.liveness_probe.is_some());
}

#[test]
fn definitions_are_objects_of_their_kind() {
    let key = "pod_service_account_definition";
    let account = r#"{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "x"}}"#;
    let found = config(&[(key, account)]).pods.pod_service_account_definition.unwrap();
    assert_eq!(found["metadata"]["name"], "x");
    let yaml = "apiVersion: v1\nkind: ServiceAccount\n";
    assert!(config(&[(key, yaml)]).pods.pod_service_account_definition.is_some());
    assert_eq!(
        refused(&[(key, "kind: Pod")]),
        format!("{key}: write an object with `kind: ServiceAccount`")
    );
    assert_eq!(refused(&[(key, "{")]), format!("{key}: it is neither JSON nor YAML"));
}

#[test]
fn keys_of_what_is_not_there_yet_warn_when_somebody_sets_them() {
    let keys = [("aws_region", "eu-west-1")];
    for (key, value) in keys {
        let warning = format!("{key}: accepted, and without an effect so far");
        assert!(loaded(&[(key, value)]).warnings.contains(&warning), "{key}");
    }
    assert!(!loaded(&[]).warnings.iter().any(|one| one.contains("so far")), "nobody has set it");
}

#[test]
fn backups_and_upgrades_are_as_in_the_contract() {
    let nothing = config(&[]);
    let backup = &nothing.backup;
    assert_eq!(backup.logical_backup_schedule, "30 00 * * *");
    assert_eq!(backup.logical_backup_provider, "s3");
    assert_eq!(backup.logical_backup_job_prefix, "logical-backup-");
    assert_eq!(backup.logical_backup_successful_jobs_history_limit, 3);
    assert_eq!(backup.logical_backup_ttl_seconds_after_finished, 86_400);
    assert_eq!(backup.logical_backup_s3_access_key_id, None);
    assert_eq!(nothing.upgrade.major_version_upgrade_mode, "manual");
    assert_eq!(nothing.upgrade.target_major_version, "18");
    // The reference asks whether it is there, and 0 is something that can be meant.
    let limits = [
        ("logical_backup_failed_jobs_history_limit", ""),
        ("logical_backup_successful_jobs_history_limit", "0"),
        ("major_version_upgrade_team_allow_list", "acid,other"),
    ];
    let some = config(&limits);
    assert_eq!(some.backup.logical_backup_failed_jobs_history_limit, 3);
    assert_eq!(some.backup.logical_backup_successful_jobs_history_limit, 0);
    assert!(some.upgrade.major_version_upgrade_team_allow_list.contains("other"));
}

#[test]
fn what_no_backup_and_no_upgrade_can_be_made_of_is_refused() {
    for (key, value) in [
        ("logical_backup_schedule", "at night"),
        ("logical_backup_provider", "tape"),
        ("logical_backup_job_prefix", "Backup_"),
        ("logical_backup_cpu_limit", "much"),
        ("logical_backup_ttl_seconds_after_finished", "-1"),
        ("major_version_upgrade_mode", "always"),
        ("target_major_version", "9.6"),
    ] {
        assert!(refused(&[(key, value)]).starts_with(&format!("{key}: ")), "{key}");
    }
    let full = [
        ("major_version_upgrade_mode", "full"),
        ("minimal_major_version", "16"),
        ("target_major_version", "15"),
    ];
    assert!(refused(&full).starts_with("target_major_version: it is less than"));
}
