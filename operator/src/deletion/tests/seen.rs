//! Whose deletion it is that was seen.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::{id, manifest};
use crate::controller::seen::Seen;

fn seen(leads: bool) -> Seen {
    let seen = Seen::default();
    seen.leads(leads);
    seen.add(&id(), Arc::new(manifest("uid-1", &json!({}))));
    seen
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_was_seen_while_another_led_is_carried_out_only_soon_after() {
    let soon = seen(false);
    sleep(Duration::from_secs(20)).await;
    soon.leads(true);
    sleep(Duration::from_secs(3600)).await;
    assert!(soon.get(&id()).is_some(), "the leader before has died over it");
    let late = seen(false);
    sleep(Duration::from_secs(3600)).await;
    late.leads(true);
    assert!(late.get(&id()).is_none() && late.clusters().is_empty(), "it refused, or is done");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_waits_for_the_leader_as_long_as_it_leads_and_no_longer() {
    let seen = seen(true);
    sleep(Duration::from_secs(3600)).await;
    assert!(seen.get(&id()).is_some());
    seen.leads(false);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(seen.clusters(), [id()]);
    sleep(Duration::from_secs(31)).await;
    assert!(seen.get(&id()).is_none());
}

#[tokio::test]
async fn who_makes_the_manifest_again_wants_what_is_there() {
    let seen = seen(true);
    seen.forget(&id());
    assert!(seen.get(&id()).is_none());
}
