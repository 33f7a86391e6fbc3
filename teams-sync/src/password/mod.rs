//! Passwords of robots: never in a plan, a log or an error, and on the wire only as what
//! PostgreSQL stores of them.
//!
//! A password or a verifier goes in; what comes out is whether PostgreSQL has it already, and a
//! verifier of SCRAM-SHA-256 (RFC 5802, RFC 7677) if not.

mod scram;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use md5::{Digest, Md5};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use scram::{DEFAULT_ITERATIONS, Verifier};

/// Longer ones no client can send: PostgreSQL before 14 has a limit of 995 bytes and libpq one
/// of its own; and hashing should not take long.
const LONGEST: usize = 1024;
/// How many answers of [`Checked`] are kept: those of a thousand servers with two hundred robots.
const REMEMBERED: usize = 200_000;

/// A password, or what PostgreSQL stores of one. Cheap to clone, wiped with its last clone.
#[derive(Clone)]
pub struct Secret(Arc<Form>);

enum Form {
    Plain(Zeroizing<String>),
    Scram(Verifier),
    Md5(Zeroizing<String>),
}

/// Why a password is refused. Never holds any of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SecretError {
    #[error("the password is empty")]
    Empty,
    #[error("the password is longer than {LONGEST} bytes")]
    TooLong,
    #[error("the password holds a line break or a NUL character")]
    Control,
    /// PostgreSQL would take it for a password and hash it once more.
    #[error("the password begins like a SCRAM-SHA-256 verifier and is none")]
    Verifier,
    #[error("the password is not valid UTF-8")]
    Encoding,
}

impl Secret {
    /// From a file or a key of a Secret: one newline at its end does not belong to it.
    pub fn parse(text: &[u8]) -> Result<Self, SecretError> {
        let text = std::str::from_utf8(text).map_err(|_foreign| SecretError::Encoding)?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(SecretError::Empty);
        }
        if text.len() > LONGEST {
            return Err(SecretError::TooLong);
        }
        if text.contains(['\n', '\r', '\0']) {
            return Err(SecretError::Control);
        }
        let form = if text.starts_with("SCRAM-SHA-256") {
            Form::Scram(Verifier::parse(text).ok_or(SecretError::Verifier)?)
        } else if is_md5(text) {
            Form::Md5(Zeroizing::new(text.to_owned()))
        } else {
            Form::Plain(Zeroizing::new(text.to_owned()))
        };
        Ok(Self(Arc::new(form)))
    }

    /// The password itself, or the verifier as it was given.
    ///
    /// For whoever hands it on to those it is meant for, and nobody else: the Secret of an
    /// application, a pooler. Never for a log, an error, a plan or a statement; what a server is to
    /// store is [`Checked::verifier`].
    pub fn reveal(&self) -> Zeroizing<String> {
        match &*self.0 {
            Form::Plain(text) | Form::Md5(text) => text.clone(),
            Form::Scram(verifier) => verifier.to_text(),
        }
    }

    /// Whether this is what `stored` was made of. Takes some milliseconds for a password.
    fn matches(&self, role: &str, stored: &str) -> bool {
        match &*self.0 {
            Form::Plain(plain) => match Verifier::parse(stored) {
                Some(verifier) => verifier.is_of(plain),
                // It is replaced by a better one anyway; see `Checked::matches`.
                None => is_md5(stored) && same(stored, &md5_of(plain, role)),
            },
            Form::Scram(verifier) => same(stored, &verifier.to_text()),
            Form::Md5(text) => same(stored, text),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[password]")
    }
}

/// Two of them are the same if they are the same thing: for tests and change detection.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        match (&*self.0, &*other.0) {
            (Form::Plain(own), Form::Plain(other)) | (Form::Md5(own), Form::Md5(other)) => {
                same(own, other)
            }
            (Form::Scram(own), Form::Scram(other)) => same(&own.to_text(), &other.to_text()),
            _ => false,
        }
    }
}

/// What was compared before: hashing fifty passwords for a thousand servers every few seconds
/// would keep a core busy.
///
/// Nothing that one server stores is ever handed to another: whoever runs it could have made it, and
/// with one salt on all of them, what is stored on one and seen of a login there would open the
/// others (RFC 5802 section 9).
///
/// Clones know the same.
#[derive(Clone)]
pub struct Checked {
    key: hmac::Key,
    answers: Arc<Mutex<HashMap<[u8; 32], bool>>>,
}

impl Checked {
    /// `None` where the system has no randomness.
    pub fn new() -> Option<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        Some(Self { key, answers: Arc::default() })
    }

    /// Whether PostgreSQL stores this password of this role, in the form that we would store. Takes
    /// up to some ten milliseconds where [`Self::is_known`] does not hold.
    pub fn matches(&self, secret: &Secret, role: &str, stored: &str) -> bool {
        let Some(key) = self.key_of(secret, role, stored) else {
            // One that is stored as MD5 becomes SCRAM; what came hashed is compared as it is.
            return !matches!(&*secret.0, Form::Plain(_)) && secret.matches(role, stored);
        };
        let known = lock(&self.answers).get(&key).copied();
        if let Some(answer) = known {
            return answer;
        }
        let answer = secret.matches(role, stored);
        self.remember(key, answer);
        answer
    }

    /// Whether [`Self::matches`] has its answer at once.
    pub fn is_known(&self, secret: &Secret, role: &str, stored: &str) -> bool {
        let key = self.key_of(secret, role, stored);
        key.is_none_or(|key| lock(&self.answers).contains_key(&key))
    }

    /// Of an answer that has to be derived.
    fn key_of(&self, secret: &Secret, role: &str, stored: &str) -> Option<[u8; 32]> {
        match &*secret.0 {
            Form::Plain(plain) if !is_md5(stored) => {
                Some(self.hash(&[role.as_bytes(), stored.as_bytes(), plain.as_bytes()]))
            }
            Form::Plain(_) | Form::Scram(_) | Form::Md5(_) => None,
        }
    }

    /// What PostgreSQL should store: hashed here with fresh salt, unless it came hashed. `None` where
    /// the system has no randomness.
    pub fn verifier(
        &self,
        secret: &Secret,
        role: &str,
        iterations: u32,
        random: &dyn SecureRandom,
    ) -> Option<Zeroizing<String>> {
        let plain = match &*secret.0 {
            Form::Plain(plain) => plain,
            Form::Scram(verifier) => return Some(verifier.to_text()),
            Form::Md5(text) => return Some(text.clone()),
        };
        let mut salt = [0; 16];
        random.fill(&mut salt).ok()?;
        let text = Verifier::derive(plain, &salt, iterations)?.to_text();
        // So that the next look does not derive it once more.
        self.remember(self.hash(&[role.as_bytes(), text.as_bytes(), plain.as_bytes()]), true);
        Some(text)
    }

    fn remember(&self, key: [u8; 32], answer: bool) {
        let mut known = lock(&self.answers);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(key, answer);
    }

    fn hash(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.sign().as_ref());
        hash
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checked")
    }
}

/// get_password_type() of PostgreSQL.
fn is_md5(text: &str) -> bool {
    text.len() == 35
        && text.strip_prefix("md5").is_some_and(|hex| {
            hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        })
}

fn md5_of(plain: &str, role: &str) -> String {
    let hash = Md5::new().chain_update(plain).chain_update(role).finalize();
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("md5{hex}")
}

fn same(own: &str, other: &str) -> bool {
    own.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests;
