//! Keys come and go.

use super::*;
use crate::pam::Failure;

#[test]
fn a_new_key_is_fetched_at_once_and_once_a_minute_at_most() {
    let world = World::new();
    world.find("k1").unwrap();
    world.pass(1.0);
    world.publishes(&["k1", "k2"]);
    assert_eq!(world.find("k2").unwrap(), Origin::Fetched);
    assert_eq!(world.find("k2").unwrap(), Origin::Cache);
    assert_eq!(world.calls(), 2);
    // The minute is used up.
    world.publishes(&["k2", "k3"]);
    world.pass(59.0);
    world.refuses("k3", Failure::AUTH_ERR, "less than a minute ago");
    assert_eq!(world.calls(), 2);
    world.pass(1.0);
    assert_eq!(world.find("k3").unwrap(), Origin::Fetched);
    assert_eq!(world.calls(), 3);
    // What is gone is gone.
    world.refuses("k1", Failure::AUTH_ERR, "does not publish");
}

#[test]
fn names_that_nobody_publishes_make_one_call_a_minute_whatever_they_are() {
    let world = World::new();
    world.find("k1").unwrap();
    world.pass(1.0);
    for second in 0..600 {
        for number in 0..3 {
            assert!(world.find(&format!("strange-{second}-{number}")).is_err());
        }
        world.pass(1.0);
    }
    assert!(world.calls() <= 1 + 10, "{}", world.calls());
    assert_eq!(world.find("k1").unwrap(), Origin::Cache);
}

#[test]
fn a_name_that_was_not_there_is_not_asked_for_again_for_two_minutes() {
    let world = World::new();
    world.find("k1").unwrap();
    world.pass(1.0);
    world.refuses("k2", Failure::AUTH_ERR, "fetched just now");
    world.pass(61.0);
    world.refuses("k2", Failure::AUTH_ERR, "a short while ago");
    assert_eq!(world.calls(), 2);
    world.pass(60.0);
    assert!(world.find("k2").is_err());
    assert_eq!(world.calls(), 3);
    // A set that has changed is a reason to look again.
    world.publishes(&["k1", "k3"]);
    world.pass(61.0);
    assert_eq!(world.find("k3").unwrap(), Origin::Fetched);
    world.publishes(&["k2"]);
    world.pass(61.0);
    assert_eq!(world.find("k2").unwrap(), Origin::Fetched);
}

#[test]
fn a_set_that_this_login_fetched_is_not_fetched_again_for_a_name() {
    let world = World::new();
    world.refuses("k2", Failure::AUTH_ERR, "fetched just now");
    assert_eq!(world.calls(), 1);
}

#[test]
fn a_day_of_rotation_every_five_minutes_locks_nobody_out() {
    let world = World::new();
    let mut current = 1;
    for minute in 0..24 * 60 {
        if minute % 5 == 0 {
            current += 1;
            // The new key signs as soon as it is published; the one before is still valid.
            let ids = [format!("k{}", current - 1), format!("k{current}")];
            world.publishes(&ids.each_ref().map(String::as_str));
        }
        // At any moment somebody has a token of either key.
        for id in [current, current - 1] {
            let found = world.find(&format!("k{id}"));
            assert!(found.is_ok(), "minute {minute}: {found:?}");
        }
        if current > 2 {
            assert!(world.find(&format!("k{}", current - 2)).is_err(), "minute {minute}");
        }
        world.pass(60.0);
    }
    // One for each rotation, and one in two minutes for the old keys that somebody still has.
    let rotations = 24 * 60 / 5;
    assert!(world.calls() <= rotations + 24 * 30, "{}", world.calls());
}

#[test]
fn a_day_with_outages_is_a_day_of_logins() {
    let world = World::new();
    let mut current = 1;
    for minute in 0..24 * 60 {
        // Down for 20 minutes of every hour, in several ways; keys change while it is up.
        match minute % 60 {
            0 => {
                current += 1;
                let ids = [format!("k{}", current - 1), format!("k{current}")];
                world.publishes(&ids.each_ref().map(String::as_str));
            }
            30 => world.feels(match minute / 60 % 3 {
                0 => Mood::Down,
                1 => Mood::Status(503),
                _ => Mood::Body("<html>sorry</html>"),
            }),
            50 => world.feels(Mood::Good),
            _ => {}
        }
        let found = world.find(&format!("k{current}"));
        assert!(found.is_ok(), "minute {minute}: {found:?}");
        world.pass(60.0);
    }
}

#[test]
fn only_a_set_that_has_changed_makes_unknown_names_worth_a_question() {
    for (changed, reason) in [(false, "a short while ago"), (true, "less than a minute ago")] {
        let world = World::new();
        world.find("k1").unwrap();
        world.pass(1.0);
        world.refuses("k2", Failure::AUTH_ERR, "fetched just now");
        world.pass(61.0);
        if changed {
            world.keys.borrow_mut().push(key("k4"));
        }
        // Somebody else makes the set come once more.
        world.refuses("k3", Failure::AUTH_ERR, "fetched just now");
        world.pass(1.0);
        world.refuses("k2", Failure::AUTH_ERR, reason);
    }
}
