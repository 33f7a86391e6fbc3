//! What goes, what stays, and when there is another look.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::{Deletion, of, proceed};
use super::{fill, id, manifest, object};
use crate::build::tests::config;
use crate::config::Config;
use crate::context::Context;
use crate::controller::queue::Ended;
use crate::testing::{FakeApi, Store, nothing, refusal};

fn configured() -> Config {
    let mut config = config();
    config.operation.resync_period = Duration::from_secs(1800);
    config.operation.repair_period = Duration::from_secs(300);
    config.deletion.enable_secrets_deletion = true;
    config
}

/// A context that knows of these Services.
fn context(api: &FakeApi, services: &[&(String, Value)]) -> Context {
    let context = api.context(configured(), None);
    let services = services.iter().map(|(_, service)| super::of(service.clone())).collect();
    fill(&context.caches.services, services);
    context
}

async fn go_on(context: &Context, deletion: &Deletion) -> Ended {
    proceed(context, &configured(), &id(), deletion).await
}

fn begun() -> Deletion {
    Deletion::Begun("uid-1".to_owned())
}

#[tokio::test]
async fn what_is_only_called_like_something_of_the_cluster_stays() {
    let foreign = json!({ "labels": { "app": "orders" } });
    let mine = json!({});
    let store = Store::new([
        object("services", "acid-main", &mine),
        object("services", "acid-main-repl", &mine),
        object("services", "acid-main-config", &foreign),
        // Somebody's own way to the pods.
        object("services", "reports", &mine),
        object("configmaps", "acid-main-config", &foreign),
        object("configmaps", "acid-main-leader", &mine),
        object("endpoints", "acid-main-config", &mine),
        object("endpoints", "acid-main-sync", &foreign),
    ]);
    let service = object("services", "acid-main", &mine);
    let context = context(&store.api(), &[&service]);
    assert_eq!(go_on(&context, &begun()).await, Ended::Forget);
    assert_eq!(
        store.paths(),
        [
            "/api/v1/namespaces/a/configmaps/acid-main-config",
            "/api/v1/namespaces/a/endpoints/acid-main-sync",
            "/api/v1/namespaces/a/services/acid-main-config",
            "/api/v1/namespaces/a/services/reports",
        ]
    );
}

#[tokio::test]
async fn no_backup_of_a_deleted_cluster_goes_on_and_its_keys_go_even_where_secrets_stay() {
    let mut config = configured();
    config.deletion.enable_secrets_deletion = false;
    config.backup.logical_backup_job_prefix = "logical-backup-".to_owned();
    let store = Store::new([
        object("cronjobs", "logical-backup-acid-main", &json!({})),
        object("cronjobs", "reports", &json!({})),
        object("secrets", "logical-backup-acid-main-credentials", &json!({})),
        object("secrets", "app.acid-main.credentials.postgresql.acid.zalan.do", &json!({})),
    ]);
    let context = store.api().context(config.clone(), None);
    proceed(&context, &config, &id(), &begun()).await;
    let left: Vec<String> =
        store.paths().into_iter().filter(|path| !path.contains("event")).collect();
    assert_eq!(
        left,
        [
            "/api/v1/namespaces/a/secrets/app.acid-main.credentials.postgresql.acid.zalan.do",
            "/apis/batch/v1/namespaces/a/cronjobs/reports",
        ]
    );
}

#[tokio::test]
async fn each_delete_is_for_the_object_that_was_seen_and_for_no_successor() {
    let all = ["services", "configmaps", "endpoints", "statefulsets", "secrets", "pods"];
    let store = Store::new(all.map(|plural| object(plural, "acid-main", &json!({}))));
    let (api, service) = (store.api(), object("services", "acid-main", &json!({})));
    let context = context(&api, &[&service]);
    go_on(&context, &begun()).await;
    go_on(&context, &begun()).await;
    let deleted: Vec<_> =
        api.asked().into_iter().filter(|asked| asked.method == "DELETE").collect();
    assert!(deleted.len() >= all.len() - 1, "{deleted:?}");
    for asked in deleted {
        let plural = asked.path.split('/').rev().nth(1).unwrap_or_default();
        assert_eq!(asked.body["preconditions"]["uid"], format!("{plural}-acid-main"));
    }
}

#[tokio::test]
async fn a_manifest_that_somebody_else_keeps_is_looked_at_once_and_not_again_and_again() {
    let api = Store::default().api();
    let context = context(&api, &[]);
    let held = json!({ "deletionTimestamp": "2026-11-25T12:00:00Z",
        "finalizers": ["foregroundDeletion"] });
    let held = Arc::new(manifest("uid-1", &held));
    fill(&context.caches.manifests, vec![(*held).clone()]);
    let deletion = of(&context, &id(), Some(&held)).expect("it ends");
    assert!(matches!(deletion, Deletion::Finalizing(_)), "{deletion:?}");
    let resync = Ended::Well { again: Duration::from_secs(1800) };
    assert_eq!(go_on(&context, &deletion).await, resync);
    let asked = api.asked().iter().filter(|asked| !asked.path.ends_with("/events")).count();
    let deletion = of(&context, &id(), Some(&held)).expect("it ends");
    assert!(matches!(deletion, Deletion::Over), "{deletion:?}");
    assert_eq!(go_on(&context, &deletion).await, resync);
    let now = api.asked().iter().filter(|asked| !asked.path.ends_with("/events")).count();
    assert_eq!(now, asked, "nothing is asked for any more");
}

#[tokio::test]
async fn a_load_balancer_that_is_still_taken_down_is_waited_for_longer_each_time() {
    let cloud = json!({ "finalizers": ["service.kubernetes.io/load-balancer-cleanup"] });
    let service = object("services", "acid-main", &cloud);
    let store = Store::new([service.clone()]);
    let context = context(&store.api(), &[&service]);
    // Its name is used again meanwhile.
    fill(&context.caches.manifests, vec![manifest("uid-2", &json!({}))]);
    for seconds in [2, 4, 8] {
        let ended = go_on(&context, &begun()).await;
        assert_eq!(ended, Ended::Well { again: Duration::from_secs(seconds) });
    }
}

#[tokio::test]
async fn a_name_that_is_used_again_is_looked_at_at_once_when_the_old_service_is_gone() {
    let service = object("services", "acid-main", &json!({}));
    let store = Store::new([service.clone()]);
    let context = context(&store.api(), &[&service]);
    let new = Arc::new(manifest("uid-2", &json!({})));
    fill(&context.caches.manifests, vec![(*new).clone()]);
    assert_eq!(go_on(&context, &begun()).await, Ended::Well { again: Duration::ZERO });
    assert!(of(&context, &id(), Some(&new)).is_none(), "it is a cluster like any other");
}

#[tokio::test]
async fn pods_that_never_stop_are_asked_for_less_and_less_often() {
    let held = json!({ "finalizers": ["example.com/hold"] });
    let store = Store::new([object("pods", "acid-main-0", &held)]);
    let context = context(&store.api(), &[]);
    let mut pauses = Vec::new();
    for _ in 0..10 {
        if let Ended::Well { again } = go_on(&context, &begun()).await {
            pauses.push(again.as_secs());
        }
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
}

#[tokio::test]
async fn without_a_master_service_a_secret_says_that_the_end_was_wanted_before_anything_goes() {
    let pod = object("pods", "acid-main-0", &json!({ "finalizers": ["example.com/hold"] }));
    let store = Store::new([pod.clone(), object("statefulsets", "acid-main", &json!({}))]);
    let api = store.api();
    let context = context(&api, &[]);
    fill(&context.caches.pods, vec![super::of(pod.1)]);
    go_on(&context, &Deletion::Wanted(Arc::new(manifest("uid-1", &json!({}))))).await;
    let mut writes = api.writes();
    writes.retain(|line| !line.ends_with("/events"));
    assert_eq!(writes.first().map(String::as_str), Some("POST /api/v1/namespaces/a/secrets"));
    assert_eq!(context.begun(&id()).as_deref(), Some("uid-1"));
    // Not even with all other Secrets.
    go_on(&context, &begun()).await;
    assert!(store.paths().iter().any(|path| path.ends_with("/acid-main-deleted")));
}

#[tokio::test]
async fn nothing_is_deleted_where_it_cannot_be_written_down_that_it_was_wanted() {
    let api = FakeApi::new(|asked| match asked.method.as_str() {
        "POST" | "PATCH" => refusal(403),
        _ => nothing(asked),
    });
    let context = context(&api, &[]);
    let pod = object("pods", "acid-main-0", &json!({}));
    fill(&context.caches.pods, vec![super::of(pod.1)]);
    let wanted = Deletion::Wanted(Arc::new(manifest("uid-1", &json!({}))));
    let ended = go_on(&context, &wanted).await;
    assert_eq!(ended, Ended::Failed { at_most: Duration::from_secs(300) });
    assert!(api.asked().iter().all(|asked| asked.method != "DELETE"));
}

#[tokio::test]
async fn a_protected_manifest_with_a_finalizer_is_kept_up_until_its_deletion_is_meant() {
    let mut config = configured();
    config.deletion.delete_annotation_name_key = Some("delete-clustername".to_owned());
    let context = Store::default().api().context(config, None);
    let going = json!({ "deletionTimestamp": "2026-11-25T12:00:00Z",
        "finalizers": ["postgres-operator.acid.zalan.do"] });
    let manifest_now = Arc::new(manifest("uid-1", &going));
    let set = object("statefulsets", "acid-main", &json!({}));
    fill(&context.caches.stateful_sets, vec![super::of(set.1)]);
    assert!(of(&context, &id(), Some(&manifest_now)).is_none(), "a cluster like any other");
    let mut meant = going;
    meant["annotations"] = json!({ "delete-clustername": "acid-main" });
    let meant = Arc::new(manifest("uid-1", &meant));
    assert!(matches!(of(&context, &id(), Some(&meant)), Some(Deletion::Finalizing(_))));
    // What has begun goes on: the day of an annotation may be over.
    fill(&context.caches.services, vec![super::tombstone("/uid-1")]);
    assert!(matches!(of(&context, &id(), Some(&manifest_now)), Some(Deletion::Finalizing(_))));
}

/// The operator was started anew, and does not remember that the end was reached.
#[tokio::test]
async fn nothing_is_made_for_a_manifest_that_goes_whose_cluster_is_gone() {
    let mut config = configured();
    config.deletion.delete_annotation_name_key = Some("delete-clustername".to_owned());
    let going = json!({ "deletionTimestamp": "2026-11-25T12:00:00Z",
        "finalizers": ["foregroundDeletion"] });
    let going = Arc::new(manifest("uid-1", &going));
    let context = Store::default().api().context(config, None);
    // A Secret may be left of it.
    let secret = object("secrets", "app.acid-main.credentials", &json!({}));
    fill(&context.caches.secrets, vec![super::of(secret.1)]);
    assert!(matches!(of(&context, &id(), Some(&going)), Some(Deletion::Over)));
    fill(&context.caches.pods, vec![super::of(object("pods", "acid-main-0", &json!({})).1)]);
    assert!(of(&context, &id(), Some(&going)).is_none(), "its pods run, and it is kept up");
}

#[tokio::test]
async fn a_stateful_set_with_other_labels_is_not_deleted_and_nothing_around_it() {
    let mut set = object("statefulsets", "acid-main", &json!({ "labels": { "app": "orders" } }));
    set.1["spec"]["selector"]["matchLabels"] = json!({ "app": "orders" });
    let store = Store::new([set, object("persistentvolumeclaims", "data", &json!({}))]);
    let context = context(&store.api(), &[]);
    let wanted = Deletion::Wanted(Arc::new(manifest("uid-1", &json!({}))));
    assert_eq!(go_on(&context, &wanted).await, Ended::Forget);
    assert_eq!(store.paths().len(), 2, "{:?}", store.paths());
}
