//! The table against that of the contract.

use std::collections::BTreeSet;

use crate::config::keys::{CrdDefault, Mark, all, find, groups};

/// Key, type, default, group, default of the CRD form, mark.
#[rustfmt::skip]
static CONTRACT: [[&str; 6]; 187] = [
    ["ready_wait_interval", "dur", "4s", "timeouts", "=", "C"],
    ["ready_wait_timeout", "dur", "30s", "timeouts", "=", "C"],
    ["resync_period", "dur", "30m", "", "=", "C"],
    ["repair_period", "dur", "5m", "", "=", "C"],
    ["enable_crd_registration", "bool?", "true", "", "=", "C"],
    ["crd_categories", "list", "all", "", "—", "C"],
    ["enable_owner_references", "bool?", "false", "kubernetes", "—", "C"],
    ["resource_check_interval", "dur", "3s", "timeouts", "=", "C"],
    ["resource_check_timeout", "dur", "10m", "timeouts", "=", "C"],
    ["pod_label_wait_timeout", "dur", "10m", "timeouts", "=", "C"],
    ["pod_deletion_wait_timeout", "dur", "10m", "timeouts", "=", "C"],
    ["pod_terminate_grace_period", "dur", "5m", "kubernetes", "=", "C"],
    ["spilo_runasuser", "int?", "", "kubernetes", "—", "C"],
    ["spilo_runasgroup", "int?", "", "kubernetes", "—", "C"],
    ["spilo_fsgroup", "int?", "", "kubernetes", "—", "C"],
    ["pod_priority_class_name", "str", "", "kubernetes", "—", "L"],
    ["cluster_domain", "str", "cluster.local", "kubernetes", "=", "C"],
    ["spilo_privileged", "bool", "false", "kubernetes", "—", "L"],
    ["spilo_allow_privilege_escalation", "bool?", "true", "kubernetes", "=", "L"],
    ["additional_pod_capabilities", "list", "", "kubernetes", "—", "L"],
    ["cluster_labels", "map", "application:spilo", "kubernetes", "=", "C"],
    ["inherited_labels", "list", "", "kubernetes", "—", "C"],
    ["inherited_annotations", "list", "", "kubernetes", "—", "C"],
    ["downscaler_annotations", "list", "", "kubernetes", "—", "L"],
    ["ignored_annotations", "list", "", "kubernetes", "—", "C"],
    ["cluster_name_label", "str", "cluster-name", "kubernetes", "=", "C"],
    ["delete_annotation_date_key", "str", "", "kubernetes", "—", "C"],
    ["delete_annotation_name_key", "str", "", "kubernetes", "—", "C"],
    ["pod_role_label", "str", "spilo-role", "kubernetes", "=", "C"],
    ["toleration", "map", "", "kubernetes", "—", "C"],
    ["default_cpu_request", "str", "", "postgres_pod_resources", "—", "C"],
    ["default_memory_request", "str", "", "postgres_pod_resources", "—", "C"],
    ["default_cpu_limit", "str", "", "postgres_pod_resources", "—", "C"],
    ["default_memory_limit", "str", "", "postgres_pod_resources", "—", "C"],
    ["min_cpu_limit", "str", "", "postgres_pod_resources", "—", "L"],
    ["min_memory_limit", "str", "", "postgres_pod_resources", "—", "L"],
    ["max_cpu_request", "str", "", "postgres_pod_resources", "—", "L"],
    ["max_memory_request", "str", "", "postgres_pod_resources", "—", "L"],
    ["pod_environment_configmap", "nsname", "", "kubernetes", "—", "C"],
    ["pod_environment_secret", "str", "", "kubernetes", "—", "C"],
    ["node_readiness_label", "map", "", "kubernetes", "—", "C"],
    ["node_readiness_label_merge", "str", "OR", "kubernetes", "—", "C"],
    ["enable_shm_volume", "bool?", "true", "", "=", "C"],
    ["max_instances", "int", "-1", "", "=", "C"],
    ["min_instances", "int", "-1", "", "=", "C"],
    ["ignore_instance_limits_annotation_key", "str", "", "", "—", "L"],
    ["ignore_resources_limits_annotation_key", "str", "", "", "—", "L"],
    ["secret_name_template", "tmpl", "{username}.{cluster}.credentials.{tprkind}.{tprgroup}", "kubernetes", "=", "I"],
    ["pam_role_name", "str", "zalandos", "teams_api", "=", "I"],
    ["pam_configuration", "str", "https://info.example.com/oauth2/tokeninfo?access_token= uid realm=/employees", "teams_api", "=", "I"],
    ["teams_api_url", "str", "https://teams.example.com/api/", "teams_api", "=", "I"],
    ["oauth_token_secret_name", "nsname", "postgresql-operator", "kubernetes", "postgres-operator", "I"],
    ["infrastructure_roles_secret_name", "nsname", "", "kubernetes", "—", "I"],
    ["infrastructure_roles_secrets", "str", "", "kubernetes", "—", "I"],
    ["super_username", "str", "postgres", "users", "=", "I"],
    ["replication_username", "str", "standby", "users", "=", "I"],
    ["additional_owner_roles", "list", "", "users", "—", "I"],
    ["enable_password_rotation", "bool", "false", "users", "—", "I"],
    ["password_rotation_interval", "uint", "90", "users", "=", "I"],
    ["password_rotation_user_retention", "uint", "180", "users", "120", "I"],
    ["scalyr_api_key", "str", "", "scalyr", "—", "L"],
    ["scalyr_image", "str", "", "scalyr", "—", "L"],
    ["scalyr_server_url", "str", "https://upload.eu.scalyr.com", "scalyr", "=", "L"],
    ["scalyr_cpu_request", "str", "100m", "scalyr", "=", "L"],
    ["scalyr_memory_request", "str", "50Mi", "scalyr", "=", "L"],
    ["scalyr_cpu_limit", "str", "1", "scalyr", "=", "L"],
    ["scalyr_memory_limit", "str", "500Mi", "scalyr", "=", "L"],
    ["logical_backup_schedule", "str", "30 00 * * *", "logical_backup", "=", "L"],
    ["logical_backup_docker_image", "str", "ghcr.io/zalando/postgres-operator/logical-backup:v2.0.1", "logical_backup", "=", "L"],
    ["logical_backup_provider", "str", "s3", "logical_backup", "=", "L"],
    ["logical_backup_azure_storage_account_name", "str", "", "logical_backup", "—", "L"],
    ["logical_backup_azure_storage_container", "str", "", "logical_backup", "—", "L"],
    ["logical_backup_azure_storage_account_key", "str", "", "logical_backup", "—", "L"],
    ["logical_backup_s3_bucket", "str", "", "logical_backup", "—", "L"],
    ["logical_backup_s3_bucket_prefix", "str", "spilo", "logical_backup", "—", "L"],
    ["logical_backup_s3_region", "str", "", "logical_backup", "—", "L"],
    ["logical_backup_s3_endpoint", "str", "", "logical_backup", "—", "L"],
    ["logical_backup_s3_access_key_id", "str", "", "logical_backup", "—", "L"],
    ["logical_backup_s3_secret_access_key", "str", "", "logical_backup", "—", "L"],
    ["logical_backup_s3_sse", "str", "", "logical_backup", "—", "L"],
    ["logical_backup_s3_retention_time", "str", "", "logical_backup", "—", "L"],
    ["logical_backup_google_application_credentials", "str", "", "logical_backup", "—", "L"],
    ["logical_backup_job_prefix", "str", "logical-backup-", "logical_backup", "=", "L"],
    ["logical_backup_cronjob_environment_secret", "str", "", "logical_backup", "—", "L"],
    ["logical_backup_cpu_request", "str", "", "logical_backup", "—", "L"],
    ["logical_backup_memory_request", "str", "", "logical_backup", "—", "L"],
    ["logical_backup_cpu_limit", "str", "", "logical_backup", "—", "L"],
    ["logical_backup_memory_limit", "str", "", "logical_backup", "—", "L"],
    ["logical_backup_successful_jobs_history_limit", "int?", "3", "logical_backup", "=", "L"],
    ["logical_backup_failed_jobs_history_limit", "int?", "3", "logical_backup", "=", "L"],
    ["logical_backup_ttl_seconds_after_finished", "int?", "86400", "logical_backup", "=", "L"],
    ["connection_pooler_number_of_instances", "int?", "2", "connection_pooler", "=", "L"],
    ["connection_pooler_schema", "str", "pooler", "connection_pooler", "=", "L"],
    ["connection_pooler_user", "str", "pooler", "connection_pooler", "=", "L"],
    ["connection_pooler_image", "str", "ghcr.io/zalando/postgres-operator/pgbouncer:v2.0.1", "connection_pooler", "=", "L"],
    ["connection_pooler_mode", "str", "transaction", "connection_pooler", "=", "L"],
    ["connection_pooler_max_db_connections", "int?", "60", "connection_pooler", "—", "L"],
    ["connection_pooler_default_cpu_request", "str", "", "connection_pooler", "—", "L"],
    ["connection_pooler_default_memory_request", "str", "", "connection_pooler", "—", "L"],
    ["connection_pooler_default_cpu_limit", "str", "", "connection_pooler", "—", "L"],
    ["connection_pooler_default_memory_limit", "str", "", "connection_pooler", "—", "L"],
    ["watched_namespace", "str", "", "kubernetes", "—", "C"],
    ["kubernetes_use_configmaps", "bool?", "true", "", "=", "C"],
    ["etcd_host", "str", "", "", "=", "C"],
    ["enable_maintenance_windows", "bool?", "true", "", "=", "L"],
    ["maintenance_windows", "list", "", "", "—", "L"],
    ["docker_image", "str", "ghcr.io/zalando/spilo-18:4.1-p2", "", "=", "C"],
    ["sidecar_docker_images", "map", "", "", "—", "X"],
    ["sidecars", "containers", "", "", "—", "L"],
    ["pod_service_account_name", "str", "postgres-pod", "kubernetes", "=", "C"],
    ["pod_service_account_definition", "str", "", "kubernetes", "—", "C"],
    ["pod_service_account_role_binding_definition", "str", "", "kubernetes", "—", "C"],
    ["master_pod_move_timeout", "dur", "20m", "kubernetes", "=", "C"],
    ["db_hosted_zone", "str", "db.example.com", "load_balancer", "—", "C"],
    ["aws_region", "str", "eu-central-1", "aws_or_gcp", "=", "L"],
    ["wal_s3_bucket", "str", "", "aws_or_gcp", "—", "L"],
    ["log_s3_bucket", "str", "", "aws_or_gcp", "—", "L"],
    ["kube_iam_role", "str", "", "aws_or_gcp", "—", "L"],
    ["irsa_role_arn", "str", "", "aws_or_gcp", "—", "L"],
    ["wal_gs_bucket", "str", "", "aws_or_gcp", "—", "L"],
    ["gcp_credentials", "str", "", "aws_or_gcp", "—", "L"],
    ["wal_az_storage_account", "str", "", "aws_or_gcp", "—", "L"],
    ["additional_secret_mount", "str", "", "aws_or_gcp", "—", "L"],
    ["additional_secret_mount_path", "str", "", "aws_or_gcp", "—", "L"],
    ["debug_logging", "bool", "true", "debug", "=", "C"],
    ["enable_database_access", "bool", "true", "debug", "=", "I"],
    ["enable_teams_api", "bool", "true", "teams_api", "—", "I"],
    ["enable_team_superuser", "bool", "false", "teams_api", "—", "I"],
    ["team_admin_role", "str", "admin", "teams_api", "=", "I"],
    ["role_deletion_suffix", "str", "_deleted", "teams_api", "=", "I"],
    ["enable_team_member_deprecation", "bool", "false", "teams_api", "—", "I"],
    ["enable_admin_role_for_users", "bool", "true", "teams_api", "=", "I"],
    ["enable_postgres_team_crd", "bool", "false", "teams_api", "true", "I"],
    ["enable_postgres_team_crd_superusers", "bool", "false", "teams_api", "—", "I"],
    ["enable_master_load_balancer", "bool", "true", "load_balancer", "—", "C"],
    ["enable_master_pooler_load_balancer", "bool", "false", "load_balancer", "—", "L"],
    ["enable_replica_load_balancer", "bool", "false", "load_balancer", "—", "C"],
    ["enable_replica_pooler_load_balancer", "bool", "false", "load_balancer", "—", "L"],
    ["enable_master_node_port", "bool", "false", "load_balancer", "—", "L"],
    ["enable_master_pooler_node_port", "bool", "false", "load_balancer", "—", "L"],
    ["enable_replica_node_port", "bool", "false", "load_balancer", "—", "L"],
    ["enable_replica_pooler_node_port", "bool", "false", "load_balancer", "—", "L"],
    ["custom_service_annotations", "map", "", "load_balancer", "—", "C"],
    ["custom_pod_annotations", "map", "", "kubernetes", "—", "L"],
    ["enable_pod_antiaffinity", "bool", "false", "kubernetes", "—", "L"],
    ["pod_antiaffinity_preferred_during_scheduling", "bool", "false", "kubernetes", "—", "L"],
    ["pod_antiaffinity_topology_key", "str", "kubernetes.io/hostname", "kubernetes", "=", "L"],
    ["storage_resize_mode", "str", "pvc", "kubernetes", "=", "C"],
    ["enable_load_balancer", "bool?", "", "-", "—", "X"],
    ["external_traffic_policy", "str", "Cluster", "load_balancer", "=", "C"],
    ["master_dns_name_format", "tmpl", "{cluster}.{namespace}.{hostedzone}", "load_balancer", "=", "C"],
    ["master_legacy_dns_name_format", "tmpl", "{cluster}.{team}.{hostedzone}", "load_balancer", "=", "C"],
    ["replica_dns_name_format", "tmpl", "{cluster}-repl.{namespace}.{hostedzone}", "load_balancer", "=", "C"],
    ["replica_legacy_dns_name_format", "tmpl", "{cluster}-repl.{team}.{hostedzone}", "load_balancer", "=", "C"],
    ["pdb_name_format", "tmpl", "postgres-{cluster}-pdb", "kubernetes", "=", "C"],
    ["pdb_master_label_selector", "bool?", "true", "kubernetes", "=", "C"],
    ["enable_pod_disruption_budget", "bool?", "true", "kubernetes", "=", "C"],
    ["enable_init_containers", "bool?", "true", "kubernetes", "=", "L"],
    ["enable_sidecars", "bool?", "true", "kubernetes", "=", "L"],
    ["share_pgsocket_with_sidecars", "bool?", "false", "kubernetes", "—", "L"],
    ["workers", "uint", "8", "", "=", "C"],
    ["api_port", "int", "8080", "logging_rest_api", "=", "C"],
    ["ring_log_lines", "int", "100", "logging_rest_api", "=", "C"],
    ["cluster_history_entries", "int", "1000", "logging_rest_api", "=", "C"],
    ["team_api_role_configuration", "map", "log_statement:all", "teams_api", "=", "I"],
    ["pod_management_policy", "str", "ordered_ready", "kubernetes", "=", "C"],
    ["enable_readiness_probe", "bool", "false", "kubernetes", "—", "L"],
    ["protected_role_names", "list", "admin,cron_admin", "teams_api", "=", "I"],
    ["postgres_superuser_teams", "list", "", "teams_api", "—", "I"],
    ["set_memory_request_to_limit", "bool", "false", "", "—", "L"],
    ["enable_lazy_spilo_upgrade", "bool", "false", "", "—", "L"],
    ["enable_cross_namespace_secret", "bool", "false", "kubernetes", "—", "I"],
    ["enable_finalizers", "bool?", "false", "kubernetes", "—", "C"],
    ["enable_pgversion_env_var", "bool", "true", "", "=", "C"],
    ["enable_spilo_wal_path_compat", "bool", "false", "", "—", "L"],
    ["enable_team_id_clustername_prefix", "bool", "false", "", "—", "I"],
    ["major_version_upgrade_mode", "str", "manual", "major_version_upgrade", "=", "L"],
    ["major_version_upgrade_team_allow_list", "list", "", "major_version_upgrade", "—", "L"],
    ["minimal_major_version", "str", "14", "major_version_upgrade", "=", "L"],
    ["target_major_version", "str", "18", "major_version_upgrade", "=", "L"],
    ["patroni_api_check_interval", "dur", "1s", "timeouts", "=", "C"],
    ["patroni_api_check_timeout", "dur", "5s", "timeouts", "=", "C"],
    ["enable_patroni_failsafe_mode", "bool?", "false", "patroni", "—", "L"],
    ["enable_secrets_deletion", "bool?", "true", "kubernetes", "=", "C"],
    ["enable_persistent_volume_claim_deletion", "bool?", "true", "kubernetes", "=", "C"],
    ["persistent_volume_claim_retention_policy", "map", "when_deleted:retain,when_scaled:retain", "kubernetes", "—", "L"],
    ["liveness_probe", "probe", "", "kubernetes", "—", "L"],
];

#[test]
fn every_key_of_the_contract_is_in_the_table_as_it_is_there() {
    for [name, _, default, group, crd_default, mark] in CONTRACT {
        let key = all().find(|key| key.name == name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(key.default, default, "{name}");
        assert_eq!(key.group.unwrap_or("-"), group, "{name}");
        let expected = match crd_default {
            "=" => CrdDefault::Same,
            "—" => CrdDefault::Nothing,
            other => CrdDefault::Other(other),
        };
        assert_eq!(key.crd_default, expected, "{name}");
        let expected = match mark {
            "C" => Mark::Core,
            "I" => Mark::Identity,
            "L" => Mark::Later,
            _ => Mark::Deprecated,
        };
        assert_eq!(key.mark, expected, "{name}");
    }
}

#[test]
fn what_is_not_of_the_contract_is_marked_as_ours() {
    let contract: BTreeSet<&str> = CONTRACT.iter().map(|row| row[0]).collect();
    let others: BTreeSet<&str> =
        all().map(|key| key.name).filter(|name| !contract.contains(name)).collect();
    let ours = all().filter(|key| key.mark == Mark::Ours).map(|key| key.name).collect();
    assert_eq!(others, ours);
    assert!(others.contains("teams_refresh_period") && others.contains("connect_to"), "{others:?}");
}

#[test]
fn types_are_those_of_the_contract() {
    for [name, kind, ..] in CONTRACT {
        let expected: &[&str] = match kind.trim_end_matches('?') {
            "dur" => &["duration"],
            "bool" => &["bool"],
            "int" | "uint" => &["number"],
            "list" => &["list"],
            "map" => &["map"],
            "nsname" => &["[namespace/]name"],
            "containers" => &["containers"],
            "probe" => &["probe"],
            _ => &["text", "object", "secrets"],
        };
        let key = find(name).unwrap();
        assert!(expected.contains(&key.slot.kind()), "{name}: {}", key.slot.kind());
    }
}

#[test]
fn core_and_identity_have_an_effect() {
    for key in all() {
        if [Mark::Core, Mark::Identity, Mark::Ours].contains(&key.mark) {
            assert!(key.is_used(), "{}", key.name);
        }
    }
}

/// Whatever its mark, a key that shapes pods, Services or volumes cannot be passed over.
#[test]
fn nothing_waits_but_what_is_dead() {
    let unused: Vec<&str> = all().filter(|key| !key.is_used()).map(|key| key.name).collect();
    assert_eq!(unused, ["enable_load_balancer"]);
}

#[test]
fn names_and_fields_are_unique_and_everything_is_explained() {
    let mut names = BTreeSet::new();
    let mut fields = BTreeSet::new();
    for key in all() {
        assert!(names.insert(key.name), "{}", key.name);
        assert!(fields.insert(key.field), "{}", key.field);
        for alias in key.aliases() {
            assert!(names.insert(alias), "{alias}");
        }
        assert!(key.doc.ends_with('.'), "{}", key.name);
    }
    // A key is never taken for a group.
    assert!(groups().is_disjoint(&names));
}
