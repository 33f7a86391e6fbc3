//! Whose deletion it is that was seen.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::{id, manifest};
use crate::controller::seen::Seen;

fn seen(another_leads: bool) -> Seen {
    let seen = Seen::default();
    match another_leads {
        true => seen.another_leads(),
        false => seen.we_lead(),
    }
    seen.add(&id(), Arc::new(manifest("uid-1", &json!({}))));
    seen
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_was_seen_while_another_led_is_carried_out_only_soon_after() {
    let soon = seen(true);
    sleep(Duration::from_secs(20)).await;
    soon.we_lead();
    sleep(Duration::from_secs(3600)).await;
    assert!(soon.get(&id()).is_some(), "the leader before has died over it");
    let late = seen(true);
    sleep(Duration::from_secs(3600)).await;
    late.we_lead();
    assert!(late.get(&id()).is_none() && late.clusters().is_empty(), "it refused, or is done");
}

#[tokio::test(start_paused = true)]
async fn a_deletion_waits_for_the_leader_until_another_one_leads() {
    let seen = seen(false);
    sleep(Duration::from_secs(3600)).await;
    assert!(seen.get(&id()).is_some());
    seen.another_leads();
    sleep(Duration::from_secs(30)).await;
    // It renews its Lease, and that gives us no more time.
    seen.another_leads();
    assert_eq!(seen.clusters(), [id()]);
    sleep(Duration::from_secs(31)).await;
    assert!(seen.get(&id()).is_none());
}

/// The API server is away, or everything begins anew: no Lease, and nobody else has it.
#[tokio::test(start_paused = true)]
async fn a_deletion_that_nobody_could_carry_out_is_still_there_when_we_lead_again() {
    let seen = seen(false);
    sleep(Duration::from_secs(3600)).await;
    seen.we_lead();
    assert_eq!(seen.clusters(), [id()]);
    let nobody = Seen::default();
    nobody.add(&id(), Arc::new(manifest("uid-1", &json!({}))));
    sleep(Duration::from_secs(3600)).await;
    nobody.we_lead();
    assert_eq!(nobody.clusters(), [id()], "also where nobody led when it was seen");
}

#[tokio::test]
async fn a_deletion_is_of_the_moment_when_it_was_seen_unless_it_says_when_it_was() {
    let time =
        |seen: &Seen| seen.get(&id()).and_then(|one| one.metadata.deletion_timestamp.clone());
    let (before, seen) = (jiff::Timestamp::now(), seen(false));
    assert!(time(&seen).is_some_and(|time| time.0 >= before));
    let stamp = json!({ "deletionTimestamp": "2026-11-25T12:00:00Z" });
    seen.add(&id(), Arc::new(manifest("uid-1", &stamp)));
    assert_eq!(time(&seen).map(|time| time.0.to_string()).as_deref(), Some("2026-11-25T12:00:00Z"));
}

#[tokio::test]
async fn who_makes_the_manifest_again_wants_what_is_there() {
    let seen = seen(false);
    seen.forget(&id());
    assert!(seen.get(&id()).is_none());
}
