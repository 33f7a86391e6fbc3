//! A deletion that comes while something is written to the manifest.

use std::sync::Arc;

use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::super::{Deletion, proceed};
use super::{fill, id, manifest, object};
use crate::api::postgresql::Postgresql;
use crate::build::tests::config;
use crate::context::Context;
use crate::controller::cache::Change;
use crate::controller::queue::Ended;
use crate::finalizer;
use crate::tell;
use crate::testing::{FakeApi, Store, nothing, refusal};

const FINALIZER: &str = "postgres-operator.acid.zalan.do";

fn knows(context: &Context, known: &Postgresql) {
    fill(&context.caches.manifests, vec![known.clone()]);
}

/// Whether the event of the watch says so.
fn is_told_of(context: &Context, gone: Postgresql) -> bool {
    let told = context.caches.manifests.take(Event::Delete(gone));
    matches!(told.as_slice(), [Change::Deleted(_)])
}

#[tokio::test]
async fn a_deletion_is_told_of_though_a_status_or_a_finalizer_came_too_late() {
    let mut config = config();
    config.operation.enable_finalizers = true;
    let context = FakeApi::empty().context(config.clone(), None);
    let gone = manifest("uid-1", &json!({ "resourceVersion": "5" }));
    knows(&context, &gone);
    tell::status(&context, &gone).await.expect("a manifest that is gone is no failure");
    finalizer::ensure(&context, &config, &gone).await;
    assert!(is_told_of(&context, gone));
}

fn held(more: &[&str]) -> Value {
    json!({ "deletionTimestamp": "2026-11-25T12:00:00Z", "resourceVersion": "5",
        "finalizers": more })
}

/// Each patch to a manifest lets it go.
fn lets_go() -> FakeApi {
    FakeApi::new(|asked| match asked.method.as_str() {
        "PATCH" => {
            let mut gone = held(&[]);
            gone["resourceVersion"] = json!("6");
            (200, serde_json::to_value(manifest("uid-1", &gone)).expect("JSON"))
        }
        _ => nothing(asked),
    })
}

#[tokio::test]
async fn a_manifest_that_goes_with_its_finalizer_is_told_of_unless_its_deletion_is_done() {
    let (api, known) = (lets_go(), manifest("uid-1", &held(&[FINALIZER])));
    let context = api.context(config(), None);
    knows(&context, &known);
    // Finalizers were switched off, and nothing is deleted yet.
    finalizer::ensure(&context, &config(), &known).await;
    assert!(is_told_of(&context, known.clone()));

    let context = api.context(config(), None);
    knows(&context, &known);
    finalizer::remove(&context, &known).await.expect("it is removed");
    assert!(!is_told_of(&context, known));
}

#[tokio::test]
async fn the_end_of_a_manifest_does_not_hide_the_one_that_has_its_name_now() {
    let api = FakeApi::new(|asked| match asked.method.as_str() {
        "PATCH" => refusal(404),
        _ => nothing(asked),
    });
    let context = api.context(config(), None);
    knows(&context, &manifest("uid-2", &json!({ "resourceVersion": "9" })));
    let former = manifest("uid-1", &held(&[FINALIZER]));
    finalizer::remove(&context, &former).await.expect("it is gone");
    assert!(context.caches.manifests.get(&id(), "acid-main").is_some());
}

#[tokio::test]
async fn the_end_of_one_deletion_is_not_that_of_the_next_under_its_name() {
    let service = object("services", "acid-main", &json!({}));
    let store = Store::new([service.clone()]);
    let context = store.api().context(config(), None);
    fill(&context.caches.services, vec![super::of(service.1)]);
    context.deletions.we_lead();
    context.deletions.add(&id(), Arc::new(manifest("uid-2", &json!({}))));
    let first = Deletion::Begun("uid-1".to_owned());
    let ended = proceed(&context, &config(), &id(), &first).await;
    assert_eq!(ended, Ended::Well { again: std::time::Duration::ZERO });
    assert!(context.deletions.get(&id()).is_some());
}
