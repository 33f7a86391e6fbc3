//! The Secret that says that a cluster without a master Service is to go.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::{Deletion, proceed};
use super::{fill, id, manifest, object};
use crate::build::tests::config;
use crate::context::Context;
use crate::controller::queue::Ended;
use crate::testing::{Asked, FakeApi, Store, nothing, refusal};

const PATH: &str = "/api/v1/namespaces/a/secrets/acid-main-deleted";

/// A pod that does not stop, and a Secret of that name that no cache knows.
fn server(secret: Value) -> FakeApi {
    let held = object("pods", "acid-main-0", &json!({ "finalizers": ["example.com/hold"] })).1;
    FakeApi::new(move |asked: &Asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("POST", path) if path.ends_with("/secrets") => {
            let (code, mut answer) = refusal(409);
            answer["reason"] = json!("AlreadyExists");
            (code, answer)
        }
        ("GET", PATH) => (200, secret.clone()),
        ("PATCH", PATH) => {
            let mut now = secret.clone();
            for part in ["labels", "annotations"] {
                now["metadata"][part] = asked.body["metadata"][part].clone();
            }
            (200, now)
        }
        ("GET", path) if path.ends_with("/pods") => {
            (200, json!({ "kind": "List", "apiVersion": "v1", "metadata": {}, "items": [held] }))
        }
        ("DELETE", path) if path.ends_with("/acid-main-0") => (200, held.clone()),
        _ => nothing(asked),
    })
}

fn secret(more: &Value) -> Value {
    object("secrets", "acid-main-deleted", more).1
}

async fn begins(api: &FakeApi) -> (Context, Ended) {
    let context = api.context(config(), None);
    fill(&context.caches.pods, vec![super::of(object("pods", "acid-main-0", &json!({})).1)]);
    let wanted = Deletion::Wanted(Arc::new(manifest("uid-1", &json!({}))));
    let ended = proceed(&context, &config(), &id(), &wanted).await;
    (context, ended)
}

#[tokio::test]
async fn a_tombstone_that_no_cache_knows_says_whose_end_it_is_before_anything_goes() {
    for left in [
        json!({ "annotations": { "acid.zalan.do/cluster-deleted": "/uid-1" } }),
        // Of a deletion before; and one that no watch by labels ever sees.
        json!({ "annotations": { "acid.zalan.do/cluster-deleted": "/uid-0" } }),
        json!({ "annotations": { "acid.zalan.do/cluster-deleted": "/uid-1" }, "labels": {} }),
    ] {
        let api = server(secret(&left));
        let (context, _) = begins(&api).await;
        assert_eq!(context.begun(&id()).as_deref(), Some("uid-1"), "{left}");
        let patched = api.asked().into_iter().find(|asked| asked.method == "PATCH");
        let uid = patched.map(|asked| asked.body["metadata"]["uid"].clone());
        assert!(uid.is_none_or(|uid| uid == "secrets-acid-main-deleted"));
    }
}

#[tokio::test]
async fn nothing_goes_while_somebody_else_has_the_name_of_the_tombstone() {
    for foreign in [
        json!({ "labels": { "app": "orders" } }),
        json!({ "annotations": { "acid.zalan.do/cluster-deleted": "other/uid-1" } }),
    ] {
        let api = server(secret(&foreign));
        let (_, ended) = begins(&api).await;
        assert!(matches!(ended, Ended::Failed { .. }), "{foreign}: {ended:?}");
        let touched = |asked: &Asked| ["DELETE", "PATCH"].contains(&asked.method.as_str());
        assert!(!api.asked().iter().any(touched), "{foreign}");
    }
}

#[tokio::test]
async fn a_tombstone_that_no_cache_knows_goes_at_the_end_and_somebody_elses_secret_stays() {
    let ended = |annotation: &'static str| async move {
        let annotations = json!({ "annotations": { "acid.zalan.do/cluster-deleted": annotation } });
        let store = Store::new([object("secrets", "acid-main-deleted", &annotations)]);
        let context = store.api().context(config(), None);
        let begun = Deletion::Begun("uid-1".to_owned());
        assert_eq!(proceed(&context, &config(), &id(), &begun).await, Ended::Forget);
        store.paths()
    };
    assert_eq!(ended("/uid-1").await, [""; 0]);
    assert_eq!(ended("other/uid-1").await, [PATH]);
}
