//! Roles of which more is demanded, and tokens that are out before their time.

use super::*;

/// Nobody becomes admin without being asked about now.
fn demanding(world: World) -> World {
    world.policy.borrow_mut().roles = vec![RolePolicy {
        names: vec!["root".to_owned(), "admin".to_owned()],
        online: true,
        requirements: Vec::new(),
    }];
    world.feels(Mood::Says(r#"{"uid":"admin"}"#));
    world
}

fn admin(world: &World) -> String {
    Jwt::new(NOW).user("admin").sign(&world.key, world.key.algorithm())
}

#[test]
fn for_such_a_role_the_service_has_to_confirm_a_good_jwt() {
    let world = demanding(World::verifying());
    let token = admin(&world);
    let admission = world.attempt("admin", &token).unwrap();
    assert_eq!(admission.way, Way::Jwt { keys: Origin::Fetched, confirmed: true });
    assert_eq!(*world.asked.borrow(), [KEYS.to_owned(), format!("{INFO}{token}")]);
    let cases = [
        (Mood::Status(401), Failure::AUTH_ERR),
        (Mood::Says(r#"{"uid":"alice"}"#), Failure::AUTH_ERR),
        (Mood::Says(r#"{"uid":"admin","active":false}"#), Failure::AUTH_ERR),
        (Mood::Status(503), Failure::AUTHINFO_UNAVAIL),
        (Mood::Down, Failure::AUTHINFO_UNAVAIL),
    ];
    for (mood, code) in cases {
        world.feels(mood);
        world.refuses("admin", &token, code);
    }
    // All others get in without.
    assert!(world.attempt("alice", &world.jwt()).is_ok());
}

#[test]
fn for_such_a_role_a_jwt_that_is_bad_is_not_even_asked_about() {
    let world = demanding(World::verifying());
    let stranger = TestKey::p256().with_kid("k1");
    let token = Jwt::new(NOW).user("admin").sign(&stranger, stranger.algorithm());
    world.refuses("admin", &token, Failure::AUTH_ERR);
    assert_eq!(*world.asked.borrow(), [KEYS]);
}

#[test]
fn where_no_service_can_confirm_such_a_role_is_a_wrong_configuration() {
    let world = demanding(World::verifying());
    world.policy.borrow_mut().online = None;
    let refusal = world.refuses("admin", &admin(&world), Failure::SERVICE_ERR);
    assert!(matches!(refusal, Refusal::NoServiceForRole));
}

#[test]
fn for_such_a_role_no_verdict_is_kept_or_taken_and_no_outage_is_bridged() {
    let world = demanding(World::bridging());
    for calls in 1..4 {
        assert_eq!(world.attempt("admin", OPAQUE).unwrap().way, Way::Tokeninfo);
        assert_eq!(world.calls(), calls);
    }
    // A verdict from a time at which less was demanded.
    let roles = std::mem::take(&mut world.policy.borrow_mut().roles);
    assert_eq!(world.attempt("admin", OPAQUE).unwrap().way, Way::Tokeninfo);
    assert_eq!(world.attempt("admin", OPAQUE).unwrap().way, verdict(0.0));
    world.policy.borrow_mut().roles = roles;
    assert_eq!(world.attempt("admin", OPAQUE).unwrap().way, Way::Tokeninfo);
    world.feels(Mood::Down);
    world.refuses("admin", OPAQUE, Failure::AUTHINFO_UNAVAIL);
}

#[test]
fn a_line_in_the_revocation_file_works_at_the_next_login_however_it_is_decided() {
    let world = World::bridging();
    let file = world.scratch.folder().join("revoked");
    std::fs::write(&file, "jti other\n").unwrap();
    world.policy.borrow_mut().revoked = Some(file.clone());
    assert_eq!(world.enters(), Way::Tokeninfo);
    assert_eq!(world.enters(), verdict(0.0));
    for rule in ["jti j1\n", "sub alice-id\n"] {
        std::fs::write(&file, rule).unwrap();
        // Remembered,
        assert!(matches!(world.refuses("alice", OPAQUE, Failure::AUTH_ERR), Refusal::Revoked(_)));
        // asked,
        let other = world.refuses("alice", "another-token", Failure::AUTH_ERR);
        assert!(matches!(other, Refusal::Revoked(_)));
        // and bridged.
        world.pass(100.0);
        world.feels(Mood::Down);
        assert!(matches!(world.refuses("alice", OPAQUE, Failure::AUTH_ERR), Refusal::Revoked(_)));
        world.feels(ALICE);
        world.pass(100.0);
    }
    std::fs::write(&file, "").unwrap();
    assert!(world.attempt("alice", OPAQUE).is_ok());
    std::fs::write(&file, "jtj j1\n").unwrap();
    world.refuses("alice", OPAQUE, Failure::SERVICE_ERR);
    std::fs::remove_file(&file).unwrap();
    world.refuses("alice", OPAQUE, Failure::SERVICE_ERR);
}

#[test]
fn a_revoked_jwt_is_refused() {
    let world = World::verifying();
    let file = world.scratch.folder().join("revoked");
    std::fs::write(&file, "sub alice issued-before 1800000001\n").unwrap();
    world.policy.borrow_mut().revoked = Some(file);
    let refusal = world.refuses("alice", &world.jwt(), Failure::AUTH_ERR);
    assert!(matches!(refusal, Refusal::Revoked(_)));
}
