use serde_json::json;

use super::*;
use crate::build::vectors::config;

#[test]
fn without_definitions_both_are_bare() {
    let account = service_account("team-a", &config()).unwrap();
    assert_eq!(
        serde_json::to_value(account).unwrap(),
        json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "postgres-pod", "namespace": "team-a"},
        })
    );
    let binding = role_binding("team-a", &config()).unwrap();
    assert_eq!(
        serde_json::to_value(binding).unwrap(),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "postgres-pod", "namespace": "team-a"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "postgres-pod",
            },
            "subjects": [
                {"kind": "ServiceAccount", "name": "postgres-pod", "namespace": "team-a"},
            ],
        })
    );
}

#[test]
fn definitions_say_what_is_in_them_but_not_where_they_are() {
    let mut config = config();
    config.pods.pod_service_account_definition = Some(json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "other", "namespace": "other", "labels": {"a": "b"}},
        "automountServiceAccountToken": true,
    }));
    config.pods.pod_service_account_role_binding_definition = Some(json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "other"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"},
        "subjects": [
            {"kind": "ServiceAccount", "name": "postgres-pod"},
            {"kind": "ServiceAccount", "name": "x", "namespace": "kept"},
            {"kind": "Group", "name": "g"},
        ],
    }));
    let account = service_account("team-a", &config).unwrap();
    assert_eq!(account.metadata.name.as_deref(), Some("postgres-pod"));
    assert_eq!(account.metadata.namespace.as_deref(), Some("team-a"));
    assert_eq!(account.metadata.labels.unwrap()["a"], "b");
    assert_eq!(account.automount_service_account_token, Some(true));
    let binding = role_binding("team-a", &config).unwrap();
    assert_eq!(binding.metadata.name.as_deref(), Some("postgres-pod"));
    assert_eq!(binding.metadata.namespace.as_deref(), Some("team-a"));
    assert_eq!(binding.role_ref.name, "r");
    let namespaces: Vec<_> =
        binding.subjects.unwrap().into_iter().map(|subject| subject.namespace).collect();
    assert_eq!(namespaces, [Some("team-a".to_owned()), Some("kept".to_owned()), None]);
}

#[test]
fn the_role_of_aws_is_an_annotation() {
    let mut config = config();
    config.cloud.irsa_role_arn = Some("arn:aws:iam::123456789012:role/pods".to_owned());
    let annotations = service_account("a", &config).unwrap().metadata.annotations.unwrap();
    assert_eq!(annotations[ROLE_ARN], "arn:aws:iam::123456789012:role/pods");
}

#[test]
fn a_definition_of_something_else_is_refused_by_its_key() {
    let mut config = config();
    let definition = json!({"apiVersion": "v1", "kind": "Secret"});
    config.pods.pod_service_account_definition = Some(definition.clone());
    config.pods.pod_service_account_role_binding_definition = Some(definition);
    let error = service_account("a", &config).unwrap_err();
    assert!(error.to_string().starts_with("pod_service_account_definition is no ServiceAccount"));
    let error = role_binding("a", &config).unwrap_err();
    assert_eq!(error.key, "pod_service_account_role_binding_definition");
}
