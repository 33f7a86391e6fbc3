//! The access token: what a stranger sent in place of a password.

use std::fmt;

use zeroize::Zeroizing;

/// The longest token that is looked at. PostgreSQL 14 and later would pass on 64 KiB; the
/// longest tokens seen in practice (Entra ID with many groups) stay below 8 KiB.
pub(crate) const MAX_LENGTH: usize = 16 * 1024;

/// A token of 1 to [`MAX_LENGTH`] visible ASCII characters. Wiped when dropped, and not
/// printable.
pub(crate) struct AccessToken(Zeroizing<Vec<u8>>);

/// Why bytes are no token.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum TokenFault {
    #[error("the token is empty: set PGPASSWORD to an access token")]
    Empty,
    #[error(
        "the token holds a blank, a line break or another byte that no token has: \
         it was copied with something around it (\"Bearer \" does not belong there)"
    )]
    Malformed,
    #[error("the token cannot be part of the URL of the PAM line: it would change what is asked")]
    NotForThisUrl,
    #[error("the token is longer than {MAX_LENGTH} bytes: ask for one with fewer claims")]
    TooLong,
}

impl AccessToken {
    /// Takes the bytes as they came: nothing is trimmed, so that what was checked is what
    /// was sent.
    pub(crate) fn parse(bytes: Zeroizing<Vec<u8>>) -> Result<Self, TokenFault> {
        if bytes.is_empty() {
            Err(TokenFault::Empty)
        } else if bytes.len() > MAX_LENGTH {
            Err(TokenFault::TooLong)
        } else if !bytes.iter().all(u8::is_ascii_graphic) {
            Err(TokenFault::Malformed)
        } else {
            Ok(Self(bytes))
        }
    }

    /// The secret itself, for the request and for the redaction of messages.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<(), TokenFault> {
        AccessToken::parse(Zeroizing::new(bytes.to_vec())).map(|_| ())
    }

    #[test]
    fn visible_ascii_up_to_the_limit_is_a_token() {
        assert_eq!(MAX_LENGTH, 16_384);
        assert_eq!(parse(b"x"), Ok(()));
        assert_eq!(parse(b"!\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~"), Ok(()));
        assert_eq!(parse(&[b'a'; 16 * 1024]), Ok(()));
        assert_eq!(parse(&[b'a'; 16 * 1024 + 1]), Err(TokenFault::TooLong));
    }

    #[test]
    fn nothing_is_trimmed_and_nothing_invisible_passes() {
        assert_eq!(parse(b""), Err(TokenFault::Empty));
        assert_eq!(parse(&vec![b'a'; MAX_LENGTH + 1]), Err(TokenFault::TooLong));
        for byte in (0..=0x20).chain(0x7f..=0xff) {
            assert_eq!(parse(&[b'a', byte]), Err(TokenFault::Malformed), "byte {byte:#x}");
        }
    }

    #[test]
    fn a_token_does_not_print_itself() {
        let token = AccessToken::parse(Zeroizing::new(b"s3cret".to_vec())).unwrap();
        assert_eq!(format!("{token:?}"), "AccessToken([redacted])");
    }
}
