//! Who may read: everybody, or who shows a token.
//!
//! Tokens go in, yes or no comes out. Several are valid at once while one replaces another. A
//! token is kept and compared as a tag of it, in constant time, and is never printed.

use std::fmt;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use ring::hmac;

/// Shorter ones can be guessed.
const SHORTEST: usize = 16;
/// Each is tried at each request.
const MOST: usize = 32;

/// What is asked of a reader.
#[derive(Clone, Default)]
pub struct Access(Option<Vec<hmac::Tag>>);

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("open"),
            Some(tags) => write!(f, "{} tokens", tags.len()),
        }
    }
}

impl Access {
    /// Everybody may read.
    pub fn open() -> Self {
        Self(None)
    }

    /// Only who shows one of these, such as the values of a Secret. White space around a token
    /// does not count. One shorter than 16 bytes is left out, and so is what comes after the
    /// 32nd; without any that is left, nobody may read.
    pub fn tokens<T: AsRef<[u8]>>(tokens: impl IntoIterator<Item = T>) -> Self {
        let tag = |token: T| {
            let token = token.as_ref().trim_ascii();
            (token.len() >= SHORTEST).then(|| hmac::sign(&key(), token))
        };
        Self(Some(tokens.into_iter().filter_map(tag).take(MOST).collect()))
    }

    /// How many tokens are accepted; `None` where none is needed.
    pub fn accepted(&self) -> Option<usize> {
        self.0.as_ref().map(Vec::len)
    }

    pub(super) fn permits(&self, headers: &HeaderMap) -> bool {
        let Some(tags) = &self.0 else { return true };
        let Some(token) = bearer(headers) else { return false };
        let key = key();
        // All are tried, so that the time says nothing about which one it was.
        tags.iter()
            .fold(false, |found, tag| hmac::verify(&key, token, tag.as_ref()).is_ok() | found)
    }
}

/// Its value is not a secret: it only makes tags of one length out of tokens.
fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, b"postgres-operator admin token")
}

/// The token of the only header of its kind.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (header, None) = (all.next()?, all.next()) else { return None };
    let (scheme, token) = header.as_bytes().split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}
