//! Secrets in other namespaces than their cluster's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use super::super::{Deletion, proceed};
use super::{fill, id, of};
use crate::build::tests::config;
use crate::controller::queue::Ended;
use crate::mark::Mark;
use crate::packed::Packed;
use crate::secrets::read;
use crate::testing::{FakeApi, nothing, refusal};

fn secret(namespace: &str, name: &str, mark: Option<&str>) -> Value {
    let mut metadata = json!({
        "name": name, "namespace": namespace, "uid": format!("{namespace}-{name}"),
        "labels": { "application": "spilo", "cluster-name": "acid-main" },
    });
    if let Some(mark) = mark {
        metadata["annotations"] = json!({ "acid.zalan.do/secret-of": mark });
    }
    json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata })
}

/// Of `a/acid-main`, of `b/acid-main`, and of nobody who can be told.
fn all() -> Vec<Value> {
    vec![
        secret("a", "own", None),
        secret("b", "of-a", Some("a/acid-main/uid-1")),
        secret("b", "own", None),
        secret("a", "of-b", Some("b/acid-main/uid-2")),
        secret("c", "of-b", Some("b/acid-main/uid-2")),
        secret("c", "of-a-before", Some("a/acid-main/uid-0")),
        secret("c", "unmarked", None),
    ]
}

fn server() -> FakeApi {
    FakeApi::new(|asked| match asked.path.as_str() {
        "/api/v1/secrets" => (
            200,
            json!({ "kind": "SecretList", "apiVersion": "v1", "metadata": {},
                "items": all() }),
        ),
        path if asked.method == "DELETE" && path.contains("/secrets/") => {
            (200, json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" }))
        }
        _ => nothing(asked),
    })
}

#[tokio::test]
async fn a_deletion_takes_the_secrets_of_this_very_cluster_and_none_of_its_namesake() {
    let mut config = config();
    config.deletion.enable_secrets_deletion = true;
    config.secrets.enable_cross_namespace_secret = true;
    let api = server();
    let context = api.context(config.clone(), None);
    proceed(&context, &config, &id(), &Deletion::Begun("uid-1".to_owned())).await;
    let mut deleted = api.writes();
    deleted.retain(|line| line.contains("/secrets/"));
    assert_eq!(
        deleted,
        ["DELETE /api/v1/namespaces/a/secrets/own", "DELETE /api/v1/namespaces/b/secrets/of-a"]
    );
}

#[tokio::test]
async fn a_secret_in_another_namespace_is_of_its_cluster_and_no_orphan_of_a_namesake() {
    let context = FakeApi::empty().context(config(), None);
    let all: Vec<Secret> = all().into_iter().map(of).collect();
    fill(&context.caches.secrets, all);
    let own: Vec<String> = context
        .caches
        .secrets
        .of(&id())
        .iter()
        .filter_map(|own| own.metadata.name.clone())
        .collect();
    assert_eq!(own, ["own", "of-a", "of-a-before"]);
    fill(&context.caches.manifests, vec![super::manifest("uid-1", &json!({}))]);
    let orphans: Vec<String> = context.caches.orphans().iter().map(ToString::to_string).collect();
    assert_eq!(orphans, ["b/acid-main", "c/acid-main"], "c has one without a mark");
}

#[tokio::test]
async fn a_deletion_goes_on_where_secrets_may_be_listed_in_some_namespaces_alone() {
    let mut config = config();
    config.deletion.enable_secrets_deletion = true;
    config.secrets.enable_cross_namespace_secret = true;
    let is_away = Arc::new(AtomicBool::new(true));
    let away = Arc::clone(&is_away);
    let api = FakeApi::new(move |asked| {
        let parts: Vec<&str> = asked.path.split('/').collect();
        match (asked.method.as_str(), &parts[..]) {
            ("GET", [_, "api", "v1", "secrets"]) => refusal(403),
            ("GET", [.., "b", "secrets"]) if away.load(Ordering::Relaxed) => refusal(500),
            ("GET", [_, "api", "v1", "namespaces", "d", "secrets"]) => refusal(403),
            ("GET", [_, "api", "v1", "namespaces", own, "secrets"]) => {
                let mut items = all();
                items.retain(|one| one["metadata"]["namespace"] == *own);
                (
                    200,
                    json!({ "kind": "SecretList", "apiVersion": "v1", "metadata": {},
                        "items": items }),
                )
            }
            ("DELETE", [.., "secrets", _]) => {
                (200, json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" }))
            }
            _ => nothing(asked),
        }
    });
    let context = api.context(config.clone(), None);
    let mut manifest = super::manifest("uid-1", &json!({}));
    manifest.spec = Packed::from(&json!({
        "teamId": "acid", "numberOfInstances": 1, "volume": { "size": "1Gi" },
        "postgresql": { "version": "17" }, "users": { "b.foo": [], "d.bar": [], "own": [] },
    }));
    let wanted = Deletion::Wanted(manifest.into());
    // What is no refusal may be over at the next look: nothing is forgotten.
    let ended = proceed(&context, &config, &id(), &wanted).await;
    assert!(matches!(ended, Ended::Failed { .. }), "{ended:?}");
    is_away.store(false, Ordering::Relaxed);
    let ended = proceed(&context, &config, &id(), &wanted).await;
    let mut deleted = api.writes();
    deleted.retain(|line| line.starts_with("DELETE") && line.contains("/secrets/"));
    assert_eq!(
        deleted,
        ["DELETE /api/v1/namespaces/a/secrets/own", "DELETE /api/v1/namespaces/b/secrets/of-a"]
    );
    assert!(matches!(ended, Ended::Forget), "{ended:?}");
}

#[tokio::test]
async fn a_secret_of_another_cluster_is_not_believed() {
    let api = FakeApi::new(|asked| {
        let found = all().into_iter().find(|one| {
            let metadata = &one["metadata"];
            let place = format!(
                "/api/v1/namespaces/{}/secrets/{}",
                metadata["namespace"].as_str().unwrap_or_default(),
                metadata["name"].as_str().unwrap_or_default()
            );
            asked.path == place
        });
        found.map_or_else(|| nothing(asked), |one| (200, one))
    });
    let context = api.context(config(), None);
    for (namespace, name, is_believed) in [
        ("a", "own", true),
        ("a", "of-b", false),
        ("b", "of-a", true),
        ("b", "own", false),
        ("c", "of-b", false),
        ("c", "unmarked", false),
        // A manifest that came again takes over what it had.
        ("c", "of-a-before", true),
    ] {
        let found = read(&context, &id(), namespace, name).await;
        assert_eq!(found.is_ok(), is_believed, "{namespace}/{name}: {found:?}");
        if let Err(error) = found {
            let error = error.to_string();
            let place = format!("{namespace}/{name}");
            assert!(error.contains(&place) && error.contains("\"a/acid-main/\""), "{error}");
        }
    }
}

#[test]
fn a_mark_names_namespace_cluster_and_uid() {
    let secret: Secret = of(secret("b", "x", Some("a/acid-main/uid-1")));
    let mark = Mark::of(&secret).expect("a mark");
    assert_eq!((&mark.cluster, mark.uid.as_str()), (&id(), "uid-1"));
    assert_eq!(mark.to_string(), "a/acid-main/uid-1");
}
