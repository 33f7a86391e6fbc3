//! What a deletion names and does not touch.

use serde_json::json;

use super::super::leaves::tell;
use super::super::{Deletion, proceed};
use super::{id, manifest, object};
use crate::build::tests::config;
use crate::testing::Store;

#[tokio::test]
async fn a_deletion_names_what_others_made_for_the_cluster_and_leaves_it() {
    let backup = json!({ "labels": { "application": "spilo-logical-backup",
        "cluster-name": "acid-main" } });
    let fes = "fes-user.acid-main.credentials.postgresql.acid.zalan.do";
    let store = Store::new([
        object("cronjobs", "nightly-acid-main", &backup),
        object("fabriceventstreams", "acid-main-orders", &json!({})),
        object("secrets", fes, &json!({})),
    ]);
    let (api, mut config) = (store.api(), config());
    config.deletion.enable_secrets_deletion = true;
    let context = api.context(config.clone(), None);
    let secret = super::of(object("secrets", fes, &json!({})).1);
    super::fill(&context.caches.secrets, vec![secret]);
    let before = store.paths();
    tell(&context, &config, &id(), Some(&manifest("uid-1", &json!({})))).await;
    // Events are written beside it.
    let note = || {
        let events = api.asked().into_iter().filter(|asked| asked.path.ends_with("/events"));
        events.map(|event| event.body["note"].to_string()).collect::<String>()
    };
    while note().is_empty() {
        tokio::task::yield_now().await;
    }
    for left in [
        "CronJob nightly-acid-main",
        "FabricEventStream acid-main-orders",
        &format!("Secret {fes}"),
    ] {
        assert!(note().contains(left), "{left}: {}", note());
    }
    proceed(&context, &config, &id(), &Deletion::Begun("uid-1".to_owned())).await;
    let now = store.paths();
    assert!(before.iter().all(|path| now.contains(path)), "{now:?}");
}
