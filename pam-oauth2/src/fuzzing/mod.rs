//! What is fuzzed, and what must hold whatever comes in. Part of builds with `--cfg fuzzing` and
//! of unit tests alone; `pam-oauth2/fuzz` drives it.
//!
//! In: bytes from anybody. Out: nothing, or a panic that says which promise is broken. Time stands
//! still, services are values, and nothing is sent anywhere.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken promise ends the run"
)]

mod cache;
mod messages;
mod tokens;
mod words;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use pam_oauth2_arguments::{AuthLine, Rules};
use zeroize::Zeroizing;

use crate::admit::{Admission, Login, Surroundings, admit};
use crate::cache::Directory;
use crate::clock::{Clock, Timestamp};
use crate::error::Refusal;
use crate::http::{Answer, Carrier, Deadline, HttpFault, Request, Stage};
use crate::journal::Journal;
use crate::policy::Policy;
use crate::redact::{Foreign, Redactor};
use crate::role::Role;
use crate::token::AccessToken;

pub use tokens::{Fixture, Signed, Signer, signed};

/// When everything happens, in seconds since 1970.
pub const NOW: u64 = 1_800_000_000;
/// Who logs in.
pub const ROLE: &str = "alice";
/// Whose JWTs are believed, and for whom they have to be.
pub const ISSUER: &str = "https://issuer.example.com";
/// See [`ISSUER`].
pub const AUDIENCE: &str = "postgres";

/// One thing that reads what strangers send.
pub type Target = fn(&[u8]);

/// All of them but [`signed`], which needs somebody who signs; each by the name of its seeds.
pub const TARGETS: [(&str, Target); 11] = [
    ("arguments", words::arguments),
    ("cache", cache::cache),
    ("dns", messages::dns),
    ("headers", messages::headers),
    ("introspection", tokens::introspection),
    ("jwks", tokens::jwks),
    ("jwt", tokens::jwt),
    ("policy", words::policy),
    ("redact", messages::redact),
    ("revocations", words::revocations),
    ("tokeninfo", tokens::tokeninfo),
];

/// Gives one answer to every question, or none.
struct Scripted<'a>(Option<(u16, &'a [u8])>);

impl Carrier for Scripted<'_> {
    fn send(&self, _: &Request<'_>, _: Deadline) -> Result<Answer, HttpFault> {
        let Some((status, body)) = self.0 else {
            let cause = Foreign::new("nobody is there".to_owned());
            return Err(HttpFault::Failed { stage: Stage::Connecting, cause });
        };
        // As the transport does: no other body is read.
        let body = if status == 200 { body.to_vec() } else { Vec::new() };
        Ok(Answer { status, body: Zeroizing::new(body), tag: None, max_age: None })
    }
}

fn policy(line: &str) -> Policy {
    let words: Vec<&str> = line.split(' ').collect();
    match AuthLine::parse(&words).expect("a good line").rules {
        Rules::Here(rule) => Policy::of_line(&rule, &words),
        Rules::InFile(_) => unreachable!("no file is named"),
    }
}

fn login(policy: Policy, token: &[u8]) -> Option<Login> {
    let token = AccessToken::parse(Zeroizing::new(token.to_vec())).ok()?;
    let role = Role::parse(ROLE.into()).expect("a role");
    Some(Login { policy, role, token, remote_host: None })
}

/// The whole decision. Its words have to be fit for a log whatever they are.
fn decide(
    login: &Login,
    carrier: &dyn Carrier,
    cache: Option<&Directory>,
) -> Result<Admission, Refusal> {
    let clock = Clock::standing_at(Timestamp::from_seconds(NOW as f64));
    let journal = Journal::new(clock, true);
    let deadline = Deadline::after(Duration::from_secs(5));
    let around = Surroundings { carrier, cache, clock, deadline, journal: &journal };
    let decided = admit(login, &around);
    let redactor = login.redactor();
    let sentence = match &decided {
        Ok(admission) => crate::audit::accepted(login, admission, &redactor),
        Err(refusal) => refusal.sentence(Some(&redactor)),
    };
    let told = journal.take_steps().into_iter().map(|step| step.text);
    let told = told.chain(journal.take_warnings()).map(|text| text.shown(Some(&redactor)));
    told.chain([sentence]).for_each(|text| assert_loggable(&text));
    decided
}

fn assert_loggable(text: &str) {
    assert!(text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "not for a log: {text:?}");
    assert!(text.len() < 8 * 1024, "{} bytes in one line", text.len());
}

/// A folder of this process, for files that are read.
fn folder() -> &'static PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("pam-oauth2-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    })
}

#[cfg(test)]
mod tests;
