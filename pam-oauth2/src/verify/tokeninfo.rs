//! A tokeninfo endpoint: `GET <url><token>`, and status 200 with the claims means genuine.

use pam_oauth2_arguments::Endpoint;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use url::Url;
use zeroize::Zeroizing;

use super::{Inquiry, Verified, alive, described};
use crate::claims::Claims;
use crate::error::Refusal;
use crate::http::Request;
use crate::token::{AccessToken, TokenFault};

/// Everything but the unreserved characters (RFC 3986 section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Asks the token service.
pub(super) fn verify(
    endpoint: &Endpoint,
    inquiry: &Inquiry<'_>,
) -> Result<Verified<Claims>, Refusal> {
    let url = url(endpoint, inquiry.token)?;
    let name = endpoint.to_string();
    let answer = inquiry.send(&Request::get(&url), &name)?;
    let claims = described(&answer, name)?;
    alive::check(&claims, inquiry.leeway, inquiry.now)?;
    Ok(Verified(claims))
}

fn url(endpoint: &Endpoint, token: &AccessToken) -> Result<Url, Refusal> {
    let encoded = Zeroizing::new(percent_encode(token.expose(), RESERVED).to_string());
    endpoint.with(&encoded).ok_or(Refusal::Token(TokenFault::NotForThisUrl))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PREFIX: &str = "https://info.example.com/oauth2/tokeninfo?access_token=";

    fn asked(prefix: &str, token: &str) -> Option<String> {
        let endpoint = Endpoint::parse(prefix, false).unwrap();
        let token = AccessToken::parse(Zeroizing::new(token.into())).unwrap();
        url(&endpoint, &token).ok().map(Into::into)
    }

    #[test]
    fn unreserved_characters_are_sent_as_they_are() {
        let token = "AZaz09-._~";
        assert_eq!(asked(PREFIX, token), Some(format!("{PREFIX}{token}")));
    }

    #[test]
    fn everything_else_is_percent_encoded() {
        let sent = asked(PREFIX, "a&b#c?d%00e+f=g//h@i\"j<k>'");
        let wanted = "a%26b%23c%3Fd%2500e%2Bf%3Dg%2F%2Fh%40i%22j%3Ck%3E%27";
        assert_eq!(sent, Some(format!("{PREFIX}{wanted}")));
    }

    #[test]
    fn a_token_cannot_climb_out_of_a_path() {
        assert_eq!(asked("https://h.example/info/", ".."), None);
        assert_eq!(asked("https://h.example/info/", "."), None);
        assert_eq!(asked("https://h.example/info/.", "."), None);
        assert_eq!(
            asked("https://h.example/info/", "a/../b").unwrap(),
            "https://h.example/info/a%2F..%2Fb"
        );
        assert_eq!(asked(PREFIX, "..").unwrap(), format!("{PREFIX}.."));
    }

    proptest! {
        #[test]
        fn a_token_only_ever_lengthens_the_url(token in "[!-~]{1,60}") {
            let sent = asked(PREFIX, &token).unwrap();
            let value = sent.strip_prefix(PREFIX).unwrap();
            prop_assert!(value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
            let back = percent_encoding::percent_decode_str(value).decode_utf8().unwrap();
            prop_assert_eq!(back, token);
        }
    }
}
