use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{Job, Next, PatroniConfig, Seen};
use crate::api::postgresql::Postgresql;
use crate::build::tests::{cluster, config};
use crate::disturbance::What;
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

fn manifest(generation: i64, annotations: serde_json::Value) -> Arc<Postgresql> {
    let manifest = json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": {
            "name": "acid-minimal-cluster", "namespace": "default", "uid": "c5e1f0a2",
            "generation": generation, "annotations": annotations,
        },
        "spec": {},
    });
    Arc::new(serde_json::from_value(manifest).expect("a manifest"))
}

/// A look at the first one, while the manifest is this one by now.
fn job(now: &Postgresql) -> Job {
    let (manifest, cluster) = (manifest(1, json!({})), cluster(json!({})));
    let context = Arc::new(FakeApi::empty().context(config(), None));
    context.caches.manifests.wrote(now.clone());
    let wanted = Wanted::of(&cluster, &config(), false);
    Job { context, config: Arc::new(config()), manifest, cluster, wanted }
}

#[tokio::test]
async fn a_restart_waits_while_the_script_of_an_upgrade_runs_and_it_for_a_restart() {
    let job = job(&manifest(1, json!({})));
    let restart = || job.reserve(What::Restart("acid-minimal-cluster-1".to_owned()));
    let upgrade = || {
        let what = What::Upgrade("acid-minimal-cluster-0".to_owned());
        job.context.memory.with(job.id(), |known| known.disturbance.reserve(what))
    };
    let script = upgrade().expect("nothing else is done");
    assert!(restart().is_err_and(|why| why.contains("major upgrade")));
    drop(script);
    let restarts = restart().expect("nothing else is done");
    assert!(upgrade().is_err());
    drop(restarts);
    assert!(upgrade().is_ok());
}

#[tokio::test]
async fn what_changed_since_a_look_began_ends_it_before_anything_is_done() {
    for (generation, annotations) in [
        (2, json!({})),
        (1, json!({ "acid.zalan.do/pause": "true" })),
        // By another operator.
        (1, json!({ crate::upgrade::note::NOTE: "17 running" })),
    ] {
        let job = job(&manifest(generation, annotations.clone()));
        assert!(job.reserve(What::Settings).is_err(), "{generation} {annotations}");
        let held = job.context.memory.with(job.id(), |known| known.disturbance.now());
        assert_eq!(held, None, "whoever gives up holds nothing");
    }
}

#[tokio::test]
async fn a_pod_that_has_ended_is_not_asked_whoever_has_its_address_now() {
    let job = job(&manifest(1, json!({})));
    for (number, phase) in ["Failed", "Running", "Succeeded"].iter().enumerate() {
        let pod = json!({
            "metadata": {
                "name": format!("acid-minimal-cluster-{number}"), "namespace": "default",
                "uid": number.to_string(),
                "labels": { "application": "spilo", "cluster-name": "acid-minimal-cluster" },
            },
            "status": { "podIP": format!("10.2.1.{number}"), "phase": phase },
        });
        job.context.caches.pods.wrote(serde_json::from_value(pod).expect("a pod"));
    }
    let seen = Seen::of(&job.context, &job.config, &job.cluster, job.wanted.clone());
    let doors = seen.doors().into_iter().map(|(name, _)| name);
    assert_eq!(doors.collect::<Vec<_>>(), ["acid-minimal-cluster-1"]);
}

#[test]
fn a_restart_that_failed_is_tried_again_after_longer_and_longer_pauses_that_say_why() {
    let now = Instant::now();
    let mut state = PatroniConfig::default();
    assert_eq!(state.restart_waits(now), None);
    for seconds in [2, 4, 8] {
        state.restart_failed(now, "401".to_owned(), MOST);
        assert_eq!(state.restart_waits(now), Some(("401".to_owned(), SECOND * seconds)));
    }
    for _ in 0..40 {
        state.restart_failed(now, "401".to_owned(), MOST);
    }
    assert!(state.restart_waits(now).is_some_and(|(_, left)| left == MOST));
    let later = state.restart_waits(now + MOST).expect("it is still known what was wrong");
    assert_eq!(later.1, Duration::ZERO);
}

#[tokio::test]
async fn what_lasts_is_asked_about_less_and_less_often_until_something_changes() {
    let start = Instant::now();
    let (mut now, mut asked) = (start, 0);
    let mut state = PatroniConfig::default();
    let own = seen(json!({}));
    assert!(state.begins(&own, now, RESYNC * 100));
    while now < start + RESYNC * 48 {
        let pause = state.ended(now, Next::Soon(SECOND), MOST).expect("it comes again");
        assert!(pause <= MOST && (pause == SECOND || now >= start + SECOND * 60), "{pause:?}");
        (now, asked) = (now + pause, asked + 1);
        assert!(state.begins(&own, now, RESYNC * 100));
    }
    assert!((300..400).contains(&asked), "{asked} times a day");
    let other = seen(json!({ "patroni": { "ttl": 20 } }));
    assert_eq!(state.ended(now, Next::Soon(SECOND), MOST), Some(MOST));
    assert!(state.begins(&other, now + SECOND, RESYNC * 100));
    assert_eq!(state.ended(now + SECOND, Next::Soon(SECOND), MOST), Some(SECOND));
}
