//! Tokens: a builder for those with a sound form, and functions for all others.

use ring::hmac;
use serde_json::{Map, Value, json};

use crate::{Algorithm, Key, encode, random_id};

/// A JWT that has not been signed yet. It begins as an access token (RFC 9068) that a verifier
/// should accept; a test changes what it is about.
#[derive(Clone, Debug)]
pub struct Jwt {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    /// Parameters that signing would add.
    without: Vec<String>,
}

impl Jwt {
    /// `iss` of a fresh token.
    pub const ISSUER: &str = "https://issuer.example.com";
    /// `aud` of a fresh token.
    pub const AUDIENCE: &str = "postgres";
    /// `sub` and `uid` of a fresh token.
    pub const USER: &str = "alice";
    /// How many seconds a fresh token lives.
    pub const LIFETIME: u64 = 3600;

    /// A token that is issued `now`, in seconds since 1970.
    pub fn new(now: u64) -> Self {
        let claims = json!({
            "aud": Self::AUDIENCE, "client_id": "ztoken", "iss": Self::ISSUER,
            "jti": random_id(), "realm": "/employees", "scope": "uid",
        });
        let Value::Object(claims) = claims else { unreachable!("an object") };
        let header = Map::from_iter([("typ".to_owned(), "at+jwt".into())]);
        Self { header, claims, without: Vec::new() }.user(Self::USER).issued(now)
    }

    /// Of this user.
    pub fn user(self, user: &str) -> Self {
        self.claim("sub", user).claim("uid", user)
    }

    /// Issued at this time; its end moves along.
    pub fn issued(self, now: u64) -> Self {
        self.claim("iat", now).claim("exp", now + Self::LIFETIME)
    }

    /// With this claim.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    pub fn without_claim(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// With this header parameter; `alg` and `kid` come from signing otherwise.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self.without.push(name.to_owned());
        self
    }

    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The claims as JSON, for [`sign_raw`].
    pub fn claims_text(&self) -> String {
        Value::Object(self.claims.clone()).to_string()
    }

    /// The header as JSON, for [`sign_raw`].
    pub fn header_text(&self, key: &Key, algorithm: Algorithm) -> String {
        let mut header = self.header.clone();
        header.entry("alg").or_insert_with(|| algorithm.name().into());
        if let Some(kid) = key.kid() {
            header.entry("kid").or_insert_with(|| kid.into());
        }
        header.retain(|name, _| !self.without.contains(name));
        Value::Object(header).to_string()
    }

    pub fn sign(&self, key: &Key, algorithm: Algorithm) -> String {
        sign_raw(self.header_text(key, algorithm), self.claims_text(), key, algorithm)
    }
}

/// A signed token of these two texts, whatever they are.
pub fn sign_raw(
    header: impl AsRef<[u8]>,
    claims: impl AsRef<[u8]>,
    key: &Key,
    algorithm: Algorithm,
) -> String {
    sign_text(&parts(header, claims), key, algorithm)
}

/// `text` with its signature behind it: for what is wrong with the encoding of header and
/// claims.
pub fn sign_text(text: &str, key: &Key, algorithm: Algorithm) -> String {
    format!("{text}.{}", encode(key.signature(algorithm, text.as_bytes())))
}

/// A token with the HMAC of `secret`, such as the public key of somebody.
pub fn hs256(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>, secret: &[u8]) -> String {
    let text = parts(header, claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
    format!("{text}.{}", encode(tag))
}

/// A token whose signature is empty.
pub fn unsigned(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    format!("{}.", parts(header, claims))
}

fn parts(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    format!("{}.{}", encode(header), encode(claims))
}
