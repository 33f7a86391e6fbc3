//! Who decides about a token.

use mint::damage;

use super::*;

#[test]
fn a_jwt_of_the_issuer_is_verified_here_and_nobody_else_hears_of_it() {
    let world = World::verifying();
    let admission = world.attempt("alice", &world.jwt()).unwrap();
    assert_eq!(admission.way, Way::Jwt { keys: Origin::Fetched, confirmed: false });
    assert_eq!(admission.facts.issuer.as_deref(), Some(Jwt::ISSUER));
    assert_eq!(*world.asked.borrow(), [KEYS]);
    let admission = world.attempt("alice", &world.jwt()).unwrap();
    assert_eq!(admission.way, Way::Jwt { keys: Origin::Cache, confirmed: false });
    assert_eq!(world.calls(), 1);
}

#[test]
fn a_jwt_that_the_issuers_keys_refuse_is_never_offered_to_the_service() {
    let world = World::verifying();
    let good = Jwt::new(NOW);
    let stranger = TestKey::p256().with_kid("k1");
    let key = &world.key;
    let bad = [
        good.sign(&stranger, stranger.algorithm()),
        good.clone().issued(NOW - 7200).sign(key, key.algorithm()),
        good.clone().claim("aud", "other").sign(key, key.algorithm()),
        good.clone().header("typ", "JWT").sign(key, key.algorithm()),
        good.clone().header("kid", "k2").sign(key, key.algorithm()),
        good.claim("nbf", NOW + 60).sign(key, key.algorithm()),
        damage::claims(&world.jwt(), |claims| claims.replace("alice", "mallory")),
    ];
    for token in bad {
        world.refuses("alice", &token, Failure::AUTH_ERR);
    }
    assert!(world.asked.borrow().iter().all(|url| url == KEYS), "{:?}", world.asked);
}

#[test]
fn a_jwt_lets_in_only_whom_it_names() {
    let world = World::verifying();
    world.refuses("bob", &world.jwt(), Failure::AUTH_ERR);
    world.policy.borrow_mut().requirements = policy(&format!("{INFO} uid realm=/x")).requirements;
    world.refuses("alice", &world.jwt(), Failure::AUTH_ERR);
}

#[test]
fn any_other_token_goes_to_the_service() {
    let world = World::verifying();
    let foreign = Jwt::new(NOW).claim("iss", "https://other.example.com");
    let tokens = [
        OPAQUE.to_owned(),
        "a.b".to_owned(),
        "a.b.c.d".to_owned(),
        foreign.sign(&world.key, world.key.algorithm()),
        Jwt::new(NOW).without_claim("iss").sign(&world.key, world.key.algorithm()),
    ];
    for token in tokens {
        assert_eq!(world.attempt("alice", &token).unwrap().way, Way::Tokeninfo, "{token}");
        assert_eq!(world.asked.borrow_mut().pop().unwrap(), format!("{INFO}{token}"));
    }
}

#[test]
fn where_jwts_alone_are_believed_nobody_is_asked_about_a_stranger() {
    let world = World::verifying();
    world.policy.borrow_mut().online = None;
    let refusal = world.refuses("alice", OPAQUE, Failure::AUTH_ERR);
    assert!(matches!(refusal, Refusal::Jwt { fault: JwtFault::Stranger, .. }));
    assert_eq!(world.calls(), 0);
}

#[test]
fn the_claims_of_a_service_have_to_be_the_role_and_fulfil_the_rules() {
    let world = World::new(&format!("{INFO} uid realm=/employees"));
    let good = r#"{"uid":"alice","realm":"/employees"}"#;
    world.feels(Mood::Says(good));
    assert_eq!(world.enters(), Way::Tokeninfo);
    world.refuses("bob", OPAQUE, Failure::AUTH_ERR);
    let cases = [
        (ALICE, Failure::AUTH_ERR),
        (Mood::Says(r#"{"uid":"alice","realm":"/customers"}"#), Failure::AUTH_ERR),
        (Mood::Says(r#"{"realm":"/employees"}"#), Failure::USER_UNKNOWN),
        (Mood::Status(401), Failure::AUTH_ERR),
        (Mood::Status(503), Failure::AUTHINFO_UNAVAIL),
        (Mood::Down, Failure::AUTHINFO_UNAVAIL),
    ];
    for (mood, code) in cases {
        world.feels(mood);
        world.refuses("alice", OPAQUE, code);
    }
}
