//! How long a set is used, and who fetches.

use super::*;
use crate::pam::Failure;

#[test]
fn a_set_is_fetched_once_and_used_for_an_hour() {
    let world = World::new();
    assert_eq!(world.find("k1").unwrap(), Origin::Fetched);
    for _ in 0..59 {
        world.pass(60.0);
        assert_eq!(world.find("k1").unwrap(), Origin::Cache);
    }
    assert_eq!(world.calls(), 1);
    world.pass(60.0);
    assert_eq!(world.find("k1").unwrap(), Origin::Fetched);
    assert_eq!(world.find("k1").unwrap(), Origin::Cache);
    assert_eq!(world.calls(), 2);
}

#[test]
fn an_issuer_may_ask_for_less_but_not_for_more_and_not_for_nothing() {
    for (max_age, lifetime) in [(600, 600.0), (86_400, HOUR), (0, 60.0), (1, 60.0)] {
        let world = World::new();
        world.max_age.set(Some(max_age));
        world.find("k1").unwrap();
        world.pass(lifetime - 1.0);
        assert_eq!(world.find("k1").unwrap(), Origin::Cache, "max-age={max_age}");
        world.pass(1.0);
        assert_eq!(world.find("k1").unwrap(), Origin::Fetched, "max-age={max_age}");
    }
}

#[test]
fn without_a_cache_every_login_fetches() {
    let world = World::new();
    for calls in 1..4 {
        assert_eq!(world.find_with(None, "k1").unwrap(), Origin::Fetched);
        assert_eq!(world.calls(), calls);
    }
}

#[test]
fn a_set_that_has_not_changed_does_not_come_again() {
    let world = World::new();
    world.tags.set(true);
    for hour in 0..5 {
        assert_eq!(world.find("k1").unwrap(), Origin::Fetched);
        assert_eq!(world.unchanged.get(), hour);
        world.pass(HOUR);
    }
}

#[test]
fn a_good_set_is_never_replaced_by_a_bad_answer() {
    let bad = [
        Mood::Down,
        Mood::Status(500),
        Mood::Status(404),
        Mood::Status(304),
        Mood::Status(204),
        Mood::Body(""),
        Mood::Body("<html>"),
        Mood::Body("{}"),
        Mood::Body(r#"{"keys":[]}"#),
        Mood::Body(r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#),
        Mood::Body(r#"{"keys":[{"kty":"RSA"}]}"#),
    ];
    for mood in bad {
        let world = World::new();
        world.find("k1").unwrap();
        world.feels(mood.clone());
        for _ in 0..23 {
            world.pass(HOUR);
            assert_eq!(world.find("k1").unwrap(), Origin::Cache, "{mood:?}");
        }
        // Once in its hour, a token with a new key may ask; the old key still works.
        assert!(world.find("k2").is_err());
        assert_eq!(world.find("k1").unwrap(), Origin::Cache, "{mood:?}");
        world.feels(Mood::Good);
        world.pass(60.0);
        assert_eq!(world.find("k1").unwrap(), Origin::Fetched, "{mood:?}");
    }
}

#[test]
fn a_damaged_file_is_fetched_anew() {
    let world = World::new();
    world.find("k1").unwrap();
    for entry in std::fs::read_dir(world.scratch.cache()).unwrap() {
        let path = entry.unwrap().path();
        let content = std::fs::read(&path).unwrap();
        std::fs::write(&path, &content[..content.len() / 2]).unwrap();
    }
    assert_eq!(world.find("k1").unwrap(), Origin::Fetched);
    assert_eq!(world.find("k1").unwrap(), Origin::Cache);
}

#[test]
fn a_set_from_the_future_is_used_and_renewed() {
    let world = World::new();
    world.find("k1").unwrap();
    // The clock was an hour ahead, and was put right.
    world.pass(-HOUR);
    assert_eq!(world.find("k1").unwrap(), Origin::Fetched);
    assert_eq!(world.find("k1").unwrap(), Origin::Cache);
    world.feels(Mood::Down);
    world.pass(-HOUR);
    assert_eq!(world.find("k1").unwrap(), Origin::Cache);
}

#[test]
fn two_issuers_in_one_directory_do_not_mix() {
    let (one, mut two) = (World::new(), World::new());
    two.issuer.issuer = Issuer::parse("https://other.example.com", false).unwrap();
    two.publishes(&["k2"]);
    let directory = Directory::open(&one.scratch.cache(), Access::ReadWrite).unwrap();
    for world in [&one, &two] {
        let id = world.keys.borrow()[0].kid().unwrap().to_owned();
        assert_eq!(world.find_with(Some(&directory), &id).unwrap(), Origin::Fetched);
        assert_eq!(world.find_with(Some(&directory), &id).unwrap(), Origin::Cache);
    }
    assert!(two.find_with(Some(&directory), "k1").is_err());
}

#[test]
fn a_key_for_another_algorithm_makes_nobody_fetch() {
    let world = World::new();
    world.find("k1").unwrap();
    *world.keys.borrow_mut() = vec![TestKey::p384().with_kid("k9")];
    world.pass(HOUR);
    world.refuses("k9", Failure::AUTH_ERR, "not for its algorithm");
    assert_eq!(world.calls(), 2);
}

#[test]
fn a_local_file_needs_neither_cache_nor_network() {
    let mut world = World::new();
    let path = world.scratch.folder().join("set.json");
    world.issuer.keys = KeySource::File(path.clone());
    world.refuses("k1", Failure::SERVICE_ERR, "cannot be read");
    std::fs::write(&path, jwks(&[key("k1").public_jwk()])).unwrap();
    assert_eq!(world.find("k1").unwrap(), Origin::File);
    world.refuses("k2", Failure::AUTH_ERR, "does not publish");
    std::fs::write(&path, "{}").unwrap();
    world.refuses("k1", Failure::SERVICE_ERR, "no key set that can be used");
    assert_eq!(world.calls(), 0);
}

/// This text with blanks behind it, so many bytes in all.
fn padded(text: String, length: usize) -> String {
    let blanks = " ".repeat(length - text.len());
    text + &blanks
}

#[test]
fn a_set_of_an_issuer_has_192_kib_at_most() {
    for (length, fits) in [(192 * 1024, true), (192 * 1024 + 1, false)] {
        let world = World::new();
        let body = padded(jwks(&[key("k1").public_jwk()]), length);
        world.feels(Mood::Body(body.leak()));
        assert_eq!(world.find("k1").is_ok(), fits, "{length}");
        // And it fits into a file of the cache.
        let again = world.find("k1").ok();
        assert_eq!(again, fits.then_some(Origin::Cache), "{length}");
    }
}

#[test]
fn a_local_set_has_256_kib_at_most() {
    let mut world = World::new();
    let path = world.scratch.folder().join("set.json");
    world.issuer.keys = KeySource::File(path.clone());
    for (length, fits) in [(256 * 1024, true), (256 * 1024 + 1, false)] {
        std::fs::write(&path, padded(jwks(&[key("k1").public_jwk()]), length)).unwrap();
        assert_eq!(world.find("k1").is_ok(), fits, "{length}");
    }
}
