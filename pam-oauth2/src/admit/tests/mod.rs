//! A service and an issuer that are values, a clock that a test moves, and a real directory.

mod outages;
mod roles;
mod routes;
mod verdicts;

use std::cell::{Cell, RefCell};
use std::time::Duration;

use mint::{Jwt, Key as TestKey, jwks};
use pam_oauth2_arguments::{AuthLine, Rules};
use zeroize::Zeroizing;

use super::*;
use crate::cache::Scratch;
use crate::clock::Timestamp;
use crate::http::{Answer, HttpFault, Request, Stage};
use crate::pam::Failure;
use crate::policy::{OnOutage, RolePolicy};
use crate::redact::Foreign;

const NOW: u64 = 1_800_000_000;
const INFO: &str = "https://info.example.com/?access_token=";
const KEYS: &str = "https://issuer.example.com/keys";
const OPAQUE: &str = "an-opaque-token";

/// How the service feels.
#[derive(Clone, Debug)]
enum Mood {
    /// It describes the token so.
    Says(&'static str),
    Status(u16),
    Down,
    /// It is reached, and hangs up.
    Broken,
    /// It is reached, and does not answer in time.
    Late,
    TooLarge,
}

const ALICE: Mood = Mood::Says(r#"{"uid":"alice","sub":"alice-id","jti":"j1","exp":2e9}"#);

/// Who asks whom about which token, and when.
struct World {
    scratch: Scratch,
    now: Cell<f64>,
    mood: RefCell<Mood>,
    key: TestKey,
    /// The URLs that were asked, in order.
    asked: RefCell<Vec<String>>,
    warnings: RefCell<Vec<String>>,
    policy: RefCell<Policy>,
}

impl World {
    fn new(line: &str) -> Self {
        Self {
            scratch: Scratch::new(),
            now: Cell::new(NOW as f64),
            mood: RefCell::new(ALICE),
            key: TestKey::p256().with_kid("k1"),
            asked: RefCell::default(),
            warnings: RefCell::default(),
            policy: RefCell::new(policy(line)),
        }
    }

    /// Tokens are asked about; verdicts count for a minute.
    fn remembering() -> Self {
        let this = Self::new(&format!("{INFO} uid"));
        this.policy.borrow_mut().limits.cache_ttl = Duration::from_secs(60);
        this
    }

    /// As [`Self::remembering`], and for an hour more in an outage.
    fn bridging() -> Self {
        let this = Self::remembering();
        this.policy.borrow_mut().limits.on_outage = OnOutage::Stale(Duration::from_secs(3600));
        this
    }

    /// JWTs are verified here; any other token is asked about.
    fn verifying() -> Self {
        Self::new(&format!(
            "{INFO} uid --verify=jwt,tokeninfo --issuer={} --audience={} --jwks={KEYS}",
            Jwt::ISSUER,
            Jwt::AUDIENCE
        ))
    }

    fn feels(&self, mood: Mood) {
        *self.mood.borrow_mut() = mood;
    }

    fn pass(&self, seconds: f64) {
        self.now.set(self.now.get() + seconds);
    }

    fn calls(&self) -> usize {
        self.asked.borrow().len()
    }

    fn jwt(&self) -> String {
        Jwt::new(NOW).sign(&self.key, self.key.algorithm())
    }

    fn attempt(&self, role: &str, token: &str) -> Result<Admission, Refusal> {
        let login = Login {
            policy: self.policy.borrow().clone(),
            role: Role::parse(role.into()).unwrap(),
            token: AccessToken::parse(Zeroizing::new(token.into())).unwrap(),
            remote_host: None,
        };
        let clock = Clock::standing_at(Timestamp::from_seconds(self.now.get()));
        let journal = Journal::new(clock, false);
        let directory = self.scratch.directory();
        let around = Surroundings {
            carrier: self,
            cache: Some(&directory),
            clock,
            deadline: Deadline::after(Duration::from_secs(5)),
            journal: &journal,
        };
        let decided = admit(&login, &around);
        let warnings = journal.take_warnings();
        let shown = warnings.iter().map(|text| text.shown(Some(&login.redactor())));
        self.warnings.borrow_mut().extend(shown);
        decided
    }

    /// How alice gets in with the opaque token.
    #[track_caller]
    fn enters(&self) -> Way {
        let admission = self.attempt("alice", OPAQUE).unwrap();
        assert_eq!(admission.authorized.role().as_str(), "alice");
        admission.way
    }

    #[track_caller]
    fn refuses(&self, role: &str, token: &str, code: Failure) -> Refusal {
        let refusal = self.attempt(role, token).unwrap_err();
        assert_eq!(refusal.code(), code, "{refusal:?}");
        refusal
    }
}

fn policy(line: &str) -> Policy {
    let words: Vec<&str> = line.split(' ').collect();
    let Rules::Here(rule) = AuthLine::parse(&words).unwrap().rules else { panic!("a file") };
    Policy::of_line(&rule, &words)
}

/// A verdict that is so old.
fn verdict(age: f64) -> Way {
    Way::Verdict { age, stale: false }
}

impl Carrier for World {
    fn send(&self, request: &Request<'_>, _: Deadline) -> Result<Answer, HttpFault> {
        let url = request.url.as_str();
        self.asked.borrow_mut().push(url.to_owned());
        let answer = |status, body: String| {
            Ok(Answer { status, body: Zeroizing::new(body.into()), tag: None, max_age: None })
        };
        if url == KEYS {
            return answer(200, jwks(&[self.key.public_jwk()]));
        }
        let cause = || Foreign::new("connection refused".to_owned());
        match self.mood.borrow().clone() {
            Mood::Says(body) => answer(200, body.to_owned()),
            Mood::Status(status) => answer(status, String::new()),
            Mood::Down => Err(HttpFault::Failed { stage: Stage::Connecting, cause: cause() }),
            Mood::Broken => Err(HttpFault::Failed { stage: Stage::Waiting, cause: cause() }),
            Mood::Late => Err(HttpFault::Late {
                stage: Stage::Waiting,
                limit: Duration::from_secs(5),
                earlier: None,
            }),
            Mood::TooLarge => Err(HttpFault::TooLarge),
        }
    }
}
