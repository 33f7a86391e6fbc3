//! What must not be seen: tokens, codes, client secrets. Wiped when dropped.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// As much as `pam_oauth2.so` and PostgreSQL take as a password.
const LONGEST: usize = 16 * 1024;
/// Far more than any provider gives, and little enough to be kept.
const LONGEST_REFRESH: usize = 32 * 1024;

#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The only way out.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// An access token that can be a password, and a line of its own in a terminal; or why not.
    pub(crate) fn access_token(text: impl Into<String>) -> Result<Self, String> {
        let this = Self::new(text);
        let text = this.expose();
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        if text.len() > LONGEST {
            return Err(format!("it has more than {LONGEST} bytes, which no server takes"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("it has blanks, control characters or other bytes that no token has".into());
        }
        Ok(this)
    }

    /// A refresh token that can be kept; or why not.
    pub(crate) fn refresh_token(text: impl Into<String>) -> Result<Self, String> {
        let this = Self::new(text);
        let text = this.expose();
        // RFC 6749 appendix A.17.
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if text.is_empty() || text.len() > LONGEST_REFRESH || !is_plain {
            return Err("it is empty, too long, or has other than visible characters".to_owned());
        }
        Ok(this)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// For the store alone.
impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[redacted]");
    }

    #[test]
    fn an_access_token_is_one_word_of_visible_characters() {
        for good in ["a", "eyJ.e30.c2ln-_~+/=", &"x".repeat(LONGEST)] {
            assert!(Secret::access_token(good).is_ok(), "{}", good.len());
        }
        for (text, good) in [("r ~", true), ("", false), ("a\n", false), ("ä", false)] {
            assert_eq!(Secret::refresh_token(text).is_ok(), good, "{text:?}");
        }
        assert!(Secret::refresh_token("x".repeat(LONGEST_REFRESH + 1)).is_err());
        for bad in ["", "a b", "a\n", "a\u{1b}[2J", "ä", &"x".repeat(LONGEST + 1)] {
            assert!(Secret::access_token(bad).is_err(), "{bad:?}");
        }
    }
}
