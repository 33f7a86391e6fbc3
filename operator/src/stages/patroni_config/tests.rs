use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{Next, PatroniConfig, Seen};
use crate::build::tests::{cluster, config};
use crate::patroni::dynamic::Wanted;
use crate::testing::FakeApi;

const RESYNC: Duration = Duration::from_secs(1800);
const MOST: Duration = Duration::from_secs(300);
const SECOND: Duration = Duration::from_secs(1);

fn seen(spec: serde_json::Value) -> Seen {
    let context = FakeApi::empty().context(config(), None);
    let cluster = cluster(spec);
    let wanted = Wanted::of(&cluster, &config(), false);
    Seen::of(&context, &config(), &cluster, wanted)
}

#[tokio::test]
async fn patroni_is_asked_once_until_something_changes_or_everything_is_looked_at_again() {
    let now = Instant::now();
    let mut state = PatroniConfig::default();
    let first = seen(json!({}));
    assert!(state.begins(&first, now, RESYNC));
    assert_eq!(state.ended(now, Next::Rest, MOST), None);
    assert!(!state.begins(&first, now + SECOND, RESYNC), "nothing has changed");
    let second = seen(json!({ "patroni": { "ttl": 20 } }));
    assert!(state.begins(&second, now + SECOND, RESYNC));
    assert_eq!(state.ended(now + SECOND, Next::Rest, MOST), None);
    assert!(state.begins(&second, now + SECOND + RESYNC, RESYNC));
}

#[tokio::test]
async fn what_changes_while_patroni_is_asked_is_asked_about_behind_that() {
    let now = Instant::now();
    let mut state = PatroniConfig::default();
    assert!(state.begins(&seen(json!({})), now, RESYNC));
    let second = seen(json!({ "patroni": { "ttl": 20 } }));
    assert!(!state.begins(&second, now, RESYNC), "never two at a time");
    assert_eq!(state.ended(now, Next::Rest, MOST), Some(Duration::ZERO));
    assert!(state.begins(&second, now, RESYNC));
}

#[tokio::test]
async fn a_look_that_comes_too_early_says_when_it_is_time() {
    let now = Instant::now();
    let mut state = PatroniConfig::default();
    let own = seen(json!({}));
    assert!(state.begins(&own, now, RESYNC));
    assert_eq!(state.due_in(now), None, "it will say so itself");
    assert_eq!(state.ended(now, Next::In(SECOND * 3), MOST), Some(SECOND * 3));
    assert!(!state.begins(&own, now + SECOND, RESYNC));
    assert_eq!(state.due_in(now + SECOND), Some(SECOND * 2));
    assert!(state.begins(&own, now + SECOND * 3, RESYNC));
}

#[tokio::test]
async fn a_failure_is_followed_by_longer_and_longer_pauses() {
    let mut now = Instant::now();
    let mut state = PatroniConfig::default();
    let own = seen(json!({}));
    for seconds in [2, 4, 8, 16] {
        assert!(state.begins(&own, now, RESYNC));
        assert_eq!(state.ended(now, Next::Failed, MOST), Some(SECOND * seconds));
        assert!(!state.begins(&own, now + SECOND, RESYNC));
        now += SECOND * seconds;
    }
    for _ in 0..40 {
        assert!(state.ended(now, Next::Failed, MOST).is_some_and(|pause| pause <= MOST));
    }
    assert_eq!(state.ended(now, Next::In(SECOND), MOST), Some(SECOND));
    assert_eq!(state.ended(now, Next::Failed, MOST), Some(SECOND * 2), "it begins anew");
}

#[test]
fn nobody_is_restarted_before_all_had_the_time_to_say_that_they_have_to_be() {
    let now = Instant::now();
    let turn = SECOND * 3;
    let mut state = PatroniConfig::default();
    let pending = |all: &[(&str, &[&str])]| -> BTreeMap<String, BTreeSet<String>> {
        let set = |own: &[&str]| own.iter().map(|name| (*name).to_owned()).collect();
        all.iter().map(|(name, own)| ((*name).to_owned(), set(own))).collect()
    };
    let one = pending(&[("acid-0", &["max_connections"])]);
    assert_eq!(state.settled(one.clone(), now, turn), Err(turn));
    assert_eq!(state.settled(one, now + SECOND, turn), Err(SECOND * 2));
    let two = pending(&[("acid-0", &["max_connections"]), ("acid-1", &["max_connections"])]);
    assert_eq!(state.settled(two.clone(), now + SECOND * 2, turn), Err(turn), "one more");
    assert_eq!(state.settled(two, now + SECOND * 5, turn), Ok(()));
    // Whoever is done is no news.
    let left = pending(&[("acid-0", &["max_connections"])]);
    assert_eq!(state.settled(left, now + SECOND * 6, turn), Ok(()));
    let more = pending(&[("acid-0", &["max_connections", "wal_level"])]);
    assert_eq!(state.settled(more, now + SECOND * 7, turn), Err(turn));
    assert_eq!(state.settles_in(now + SECOND * 8), Some(SECOND * 2));
    assert_eq!(state.settles_in(now + SECOND * 10), None);
}
