//! The CRD form.

use std::time::Duration;

use serde_json::json;

use super::from_crd;
use crate::config::{ConnectTo, Merge};

#[test]
fn a_missing_group_has_its_defaults() {
    for configuration in [json!(null), json!({}), json!({"kubernetes": null, "teams_api": {}})] {
        let loaded = from_crd(&configuration).unwrap();
        let config = loaded.config;
        assert_eq!(
            config.secrets.secret_name_template,
            "{username}.{cluster}.credentials.{tprkind}.{tprgroup}"
        );
        assert_eq!(config.disruption.pdb_name_format, "postgres-{cluster}-pdb");
        assert_eq!(config.services.master_dns_name_format, "{cluster}.{namespace}.{hostedzone}");
        assert_eq!(config.identity.team_admin_role.as_deref(), Some("admin"));
        assert!(config.identity.enable_admin_role_for_users);
        assert_eq!(config.operation.connect_to, ConnectTo::Service);
        assert!(config.volumes.retain_when_deleted && config.volumes.retain_when_scaled);
    }
}

#[test]
fn defaults_differ_from_those_of_a_config_map_where_the_contract_says_so() {
    let config = from_crd(&json!({})).unwrap().config;
    assert!(config.identity.enable_postgres_team_crd);
    assert!(!config.identity.enable_teams_api);
    assert!(!config.services.enable_master_load_balancer);
    assert_eq!(config.identity.oauth_token_secret_name.name, "postgres-operator");
    assert_eq!(config.secrets.password_rotation_user_retention, 120);
    assert_eq!(config.operation.master_pod_move_timeout, Duration::from_secs(1200));
    assert_eq!(config.pods.node_readiness_label_merge, Merge::Or);
    assert_eq!(config.patroni.enable_patroni_failsafe_mode, None);
    assert!(config.operation.crd_categories.is_empty());
}

#[test]
fn an_empty_merge_is_or() {
    let config = from_crd(&json!({"kubernetes": {"node_readiness_label_merge": ""}})).unwrap();
    assert_eq!(config.config.pods.node_readiness_label_merge, Merge::Or);
}

#[test]
fn pam_is_off_only_where_it_is_said_to_be() {
    let pam =
        |group| from_crd(&json!({"teams_api": group})).unwrap().config.identity.pam_configuration;
    assert_eq!(pam(json!({"pam_configuration": ""})), "");
    let default = "https://info.example.com/oauth2/tokeninfo?access_token= uid realm=/employees";
    assert_eq!(pam(json!({})), default);
    assert_eq!(pam(json!(null)), default);
}

#[test]
fn what_cannot_be_empty_is_the_default_there() {
    let config = from_crd(&json!({
        "resync_period": "",
        "kubernetes": {"pdb_name_format": "", "cluster_domain": ""},
    }));
    let config = config.unwrap().config;
    assert_eq!(config.disruption.pdb_name_format, "postgres-{cluster}-pdb");
    assert_eq!(config.pods.cluster_domain, "cluster.local");
    assert_eq!(config.operation.resync_period, Duration::from_secs(1800));
}

#[test]
fn values_are_native_or_text() {
    let native = json!({
        "workers": 4,
        "min_instances": 1,
        "enable_shm_volume": false,
        "crd_categories": ["all", "databases"],
        "kubernetes": {
            "cluster_labels": {"application": "spilo", "tier": "db"},
            "inherited_labels": ["owner"],
            "spilo_runasuser": 101,
            "node_readiness_label": {"ready": true},
        },
        "postgres_pod_resources": {"default_cpu_limit": 1},
        "teams_api": {"protected_role_names": ["admin"], "guard_max_removals_share": 0.5},
    });
    let text = json!({
        "workers": "4",
        "min_instances": "1",
        "enable_shm_volume": "false",
        "crd_categories": "all,databases",
        "kubernetes": {
            "cluster_labels": "application:spilo,tier:db",
            "inherited_labels": "owner",
            "spilo_runasuser": "101",
            "node_readiness_label": "ready:true",
        },
        "postgres_pod_resources": {"default_cpu_limit": "1"},
        "teams_api": {"protected_role_names": "admin", "guard_max_removals_share": "0.5"},
    });
    let config = from_crd(&native).unwrap().config;
    assert_eq!(config, from_crd(&text).unwrap().config);
    assert_eq!(config.operation.workers, 4);
    assert_eq!(config.pods.spilo_runasuser, Some(101));
    assert_eq!(config.pods.node_readiness_label["ready"], "true");
    assert!(!config.pods.enable_shm_volume);
    assert_eq!(config.resources.default_cpu_limit.as_deref(), Some("1"));
}

#[test]
fn infrastructure_roles_have_all_their_fields() {
    let config = from_crd(&json!({"kubernetes": {"infrastructure_roles_secrets": [
        {"secretname": "monitoring", "userkey": "user", "passwordkey": "password", "rolekey": "inrole",
         "defaultuservalue": "robot", "defaultrolevalue": "readers", "details": "definition"},
        {"secretname": "security/numbered", "template": true},
    ]}}));
    let roles = config.unwrap().config.identity.infrastructure_roles_secrets;
    assert_eq!(roles[0].secret.namespace, "operators");
    assert_eq!(roles[0].secret.name, "monitoring");
    assert_eq!(roles[0].userkey.as_deref(), Some("user"));
    assert_eq!(roles[0].passwordkey, "password");
    assert_eq!(roles[0].rolekey.as_deref(), Some("inrole"));
    assert_eq!(roles[0].defaultuservalue.as_deref(), Some("robot"));
    assert_eq!(roles[0].defaultrolevalue.as_deref(), Some("readers"));
    assert_eq!(roles[0].details.as_deref(), Some("definition"));
    assert!(!roles[0].template);
    assert_eq!(roles[1].secret.namespace, "security");
    assert!(roles[1].template);
    assert_eq!(roles[1].passwordkey, "password");
}

#[test]
fn an_error_names_the_path() {
    let error = from_crd(&json!({
        "workers": 0,
        "timeouts": {"ready_wait_timeout": 30},
        "kubernetes": {"infrastructure_roles_secrets": [{"secretname": "x", "passwordkey": "p"}]},
        "users": "postgres",
    }));
    let error = error.unwrap_err();
    for part in [
        "workers: \"0\": write a number from 1 to 256",
        "timeouts.ready_wait_timeout: \"30\": write a duration such as \"300ms\", \"5m\" or \"1h30m\"",
        "item 1: userkey or defaultuservalue has to say what the role is called",
        "users: it is a group: write its keys below it",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_key_in_the_wrong_place_is_named_with_the_right_one() {
    let loaded = from_crd(&json!({
        "pam_role_name": "users",
        "kubernetes": {"workers": 4, "nonsense": 1},
        "enable_load_balancer": true,
    }));
    let loaded = loaded.unwrap();
    assert_eq!(loaded.config.identity.pam_role_name, "zalandos");
    assert_eq!(
        loaded.warnings,
        [
            "enable_load_balancer: ignored, because there is no such key",
            "kubernetes.nonsense: ignored, because there is no such key",
            "kubernetes.workers: ignored, because it stands in the wrong place; write configuration.workers",
            "pam_role_name: ignored, because it stands in the wrong place; write configuration.teams_api.pam_role_name",
        ]
    );
}

#[test]
fn sidecars_and_probes_are_those_of_kubernetes() {
    let config = from_crd(&json!({
        "sidecars": [{"name": "exporter", "image": "example.com/exporter"}],
        "kubernetes": {"liveness_probe": {"httpGet": {"path": "/liveness", "port": 8008}}},
    }));
    let config = config.unwrap().config;
    assert_eq!(config.sidecars.sidecars[0].image.as_deref(), Some("example.com/exporter"));
    assert!(config.pods.liveness_probe.unwrap().http_get.is_some());
    let error = from_crd(
        &json!({"sidecars": [{"name": "x", "env": [{"name": "P", "value": ["hunter2"]}]}]}),
    );
    let error = error.unwrap_err();
    assert!(error.starts_with("sidecars: at [0].env[0].value: expected"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}
