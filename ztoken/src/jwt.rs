//! What an access token says of itself, where it is a JWT. Nothing here is verified: it is for the
//! person whose token it is. Servers verify.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::clock::Moment;
use crate::secret::Secret;

#[derive(Debug, Eq, PartialEq)]
pub(crate) struct UnverifiedClaims(Map<String, Value>);

impl UnverifiedClaims {
    /// `None` where the token is no JWT.
    pub(crate) fn of(token: &Secret) -> Option<Self> {
        let parts: Vec<&str> = token.expose().split('.').collect();
        let [_, payload, _] = parts.as_slice() else { return None };
        let json = URL_SAFE_NO_PAD.decode(payload).ok()?;
        serde_json::from_slice(&json).ok().map(Self)
    }

    pub(crate) fn expires(&self) -> Option<Moment> {
        self.moment("exp")
    }

    pub(crate) fn issued(&self) -> Option<Moment> {
        self.moment("iat")
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// NumericDate of RFC 7519 section 2, which may have a fraction.
    fn moment(&self, name: &str) -> Option<Moment> {
        let value = self.0.get(name)?;
        let whole = || value.as_f64().filter(|it| it.abs() < 1e15).map(|it| it as i64);
        value.as_i64().or_else(whole).map(Moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(json: &str) -> Option<UnverifiedClaims> {
        UnverifiedClaims::of(&Secret::new(format!("e30.{}.x", URL_SAFE_NO_PAD.encode(json))))
    }

    #[test]
    fn a_jwt_tells_when_it_ends_and_whose_it_is() {
        let claims = claims(r#"{"exp": 20, "iat": 10.9, "sub": "alice", "uid": 7}"#).unwrap();
        assert_eq!(claims.expires(), Some(Moment(20)));
        assert_eq!(claims.issued(), Some(Moment(10)));
        assert_eq!((claims.text("sub"), claims.text("uid")), (Some("alice"), None));
    }

    #[test]
    fn what_is_no_jwt_tells_nothing() {
        assert_eq!(claims("[]"), None);
        assert_eq!(claims("{"), None);
        for token in ["", "opaque", "a.b", "a.!.c", "a.b.c.d"] {
            assert_eq!(UnverifiedClaims::of(&Secret::new(token)), None, "{token}");
        }
        assert_eq!(claims(r#"{"exp": 1e300}"#).unwrap().expires(), None);
    }
}
