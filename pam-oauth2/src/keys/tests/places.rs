//! Where the keys of an issuer lie.

use super::*;
use crate::pam::Failure;

#[test]
fn the_place_is_asked_for_once_a_day_and_the_set_once_an_hour() {
    let world = World::discovering();
    for hour in 0..24 {
        assert_eq!(world.find("k1").unwrap(), Origin::Fetched, "hour {hour}");
        world.pass(HOUR);
    }
    assert_eq!(world.calls(), 25);
    assert_eq!(world.asked.borrow()[..3], [OPENID, JWKS, JWKS]);
    world.find("k1").unwrap();
    assert_eq!(world.asked.borrow()[25..], [OPENID, JWKS]);
}

/// An issuer whose documents are what a test says.
struct Documents {
    world: World,
    openid: (u16, String),
    oauth: (u16, String),
    set: Cell<u16>,
}

impl Carrier for Documents {
    fn send(&self, request: &Request<'_>, deadline: Deadline) -> Result<Answer, HttpFault> {
        match request.url.as_str() {
            OPENID => Ok(answer(self.openid.0, self.openid.1.as_str())),
            OAUTH => Ok(answer(self.oauth.0, self.oauth.1.as_str())),
            _ if self.set.get() != 200 => Ok(answer(self.set.get(), "")),
            _ => self.world.send(request, deadline),
        }
    }
}

fn fetch(documents: &Documents, allow_http: bool) -> Result<String, String> {
    let clock = Clock::standing_at(Timestamp::from_seconds(1_800_000_000.0));
    let journal = Journal::new(clock, false);
    let fetcher = Fetcher { carrier: documents, allow_http, journal: &journal };
    let deadline = Deadline::after(Duration::from_secs(5));
    let fetched = fetcher.fetch(&documents.world.issuer, None, clock.now(), deadline);
    fetched.map(|fetched| fetched.place.url.as_str().to_owned()).map_err(|refusal| {
        assert_eq!(refusal.code(), Failure::AUTHINFO_UNAVAIL);
        refusal.sentence(None)
    })
}

fn documents(openid: (u16, serde_json::Value), oauth: (u16, serde_json::Value)) -> Documents {
    let text = |(status, value): (u16, serde_json::Value)| (status, value.to_string());
    Documents {
        world: World::discovering(),
        openid: text(openid),
        oauth: text(oauth),
        set: Cell::new(200),
    }
}

#[test]
fn either_kind_of_discovery_document_leads_to_the_keys() {
    let good = json!({"issuer": NAME, "jwks_uri": JWKS});
    let none = (404, json!(null));
    assert_eq!(fetch(&documents((200, good.clone()), none.clone()), false).unwrap(), JWKS);
    assert_eq!(fetch(&documents(none.clone(), (200, good)), false).unwrap(), JWKS);
    let fault = fetch(&documents(none.clone(), none), false).unwrap_err();
    assert!(fault.contains("status 404"), "{fault}");
}

#[test]
fn a_document_of_another_issuer_or_without_a_safe_place_is_refused() {
    let of = |issuer: &str, place: serde_json::Value| json!({"issuer": issuer, "jwks_uri": place});
    let cases = [
        (of("https://idp.example.com/realm/", json!(JWKS)), "names another issuer"),
        (of("https://IDP.example.com/realm", json!(JWKS)), "names another issuer"),
        (json!({"jwks_uri": JWKS}), "names another issuer"),
        (of(NAME, json!(null)), "no \"jwks_uri\""),
        (json!({"issuer": NAME}), "no \"jwks_uri\""),
        (of(NAME, json!("http://idp.example.com/jwks")), "plain http"),
        (of(NAME, json!("file:///etc/passwd")), "does not begin with https"),
        (of(NAME, json!("https://u:p@idp.example.com/")), "user name or password"),
        (of(NAME, json!("jwks")), "does not begin with https"),
        (json!([]), "cannot be used"),
    ];
    for (document, reason) in cases {
        // The other document would be good: nobody looks for a way around.
        let other = (200, json!({"issuer": NAME, "jwks_uri": JWKS}));
        let fault = fetch(&documents((200, document.clone()), other), false).unwrap_err();
        assert!(fault.contains(reason), "{document}: {fault}");
    }
}

#[test]
fn a_set_that_has_moved_is_found_at_its_new_place() {
    let world = World::discovering();
    world.find("k1").unwrap();
    let directory = Directory::open(&world.scratch.cache(), Access::ReadOnly).unwrap();
    let stored = Store::of(&directory, &world.issuer, &world.limits).set().unwrap();
    let moved = "https://idp.example.com/realm/moved";
    let documents = Documents {
        openid: (200, json!({"issuer": NAME, "jwks_uri": moved}).to_string()),
        set: Cell::new(404),
        ..documents((404, json!(null)), (404, json!(null)))
    };
    let journal = Journal::new(Clock::standing_at(Timestamp::from_seconds(world.now.get())), false);
    let fetcher = Fetcher { carrier: &documents, allow_http: false, journal: &journal };
    let now = Timestamp::from_seconds(world.now.get());
    let deadline = Deadline::after(Duration::from_secs(5));
    let gone = fetcher.fetch(&world.issuer, Some(stored.known()), now, deadline);
    let fault = gone.unwrap_err().sentence(None);
    assert!(fault.contains("no keys of idp.example.com") && fault.contains("404"), "{fault}");
}

#[test]
fn a_set_larger_than_any_is_refused() {
    let world = World::new();
    let many: Vec<_> = (0..1500).map(|_| TestKey::rsa_2048()).collect();
    *world.keys.borrow_mut() = many;
    world.refuses("k1", Failure::AUTHINFO_UNAVAIL, "larger than any set");
}
