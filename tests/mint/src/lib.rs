//! JWTs and key sets for tests, good and bad.
//!
//! In: keys, claims, the time, and what is to be wrong. Out: texts as an issuer or an attacker
//! would send them. Never: a file, the network or the clock. What is bad here is bad in one way
//! only; above all, a token that a verifier has to refuse is *really signed*, unless the
//! signature itself is what is wrong.
//!
//! The RSA keys are checked in and public (`keys/README.md`).

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a mint that cannot go on ends the test"
)]

pub mod damage;
mod der;
mod jwt;
mod key;
mod rsa;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};

pub use jwt::{Jwt, hs256, sign_raw, sign_text, unsigned};
pub use key::{Algorithm, Key};

/// A key set (RFC 7517 section 5) of these keys.
pub fn jwks(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// base64url without padding, as JWS has it.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The opposite of [`encode`], for texts that are sound.
pub fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

/// 22 random characters of base64url, such as a `jti` or a `kid`.
pub fn random_id() -> String {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).expect("randomness");
    encode(bytes)
}

#[cfg(test)]
mod tests;
