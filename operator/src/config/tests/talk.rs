//! The configurations of the talk at FOSDEM 2018, their indentation and backslashes repaired.

use std::collections::BTreeMap;
use std::time::Duration;

use super::environment;
use crate::config::{Environment, NamespacedName, from_config_map};

const SLIDES: &str = r#"
data:
  service_account_name: operator
  docker_image: registry.opensource.zalan.do/acid/demospilo-10:1.3-p3
  etcd_host: ""
  enable_teams_api: "true"
  infrastructure_roles_secret_name: postgresql-infrastructure-roles
  super_username: postgres
  replication_username: standby
  resync_period: 5m # how often the clusters are synced
  workers: "4"
  api_port: "8080"
  pod_terminate_grace_period: 5m
  pdb_name_format: "postgres-{cluster}-pdb"
  node_readiness_label: "ready:true"

  teams_api_url: http://fake-teams-api.default.svc.cluster.local
  enable_team_superuser: "false" # grant superuser
  team_admin_role: "admin" # team roles are members of this role
  oauth_token_secret_name: "postgres-operator"

  pam_configuration:
    https://info.example.com/oauth2/tokeninfo?access_token= uid
    realm=/employees
  pam_role_name: users
"#;

fn data() -> BTreeMap<String, String> {
    let mut object: BTreeMap<String, BTreeMap<String, String>> =
        serde_saphyr::from_str(SLIDES).unwrap();
    object.remove("data").unwrap()
}

#[test]
fn the_config_map_of_the_talk_takes_effect() {
    let loaded = from_config_map(&data(), &environment()).unwrap();
    let config = &loaded.config;
    assert_eq!(config.pods.pod_service_account_name, "operator");
    assert_eq!(config.pods.docker_image, "registry.opensource.zalan.do/acid/demospilo-10:1.3-p3");
    assert_eq!(config.patroni.etcd_host, "");
    assert_eq!(config.operation.resync_period, Duration::from_secs(300));
    assert_eq!(config.operation.workers, 4);
    assert_eq!(config.operation.api_port, 8080);
    assert_eq!(config.pods.pod_terminate_grace_period, Duration::from_secs(300));
    assert_eq!(config.disruption.pdb_name_format, "postgres-{cluster}-pdb");
    assert_eq!(
        config.pods.node_readiness_label,
        BTreeMap::from([("ready".to_owned(), "true".to_owned())])
    );
    let secret = NamespacedName {
        namespace: "operators".to_owned(),
        name: "postgresql-infrastructure-roles".to_owned(),
    };
    assert_eq!(config.identity.infrastructure_roles_secret_name, Some(secret));
    assert_eq!(config.identity.super_username, "postgres");
    assert_eq!(config.identity.replication_username, "standby");
}

#[test]
fn the_teams_api_of_the_talk_takes_effect() {
    let identity = from_config_map(&data(), &environment()).unwrap().config.identity;
    assert!(identity.enable_teams_api);
    assert_eq!(identity.teams_api_url, "http://fake-teams-api.default.svc.cluster.local");
    assert!(!identity.enable_team_superuser);
    assert_eq!(identity.team_admin_role.as_deref(), Some("admin"));
    assert_eq!(identity.oauth_token_secret_name.name, "postgres-operator");
    assert_eq!(identity.oauth_token_secret_name.namespace, "operators");
}

#[test]
fn the_pam_module_of_the_talk_takes_effect() {
    let identity = from_config_map(&data(), &environment()).unwrap().config.identity;
    assert_eq!(
        identity.pam_configuration,
        "https://info.example.com/oauth2/tokeninfo?access_token= uid realm=/employees"
    );
    assert_eq!(identity.pam_role_name, "users");
}

#[test]
fn the_talk_is_warned_of_nothing_but_its_age_and_plain_http() {
    let warnings = from_config_map(&data(), &environment()).unwrap().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert_eq!(
        warnings[0],
        "service_account_name: this key is called pod_service_account_name now"
    );
    assert!(warnings[1].starts_with("teams_api_url: http:// sends the token readable"));
}

#[test]
fn the_label_of_the_slide_about_upgrades_is_one_too() {
    let mut data = data();
    data.insert("node_readiness_label".to_owned(), "lifecycle-status:ready".to_owned());
    let pods = from_config_map(&data, &environment()).unwrap().config.pods;
    assert_eq!(pods.node_readiness_label["lifecycle-status"], "ready");
}

#[test]
fn samples_of_2018_are_accepted() {
    let data = [
        ("cluster_name_label", "version"),
        ("secret_name_template", "{username}.{cluster}.credentials"),
        ("enable_load_balancer", "true"),
        ("dns_name_format", "%s.%s.staging.%s"),
        ("namespace", "development"),
        (
            "pam_configuration",
            "https://info.example.com/oauth2/tokeninfo?access_token= uid realm=/employees\n",
        ),
    ];
    let loaded = super::loaded(&data);
    let config = &loaded.config;
    assert_eq!(config.labels.cluster_name_label, "version");
    assert_eq!(config.secrets.secret_name_template, "{username}.{cluster}.credentials");
    assert_eq!(config.operation.watched_namespace.as_deref(), Some("development"));
    let services = &config.services;
    assert_eq!(services.master_dns_name_format, "{cluster}.{team}.staging.{hostedzone}");
    assert_eq!(services.master_legacy_dns_name_format, "{cluster}.{team}.staging.{hostedzone}");
    assert_eq!(services.replica_dns_name_format, "{cluster}-repl.{team}.staging.{hostedzone}");
    let warning = "enable_load_balancer: accepted, and not used here";
    assert!(loaded.warnings.iter().any(|one| one == warning), "{:?}", loaded.warnings);
}

#[test]
fn a_key_that_is_said_goes_before_what_an_old_one_implies() {
    let data = [
        ("dns_name_format", "{cluster}.{team}.{hostedzone}"),
        ("replica_dns_name_format", "{cluster}-ro.{hostedzone}"),
    ];
    let services = super::config(&data).services;
    assert_eq!(services.master_dns_name_format, "{cluster}.{team}.{hostedzone}");
    assert_eq!(services.replica_dns_name_format, "{cluster}-ro.{hostedzone}");
}

#[test]
fn an_old_and_a_new_name_may_agree_and_not_differ() {
    let old = ("service_account_name", "operator");
    let same = super::config(&[old, ("pod_service_account_name", "operator")]);
    assert_eq!(same.pods.pod_service_account_name, "operator");
    let error = super::refused(&[old, ("pod_service_account_name", "postgres-pod")]);
    assert_eq!(
        error,
        "service_account_name: \"operator\": pod_service_account_name says something else, and \
         both are one key: leave one out"
    );
}

#[test]
fn the_environment_says_where_before_the_configuration() {
    let data = super::config_map(&[("watched_namespace", "databases")]);
    let watched = |said: Option<&str>, data: &BTreeMap<String, String>| {
        let environment =
            Environment { watched_namespace: said.map(str::to_owned), ..environment() };
        from_config_map(data, &environment).unwrap().config.operation.watched_namespace.unwrap()
    };
    assert_eq!(watched(Some("*"), &data), "*");
    assert_eq!(watched(Some(""), &data), "databases");
    assert_eq!(watched(None, &data), "databases");
    assert_eq!(watched(None, &BTreeMap::new()), "operators");
}
