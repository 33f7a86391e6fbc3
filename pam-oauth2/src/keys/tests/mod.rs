//! An issuer that is a value, a clock that a test moves, and a real directory.

mod outages;
mod places;
mod rotation;
mod sets;
mod store;

use std::cell::{Cell, RefCell};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use mint::{Key as TestKey, jwks};
use pam_oauth2_arguments::{Issuer, Typ};
use serde_json::json;
use zeroize::Zeroizing;

use super::*;
use crate::cache::{Access, Scratch};
use crate::clock::Timestamp;
use crate::http::{Answer, HttpFault, Request, Stage, TrustFault};
use crate::token::AccessToken;

const NAME: &str = "https://idp.example.com/realm";
const JWKS: &str = "https://idp.example.com/realm/jwks";
const OPENID: &str = "https://idp.example.com/realm/.well-known/openid-configuration";
const OAUTH: &str = "https://idp.example.com/.well-known/oauth-authorization-server/realm";
const HOUR: f64 = 3600.0;

/// How an issuer feels about its key set.
#[derive(Clone, Debug)]
enum Mood {
    Good,
    Down,
    Status(u16),
    Body(&'static str),
    /// Our own list of authorities cannot be read.
    Untrusting,
}

/// An issuer, the server that trusts it, and the time.
struct World {
    scratch: Scratch,
    now: Cell<f64>,
    keys: RefCell<Vec<TestKey>>,
    mood: RefCell<Mood>,
    max_age: Cell<Option<u64>>,
    tags: Cell<bool>,
    /// The URLs that were asked, in order.
    asked: RefCell<Vec<String>>,
    unchanged: Cell<u32>,
    issuer: JwtIssuer,
    limits: Limits,
}

impl World {
    fn new() -> Self {
        let issuer = JwtIssuer {
            issuer: Issuer::parse(NAME, false).unwrap(),
            keys: KeySource::parse(JWKS, false).unwrap(),
            audience: vec!["postgres".to_owned()],
            typ: Typ::AccessToken,
        };
        Self {
            scratch: Scratch::new(),
            now: Cell::new(1_800_000_000.0),
            keys: RefCell::new(vec![key("k1")]),
            mood: RefCell::new(Mood::Good),
            max_age: Cell::new(None),
            tags: Cell::new(false),
            asked: RefCell::default(),
            unchanged: Cell::new(0),
            issuer,
            limits: Limits::default(),
        }
    }

    fn discovering() -> Self {
        let mut this = Self::new();
        this.issuer.keys = KeySource::Discovery;
        this
    }

    /// A login that needs the key of this name: where it was found, or the refusal.
    fn find(&self, id: &str) -> Result<Origin, Refusal> {
        let directory = Directory::open(&self.scratch.cache(), Access::ReadWrite).unwrap();
        self.find_with(Some(&directory), id)
    }

    fn find_with(&self, cache: Option<&Directory>, id: &str) -> Result<Origin, Refusal> {
        let clock = Clock::standing_at(Timestamp::from_seconds(self.now.get()));
        let journal = Journal::new(clock, false);
        let token = AccessToken::parse(Zeroizing::new(b"unrelated-secret".to_vec())).unwrap();
        let keys = Keys {
            issuer: &self.issuer,
            limits: &self.limits,
            cache,
            carrier: self,
            clock: &clock,
            deadline: Deadline::after(self.limits.timeout),
            journal: &journal,
            redactor: &Redactor::new(&token),
        };
        let wanted = Wanted { id: Some(id), algorithm: Algorithm::ES256 };
        keys.find(wanted).map(|found| {
            assert_eq!(found.key.id(), Some(id));
            found.origin
        })
    }

    fn pass(&self, seconds: f64) {
        self.now.set(self.now.get() + seconds);
    }

    fn calls(&self) -> usize {
        self.asked.borrow().len()
    }

    fn feels(&self, mood: Mood) {
        *self.mood.borrow_mut() = mood;
    }

    fn publishes(&self, ids: &[&str]) {
        *self.keys.borrow_mut() = ids.iter().map(|id| key(id)).collect();
    }

    #[track_caller]
    fn refuses(&self, id: &str, code: crate::pam::Failure, reason: &str) {
        let refusal = self.find(id).unwrap_err();
        let token = AccessToken::parse(Zeroizing::new(b"unrelated-secret".to_vec())).unwrap();
        let sentence = refusal.sentence(Some(&Redactor::new(&token)));
        assert_eq!(refusal.code(), code, "{sentence}");
        assert!(sentence.contains(reason), "{sentence}");
    }
}

fn key(id: &str) -> TestKey {
    TestKey::p256().with_kid(id)
}

fn answer(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer { status, body: Zeroizing::new(body.into()), tag: None, max_age: None }
}

impl Carrier for World {
    fn send(&self, request: &Request<'_>, _: Deadline) -> Result<Answer, HttpFault> {
        let url = request.url.as_str();
        self.asked.borrow_mut().push(url.to_owned());
        match self.mood.borrow().clone() {
            Mood::Good => {}
            Mood::Down => {
                let cause = Foreign::new("connection refused".to_owned());
                return Err(HttpFault::Failed { stage: Stage::Connecting, cause });
            }
            Mood::Status(status) => return Ok(answer(status, "")),
            Mood::Untrusting => {
                let fault = TrustFault::Empty { path: "/ca.pem".into() };
                return Err(HttpFault::Trust(fault));
            }
            Mood::Body(body) => return Ok(answer(200, body)),
        }
        if url == OPENID {
            return Ok(answer(200, json!({"issuer": NAME, "jwks_uri": JWKS}).to_string()));
        }
        assert_eq!(url, JWKS);
        let keys: Vec<_> = self.keys.borrow().iter().map(TestKey::public_jwk).collect();
        let body = jwks(&keys);
        let tag = self.tags.get().then(|| format!("\"{}\"", body.len()));
        let max_age = self.max_age.get().map(Duration::from_secs);
        if tag.is_some() && request.known == tag {
            self.unchanged.set(self.unchanged.get() + 1);
            return Ok(Answer { tag, max_age, ..answer(304, "") });
        }
        Ok(Answer { tag, max_age, ..answer(200, body) })
    }
}
