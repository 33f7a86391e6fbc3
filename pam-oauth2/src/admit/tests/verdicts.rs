//! What is remembered, of whom, and for how long.

use super::*;
use crate::verify::remembered::Memory;

#[test]
fn a_verdict_counts_for_its_time_and_no_longer() {
    let world = World::remembering();
    assert_eq!(world.enters(), Way::Tokeninfo);
    world.pass(59.0);
    assert_eq!(world.enters(), verdict(59.0));
    assert_eq!(world.calls(), 1);
    world.pass(1.0);
    assert_eq!(world.enters(), Way::Tokeninfo);
    // The time runs from the answer, and not from the last use.
    world.pass(59.0);
    assert_eq!(world.enters(), verdict(59.0));
    assert_eq!(world.calls(), 2);
}

#[test]
fn a_verdict_brings_back_the_facts_about_its_token() {
    let world = World::remembering();
    let fresh = world.attempt("alice", OPAQUE).unwrap().facts;
    assert_eq!(fresh.subject.as_deref(), Some("alice-id"));
    assert_eq!(world.attempt("alice", OPAQUE).unwrap().facts, fresh);
}

#[test]
fn a_verdict_never_outlives_its_token() {
    for claims in [
        r#"{"uid":"alice","exp":1800000010}"#,
        r#"{"uid":"alice","expires_in":10}"#,
        r#"{"uid":"alice","expires_in":10,"exp":1800003600}"#,
    ] {
        let world = World::bridging();
        world.feels(Mood::Says(claims));
        world.enters();
        world.pass(9.0);
        assert_eq!(world.enters(), verdict(9.0), "{claims}");
        world.pass(1.0);
        // No leeway either, and no outage that would give it any.
        world.feels(Mood::Down);
        world.refuses("alice", OPAQUE, Failure::AUTHINFO_UNAVAIL);
        assert_eq!(world.calls(), 2);
    }
}

#[test]
fn without_a_time_nothing_is_remembered() {
    let world = World::new(&format!("{INFO} uid"));
    for calls in 1..4 {
        assert_eq!(world.enters(), Way::Tokeninfo);
        assert_eq!(world.calls(), calls);
    }
    world.feels(Mood::Status(401));
    for calls in 4..6 {
        world.refuses("alice", OPAQUE, Failure::AUTH_ERR);
        assert_eq!(world.calls(), calls);
    }
}

#[test]
fn a_verdict_is_for_one_token_one_role_and_one_policy() {
    let world = World::remembering();
    world.enters();
    assert_eq!(world.attempt("alice", "another-token").unwrap().way, Way::Tokeninfo);
    world.refuses("bob", OPAQUE, Failure::AUTH_ERR);
    assert_eq!(world.calls(), 3);
    world.policy.borrow_mut().fingerprint = [7; 32];
    assert_eq!(world.enters(), Way::Tokeninfo);
    assert_eq!(world.enters(), verdict(0.0));
}

#[test]
fn only_logins_with_the_same_token_role_and_policy_wait_for_each_other() {
    let world = World::remembering();
    let directory = world.scratch.directory();
    let key = |fingerprint, role: &str, token: &str| {
        let policy = Policy { fingerprint: [fingerprint; 32], ..world.policy.borrow().clone() };
        let role = Role::parse(role.into()).unwrap();
        let token = AccessToken::parse(Zeroizing::new(token.into())).unwrap();
        *Memory::of(&directory, &policy, &role, &token).unwrap().key()
    };
    let own = key(1, "alice", OPAQUE);
    assert_eq!(key(1, "alice", OPAQUE), own);
    assert_ne!(key(2, "alice", OPAQUE), own);
    assert_ne!(key(1, "alic", OPAQUE), own);
    assert_ne!(key(1, "alice", "another-token"), own);
}

#[test]
fn a_refusal_is_remembered_for_five_seconds_at_most() {
    for (ttl, time) in [(60, 5.0), (2, 2.0)] {
        let world = World::remembering();
        world.policy.borrow_mut().limits.cache_ttl = Duration::from_secs(ttl);
        world.feels(Mood::Status(401));
        let first = world.refuses("alice", OPAQUE, Failure::AUTH_ERR);
        assert!(matches!(first, Refusal::Status { .. }));
        world.feels(ALICE);
        world.pass(time - 0.5);
        let again = world.refuses("alice", OPAQUE, Failure::AUTH_ERR);
        assert!(matches!(again, Refusal::Again { ago } if ago == time - 0.5), "{again:?}");
        assert_eq!(world.calls(), 1);
        world.pass(0.5);
        assert_eq!(world.enters(), Way::Tokeninfo);
    }
}

#[test]
fn claims_that_are_not_the_role_are_a_refusal_to_remember() {
    let world = World::remembering();
    for answer in [r#"{"uid":"bob"}"#, r#"{"sub":"alice"}"#] {
        world.feels(Mood::Says(answer));
        assert!(world.attempt("alice", OPAQUE).is_err());
        assert!(matches!(world.attempt("alice", OPAQUE).unwrap_err(), Refusal::Again { .. }));
        world.pass(5.0);
    }
    assert_eq!(world.calls(), 2);
}

#[test]
fn a_verdict_from_the_future_is_not_believed() {
    let world = World::bridging();
    world.enters();
    // The clock was a minute ahead, and was put right.
    world.pass(-60.0);
    assert_eq!(world.enters(), Way::Tokeninfo);
    world.pass(-60.0);
    world.feels(Mood::Down);
    world.refuses("alice", OPAQUE, Failure::AUTHINFO_UNAVAIL);
}

#[test]
fn a_directory_that_is_full_of_rubbish_costs_calls_and_nothing_else() {
    let world = World::remembering();
    world.enters();
    for name in world.scratch.names() {
        std::fs::write(world.scratch.file(&name), "rubbish").unwrap();
    }
    assert_eq!(world.enters(), Way::Tokeninfo);
    assert_eq!(world.enters(), verdict(0.0));
}
