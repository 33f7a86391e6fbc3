use kube::core::dynamic::DynamicObject;
use serde_json::json;

use super::operator_configuration::OperatorConfiguration;
use super::postgres_team::{PostgresTeam, PostgresTeamSpec};

#[test]
fn lists_of_a_postgres_team_may_be_left_empty() {
    let team: PostgresTeam = serde_json::from_value(json!({
        "metadata": {"name": "custom-team-membership"},
        "spec": {
            "additionalSuperuserTeams": {"acid": ["postgres_superusers"]},
            "additionalTeams": {"acid": null, "elephants": []},
            "additionalMembers": null,
        },
    }))
    .unwrap();
    let spec = team.parsed().unwrap();
    assert_eq!(spec.additional_superuser_teams["acid"], ["postgres_superusers"]);
    assert!(spec.additional_teams["acid"].is_empty() && spec.additional_members.is_empty());
    assert_eq!(PostgresTeam::default().parsed().unwrap(), PostgresTeamSpec::default());
}

#[test]
fn a_broken_postgres_team_is_read_and_says_what_is_wrong() {
    let team: PostgresTeam =
        serde_json::from_value(json!({"spec": {"additionalMembers": {"acid": "alice"}}})).unwrap();
    assert_eq!(team.parsed().unwrap_err().field, "spec.additionalMembers.acid");
}

#[test]
fn a_configuration_is_kept_as_it_came() {
    let configuration = json!({"workers": 4, "kubernetes": {"cluster_domain": "cluster.local"}});
    let found: OperatorConfiguration =
        serde_json::from_value(json!({"configuration": configuration})).unwrap();
    assert_eq!(found.configuration, configuration);
}

#[test]
fn examples_are_objects() {
    for text in [
        include_str!("../../examples/complete-postgres-manifest.yaml"),
        include_str!("../../examples/configmap.yaml"),
        include_str!("../../examples/minimal-postgres-manifest.yaml"),
        include_str!("../../examples/postgres-team.yaml"),
        include_str!("../../examples/talk-rbac.yaml"),
    ] {
        for document in text.split("---\n") {
            let object: DynamicObject = serde_saphyr::from_str(document).unwrap();
            assert!(object.types.is_some() && object.metadata.name.is_some(), "{document}");
        }
    }
}

#[test]
fn the_configuration_of_the_talk_is_what_the_slides_say() {
    let found: serde_json::Value =
        serde_saphyr::from_str(include_str!("../../examples/configmap.yaml")).unwrap();
    let data = &found["data"];
    for (key, value) in [
        ("service_account_name", "operator"),
        ("node_readiness_label", "ready:true"),
        ("team_admin_role", "admin"),
        ("oauth_token_secret_name", "postgres-operator"),
        ("resync_period", "5m"),
        ("pam_role_name", "users"),
        (
            "pam_configuration",
            "https://info.example.com/oauth2/tokeninfo?access_token= uid realm=/employees",
        ),
    ] {
        assert_eq!(data[key], value, "{key}");
    }
}
