//! Two operators, each with a CONTROLLER_ID, that watch the same namespace.

use std::sync::Arc;

use serde_json::json;

use super::super::{Deletion, of, proceed};
use super::{fill, id, manifest, tombstone};
use crate::build::tests::config;
use crate::controller::caches::Tombstone;
use crate::testing::FakeApi;

#[tokio::test]
async fn a_deletion_that_another_operator_has_begun_is_not_ours_to_go_on_with() {
    for (own, begun_by, ours) in [
        (None, "", true),
        (Some("x"), "x", true),
        (Some("y"), "x", false),
        (None, "x", false),
        (Some("y"), "", false),
    ] {
        let context = FakeApi::empty().context(config(), own);
        fill(&context.caches.services, vec![tombstone(&format!("{begun_by}/uid-1"))]);
        let deletion = of(&context, &id(), None);
        let goes_on = matches!(&deletion, Some(Deletion::Begun(uid)) if uid == "uid-1");
        assert_eq!(goes_on, ours, "{own:?} {begun_by:?}: {deletion:?}");
        assert_eq!(deletion.is_some(), ours, "{own:?} {begun_by:?}: {deletion:?}");
    }
}

#[tokio::test]
async fn the_tombstone_says_whose_deletion_it_is() {
    let api = FakeApi::new(|asked| match asked.method.as_str() {
        "PATCH" => (200, serde_json::to_value(tombstone("x/uid-1")).expect("JSON")),
        _ => crate::testing::nothing(asked),
    });
    let context = api.context(config(), Some("x"));
    fill(&context.caches.services, vec![super::service(&json!({}))]);
    let deletion = Deletion::Wanted(Arc::new(manifest("uid-1", &json!({}))));
    proceed(&context, &config(), &id(), &deletion).await;
    let patch = api.asked().into_iter().find(|asked| asked.method == "PATCH").expect("a mark");
    let marked = &patch.body["metadata"]["annotations"]["acid.zalan.do/cluster-deleted"];
    assert_eq!(marked, "x/uid-1");
}

#[tokio::test]
async fn a_new_manifest_of_ours_waits_for_another_operator_that_still_deletes_the_old_one() {
    let api = FakeApi::empty();
    let context = api.context(config(), Some("y"));
    fill(&context.caches.services, vec![tombstone("x/uid-1")]);
    let new = json!({ "annotations": { "acid.zalan.do/controller": "y" } });
    let manifest = Arc::new(manifest("uid-2", &new));
    let deletion = of(&context, &id(), Some(&manifest)).expect("it waits");
    assert!(matches!(deletion, Deletion::Elsewhere { .. }), "{deletion:?}");
    proceed(&context, &config(), &id(), &deletion).await;
    let writes: Vec<_> =
        api.writes().into_iter().filter(|line| !line.ends_with("/events")).collect();
    assert_eq!(writes, [""; 0]);
}

#[test]
fn a_tombstone_is_read_as_it_is_written() {
    for controller in ["", "x", "team/x"] {
        let written = Tombstone { controller: controller.to_owned(), uid: "1-2".to_owned() };
        assert_eq!(Tombstone::parse(&written.to_string()), written);
    }
}
