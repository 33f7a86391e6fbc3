//! What is remembered of attempts, to the second.

use super::store::Attempts;
use super::*;

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000.0 + seconds)
}

fn failed(times: u32) -> Attempts {
    let mut attempts = Attempts::default();
    (0..times).for_each(|_| attempts.failed(at(0.0), "nobody is there".to_owned()));
    attempts
}

#[test]
fn a_pause_begins_with_a_second_and_doubles_up_to_thirty() {
    let lengths = [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0];
    for (times, length) in (1..).zip(lengths) {
        let attempts = failed(times);
        assert_eq!(attempts.pause(at(0.0)), Some(length));
        assert_eq!(attempts.pause(at(length - 0.25)), Some(0.25));
        assert_eq!(attempts.pause(at(length)), None);
        assert_eq!(attempts.pause(at(length + 1.0)), None);
    }
    assert_eq!(failed(u32::from(u16::MAX)).pause(at(0.0)), Some(30.0));
}

#[test]
fn without_a_failure_there_is_no_pause() {
    assert_eq!(Attempts::default().pause(Timestamp::from_seconds(0.25)), None);
    let mut attempts = failed(3);
    attempts.succeeded(at(0.0), false);
    assert_eq!(attempts.pause(at(0.0)), None);
    assert_eq!(attempts.reason, "");
}

#[test]
fn a_pause_of_a_clock_that_was_ahead_does_not_last() {
    assert_eq!(failed(6).pause(at(-0.25)), None);
    assert_eq!(failed(1).pause(at(-29.0)), Some(30.0));
    assert_eq!(failed(1).pause(at(-29.25)), None);
}

#[test]
fn who_was_there_before_an_attempt_failed_knows_of_it() {
    let attempts = failed(1);
    assert!(attempts.failed_since(at(-1.0), at(1.0)));
    assert!(attempts.failed_since(at(0.0), at(0.0)));
    assert!(!attempts.failed_since(at(0.25), at(1.0)));
    assert!(!attempts.failed_since(at(-10.0), at(-5.0)));
    let zero = Timestamp::from_seconds(0.0);
    assert!(!Attempts::default().failed_since(zero, at(0.0)));
}

#[test]
fn a_token_makes_somebody_fetch_once_a_minute() {
    let mut attempts = Attempts::default();
    assert!(!attempts.forced_lately(at(0.0)));
    attempts.force(at(0.0));
    assert!(attempts.forced_lately(at(0.0)) && attempts.forced_lately(at(59.75)));
    assert!(!attempts.forced_lately(at(60.0)) && !attempts.forced_lately(at(-5.0)));
}

#[test]
fn a_name_that_was_not_there_is_known_for_two_minutes() {
    let mut attempts = Attempts::default();
    attempts.miss("k1", at(0.0));
    assert!(attempts.missed("k1", at(0.0)) && attempts.missed("k1", at(119.75)));
    assert!(!attempts.missed("k1", at(120.0)) && !attempts.missed("k2", at(0.0)));
    // A set that came unchanged does not have it either; one that changed may.
    attempts.succeeded(at(1.0), false);
    assert!(attempts.missed("k1", at(1.0)));
    attempts.succeeded(at(1.0), true);
    assert!(!attempts.missed("k1", at(1.0)));
}

#[test]
fn of_many_names_the_latest_are_known() {
    let mut attempts = Attempts::default();
    for number in 0..100 {
        attempts.miss(&format!("k{number}"), at(0.0));
    }
    let known = (0..100).filter(|number| attempts.missed(&format!("k{number}"), at(0.0)));
    assert_eq!(known.collect::<Vec<_>>(), (36..100).collect::<Vec<_>>());
}

#[test]
fn a_set_is_good_for_a_day_to_the_second() {
    let world = World::new();
    world.find("k1").unwrap();
    let directory = world.scratch.directory();
    let stored = Store::of(&directory, &world.issuer, &world.limits).set().unwrap();
    let ages = [
        (-10_801.0, Age::Old),
        (-10_800.0, Age::Aging),
        (-5.0, Age::Aging),
        (0.0, Age::Fresh),
        (3599.0, Age::Fresh),
        (3600.0, Age::Aging),
        (86_399.0, Age::Aging),
        (86_400.0, Age::Old),
        (90_000.0, Age::Old),
    ];
    for (seconds, age) in ages {
        assert_eq!(stored.age(at(seconds)), age, "{seconds}");
    }
}

#[test]
fn a_file_of_another_issuer_is_not_that_of_this_one() {
    let mut world = World::new();
    world.find("k1").unwrap();
    let directory = world.scratch.directory();
    let name = world.scratch.names().into_iter().find(|name| name.starts_with("keys-")).unwrap();
    let file = directory.read(&name, 100_000).unwrap();
    world.issuer.issuer = Issuer::parse("https://other.example.com", false).unwrap();
    world.publishes(&["k2"]);
    world.find("k2").unwrap();
    let names = world.scratch.names();
    let other = names.iter().find(|other| other.starts_with("keys-") && **other != name).unwrap();
    assert!(Store::of(&directory, &world.issuer, &world.limits).set().is_some());
    directory.write(other, &file).unwrap();
    assert!(Store::of(&directory, &world.issuer, &world.limits).set().is_none());
}

#[test]
fn an_outage_keeps_a_set_in_use_for_a_time_and_not_for_one_of_the_far_future() {
    let world = World::new();
    world.find("k1").unwrap();
    let directory = world.scratch.directory();
    let stored = Store::of(&directory, &world.issuer, &world.limits).set().unwrap();
    let cases = [(-10_801.0, false), (-10_800.0, true), (0.0, true), (90.0, true), (91.0, false)];
    for (seconds, bridges) in cases {
        assert_eq!(stored.bridges(Duration::from_secs(90), at(seconds)), bridges, "{seconds}");
    }
}

#[test]
fn only_logins_that_look_for_the_same_keys_wait_for_each_other() {
    let (one, mut other) = (World::new(), World::new());
    let directory = one.scratch.directory();
    let key = |world: &World| *Store::of(&directory, &world.issuer, &world.limits).key();
    assert_eq!(key(&one), key(&other));
    other.issuer.keys = KeySource::Discovery;
    assert_ne!(key(&one), key(&other));
    other.issuer = JwtIssuer {
        issuer: Issuer::parse("https://other.example.com", false).unwrap(),
        ..one.issuer.clone()
    };
    assert_ne!(key(&one), key(&other));
}
