//! Nobody answers, or nonsense.

use super::*;
use crate::pam::Failure;

#[test]
fn keys_are_good_for_a_day_without_their_issuer() {
    let world = World::new();
    world.find("k1").unwrap();
    world.feels(Mood::Down);
    world.pass(24.0 * HOUR - 1.0);
    assert_eq!(world.find("k1").unwrap(), Origin::Cache);
    world.pass(1.0);
    world.refuses("k1", Failure::AUTHINFO_UNAVAIL, "connecting failed");
}

#[test]
fn beyond_the_day_an_outage_is_bridged_for_as_long_as_it_says() {
    let mut world = World::new();
    world.limits.on_outage = OnOutage::Stale(Duration::from_secs(1800));
    world.find("k1").unwrap();
    world.feels(Mood::Down);
    world.pass(24.0 * HOUR + 1.0);
    assert_eq!(world.find("k1").unwrap(), Origin::Stale(24.0 * HOUR + 1.0));
    world.pass(1799.0);
    assert_eq!(world.find("k1").unwrap(), Origin::Stale(24.0 * HOUR + 1800.0));
    world.pass(1.0);
    world.refuses("k1", Failure::AUTHINFO_UNAVAIL, "");
    world.feels(Mood::Good);
    world.pass(30.0);
    assert_eq!(world.find("k1").unwrap(), Origin::Fetched);
}

#[test]
fn without_any_set_nobody_gets_in_and_failures_are_not_repeated_at_once() {
    let world = World::new();
    world.feels(Mood::Down);
    world.refuses("k1", Failure::AUTHINFO_UNAVAIL, "connecting failed");
    for _ in 0..10 {
        world.refuses("k1", Failure::AUTHINFO_UNAVAIL, "the next attempt is made in");
    }
    assert_eq!(world.calls(), 1);
    // A second, two, four, and thirty at most.
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let (calls, start) = (world.calls(), world.now.get());
        while world.calls() == calls {
            world.pass(0.5);
            assert!(world.find("k1").is_err());
        }
        pauses.push(world.now.get() - start);
    }
    assert_eq!(pauses, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
    world.feels(Mood::Good);
    world.pass(30.0);
    assert_eq!(world.find("k1").unwrap(), Origin::Fetched);
    // All is forgotten.
    world.feels(Mood::Down);
    world.pass(25.0 * HOUR);
    world.refuses("k1", Failure::AUTHINFO_UNAVAIL, "connecting failed");
    world.pass(1.0);
    world.refuses("k1", Failure::AUTHINFO_UNAVAIL, "connecting failed");
}

#[test]
fn a_clock_that_was_wrong_makes_no_pause_longer() {
    let world = World::new();
    world.feels(Mood::Down);
    world.pass(HOUR);
    assert!(world.find("k1").is_err());
    world.pass(-HOUR);
    world.feels(Mood::Good);
    assert_eq!(world.find("k1").unwrap(), Origin::Fetched);
}

#[test]
fn an_unknown_name_in_an_outage_is_no_verdict() {
    let world = World::new();
    world.find("k1").unwrap();
    world.pass(1.0);
    world.feels(Mood::Down);
    world.refuses("k2", Failure::AUTHINFO_UNAVAIL, "connecting failed");
    world.refuses("k2", Failure::AUTHINFO_UNAVAIL, "the next attempt is made in");
    assert_eq!(world.calls(), 2);
    assert_eq!(world.find("k1").unwrap(), Origin::Cache);
    // The failed attempt has not used up the minute.
    world.feels(Mood::Good);
    world.publishes(&["k1", "k2"]);
    world.pass(1.0);
    assert_eq!(world.find("k2").unwrap(), Origin::Fetched);
}

#[test]
fn answers_that_are_no_set_count_as_an_outage() {
    let cases = [
        (Mood::Status(404), "status 404"),
        (Mood::Status(500), "status 500"),
        (Mood::Status(302), "status 302"),
        (Mood::Status(304), "status 304"),
        (Mood::Body(""), "cannot be used"),
        (Mood::Body("[]"), "cannot be used"),
        (Mood::Body(r#"{"keys":[]}"#), "no key that can be used"),
    ];
    for (mood, reason) in cases {
        let world = World::new();
        world.feels(mood);
        world.refuses("k1", Failure::AUTHINFO_UNAVAIL, reason);
    }
}

#[test]
fn our_own_mistake_is_no_outage_of_the_issuer() {
    let mut world = World::new();
    world.limits.on_outage = OnOutage::Stale(Duration::from_secs(1800));
    world.feels(Mood::Untrusting);
    for calls in 1..4 {
        // Nothing is noted: the next login finds out by itself.
        world.refuses("k1", Failure::SERVICE_ERR, "/ca.pem");
        assert_eq!(world.calls(), calls);
    }
    world.feels(Mood::Good);
    assert_eq!(world.find("k1").unwrap(), Origin::Fetched);
    // Beyond the day it bridges nothing either.
    world.feels(Mood::Untrusting);
    world.pass(24.0 * HOUR + 1.0);
    world.refuses("k1", Failure::SERVICE_ERR, "/ca.pem");
    world.feels(Mood::Down);
    assert_eq!(world.find("k1").unwrap(), Origin::Stale(24.0 * HOUR + 1.0));
}

#[test]
fn who_comes_with_an_unknown_name_in_a_pause_waits_for_its_end_too() {
    let world = World::new();
    world.find("k1").unwrap();
    world.pass(1.0);
    world.feels(Mood::Down);
    world.refuses("k2", Failure::AUTHINFO_UNAVAIL, "connecting failed");
    world.pass(0.5);
    world.refuses("k3", Failure::AUTHINFO_UNAVAIL, "the next attempt is made in");
    assert_eq!(world.calls(), 2);
    world.pass(0.5);
    world.refuses("k3", Failure::AUTHINFO_UNAVAIL, "connecting failed");
    assert_eq!(world.calls(), 3);
}
