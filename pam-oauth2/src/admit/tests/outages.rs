//! What happens while a service cannot be asked.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use super::*;

/// One hour and one minute.
const BRIDGED: f64 = 3660.0;

#[test]
fn a_verdict_bridges_an_outage_for_as_long_as_the_policy_says() {
    for mood in [Mood::Down, Mood::Late, Mood::Status(503), Mood::Status(429), Mood::Says("[]")] {
        let world = World::bridging();
        world.enters();
        world.feels(mood.clone());
        world.pass(60.0);
        assert_eq!(world.enters(), Way::Verdict { age: 60.0, stale: true }, "{mood:?}");
        let warnings = world.warnings.take();
        assert!(warnings.len() == 1 && warnings[0].contains("verdict of 60 s ago"), "{warnings:?}");
        world.pass(BRIDGED - 61.0);
        assert_eq!(world.enters(), Way::Verdict { age: BRIDGED - 1.0, stale: true }, "{mood:?}");
        world.pass(1.0);
        world.refuses("alice", OPAQUE, Failure::AUTHINFO_UNAVAIL);
    }
}

#[test]
fn without_a_word_in_the_policy_no_outage_is_bridged() {
    let world = World::remembering();
    world.enters();
    world.feels(Mood::Down);
    world.pass(59.0);
    assert_eq!(world.enters(), verdict(59.0));
    world.pass(1.0);
    world.refuses("alice", OPAQUE, Failure::AUTHINFO_UNAVAIL);
}

#[test]
fn a_policy_may_bridge_outages_and_spare_no_call() {
    let world = World::bridging();
    world.policy.borrow_mut().limits.cache_ttl = Duration::ZERO;
    for calls in 1..4 {
        assert_eq!(world.enters(), Way::Tokeninfo);
        assert_eq!(world.calls(), calls);
        // The next one comes from a process whose clock is a little behind.
        world.pass(-0.25);
    }
    world.feels(Mood::Down);
    world.pass(3599.0);
    assert!(matches!(world.enters(), Way::Verdict { stale: true, .. }));
    world.pass(2.0);
    world.refuses("alice", OPAQUE, Failure::AUTHINFO_UNAVAIL);
}

#[test]
fn an_outage_lets_nobody_in_who_was_not_in_before() {
    let world = World::bridging();
    world.enters();
    world.feels(Mood::Down);
    world.refuses("alice", "another-token", Failure::AUTHINFO_UNAVAIL);
    world.refuses("bob", OPAQUE, Failure::AUTHINFO_UNAVAIL);
}

#[test]
fn what_was_refused_in_between_no_outage_brings_back() {
    for mood in [Mood::Status(401), Mood::Says(r#"{"uid":"bob"}"#), Mood::Says(r#"{"x":1}"#)] {
        let world = World::bridging();
        world.enters();
        world.pass(60.0);
        world.feels(mood.clone());
        assert!(world.attempt("alice", OPAQUE).unwrap_err().is_denial(), "{mood:?}");
        world.feels(Mood::Down);
        world.pass(10.0);
        world.refuses("alice", OPAQUE, Failure::AUTHINFO_UNAVAIL);
    }
}

#[test]
fn while_an_outage_is_bridged_ever_fewer_ask() {
    let world = World::bridging();
    world.enters();
    world.feels(Mood::Status(503));
    world.pass(60.0);
    for second in 0..600 {
        assert!(matches!(world.enters(), Way::Verdict { stale: true, .. }), "second {second}");
        world.pass(1.0);
    }
    // After 1, 2, 4, 8, 16 and then every 30 seconds.
    let calls = world.calls() - 1;
    assert!((20..=28).contains(&calls), "{calls}");
    world.feels(ALICE);
    world.pass(30.0);
    assert_eq!(world.enters(), Way::Tokeninfo);
    assert_eq!(world.enters(), verdict(0.0));
}

#[test]
fn a_verdict_about_a_token_without_a_known_end_bridges_nothing() {
    let world = World::bridging();
    world.feels(Mood::Says(r#"{"uid":"alice"}"#));
    assert_eq!(world.enters(), Way::Tokeninfo);
    world.feels(Mood::Down);
    world.pass(59.0);
    assert_eq!(world.enters(), Way::Verdict { age: 59.0, stale: false });
    world.pass(1.0);
    world.refuses("alice", OPAQUE, Failure::AUTHINFO_UNAVAIL);
}

#[test]
fn a_token_that_was_found_dead_for_one_role_is_dead_for_all_in_an_outage() {
    for dead in [Mood::Status(400), Mood::Says(r#"{"uid":"bob","active":false}"#)] {
        let world = World::bridging();
        assert_eq!(world.enters(), Way::Tokeninfo);
        world.pass(61.0);
        world.feels(dead);
        world.refuses("bob", OPAQUE, Failure::AUTH_ERR);
        world.feels(Mood::Down);
        world.refuses("alice", OPAQUE, Failure::AUTHINFO_UNAVAIL);
    }
}

#[test]
fn a_connection_that_breaks_behind_its_beginning_opens_no_breaker() {
    let world = World::new(&format!("{INFO} uid"));
    for _ in 0..9 {
        world.feels(Mood::Broken);
        world.refuses("alice", "'or(1=1)--", Failure::AUTHINFO_UNAVAIL);
    }
    world.feels(ALICE);
    assert_eq!(world.enters(), Way::Tokeninfo);
}

#[test]
fn a_failure_is_shared_for_a_second() {
    let world = World::remembering();
    world.feels(Mood::Status(503));
    let first = world.refuses("alice", OPAQUE, Failure::AUTHINFO_UNAVAIL);
    assert!(matches!(first, Refusal::Status { status: 503, .. }));
    world.pass(0.9);
    let second = world.refuses("alice", OPAQUE, Failure::AUTHINFO_UNAVAIL);
    assert!(matches!(second, Refusal::SharedFailure { .. }), "{second:?}");
    assert_eq!(world.calls(), 1);
    world.pass(0.2);
    world.feels(ALICE);
    assert_eq!(world.enters(), Way::Tokeninfo);
}

#[test]
fn a_service_that_cannot_be_reached_is_left_alone_for_everybody() {
    for mood in [Mood::Down, Mood::Late] {
        let world = World::new(&format!("{INFO} uid"));
        world.feels(mood);
        for _ in 0..3 {
            world.refuses("alice", OPAQUE, Failure::AUTHINFO_UNAVAIL);
        }
        let refusal = world.refuses("bob", "another-token", Failure::AUTHINFO_UNAVAIL);
        assert!(matches!(refusal, Refusal::BreakerOpen { left, .. } if left == 1.0), "{refusal:?}");
        assert_eq!(world.calls(), 3);
        world.feels(ALICE);
        world.refuses("alice", OPAQUE, Failure::AUTHINFO_UNAVAIL);
        world.pass(1.0);
        assert_eq!(world.enters(), Way::Tokeninfo);
        assert_eq!(world.enters(), Way::Tokeninfo);
    }
}

#[test]
fn an_answer_of_any_kind_shows_that_a_service_is_there() {
    let world = World::new(&format!("{INFO} uid"));
    let answers = [Mood::Status(503), Mood::Status(401), Mood::Says("<html>"), Mood::TooLarge];
    for mood in answers {
        // Never three failures in a row.
        for _ in 0..2 {
            world.feels(Mood::Down);
            world.refuses("alice", OPAQUE, Failure::AUTHINFO_UNAVAIL);
        }
        world.feels(mood);
        assert!(world.attempt("alice", OPAQUE).is_err());
    }
    for _ in 0..5 {
        world.feels(Mood::Status(503));
        world.refuses("alice", OPAQUE, Failure::AUTHINFO_UNAVAIL);
    }
    world.feels(ALICE);
    assert_eq!(world.enters(), Way::Tokeninfo);
    assert_eq!(world.calls(), 4 * 3 + 5 + 1);
}

#[test]
fn a_broken_file_of_ours_is_no_outage_that_others_hear_of() {
    let world = World::new(
        "https://info.example.com/introspect uid --verify=introspection --client-id=postgres \
         --client-secret-file=/nonexistent/secret",
    );
    world.policy.borrow_mut().limits.cache_ttl = Duration::from_secs(60);
    for _ in 0..3 {
        let refusal = world.refuses("alice", OPAQUE, Failure::SERVICE_ERR);
        assert!(matches!(refusal, Refusal::SecretFile { .. }), "{refusal:?}");
    }
    assert_eq!(world.calls(), 0);
}

#[test]
fn our_own_mistake_is_no_outage_and_is_not_remembered() {
    let world = World::bridging();
    let limits = world.policy.borrow().limits.clone();
    let secret = world.scratch.folder().join("secret");
    let line = format!(
        "https://info.example.com/introspect uid --verify=introspection --client-id=postgres \
         --client-secret-file={}",
        secret.display()
    );
    *world.policy.borrow_mut() = Policy { limits, ..policy(&line) };
    let keep = || {
        std::fs::write(&secret, "s3cret").unwrap();
        std::fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    };
    keep();
    world.feels(Mood::Says(r#"{"active":true,"uid":"alice","exp":2e9}"#));
    assert_eq!(world.enters(), Way::Introspection);
    world.pass(60.0);
    std::fs::remove_file(&secret).unwrap();
    for _ in 0..2 {
        let refusal = world.refuses("alice", OPAQUE, Failure::SERVICE_ERR);
        assert!(matches!(refusal, Refusal::SecretFile { .. }));
    }
    keep();
    assert_eq!(world.enters(), Way::Introspection);
    // That the service refuses us is an outage, for all that it says about the token.
    world.pass(60.0);
    world.feels(Mood::Status(401));
    assert_eq!(world.enters(), Way::Verdict { age: 60.0, stale: true });
}

#[test]
fn a_token_that_its_service_no_longer_knows_stays_out_for_the_longest_outage() {
    let world = World::bridging();
    world.policy.borrow_mut().limits.on_outage = OnOutage::Stale(Duration::from_secs(7 * 86_400));
    world.enters();
    world.pass(60.0);
    world.feels(Mood::Down);
    assert!(matches!(world.enters(), Way::Verdict { stale: true, .. }));
    world.pass(60.0);
    // It is asked about for another role.
    world.feels(Mood::Status(401));
    world.refuses("bob", OPAQUE, Failure::AUTH_ERR);
    world.feels(Mood::Down);
    for _ in 0..6 {
        world.pass(86_400.0);
        world.refuses("alice", OPAQUE, Failure::AUTHINFO_UNAVAIL);
    }
}
