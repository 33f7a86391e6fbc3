//! What the claims say about a token beside whose it is: for the audit line, for revocation, and
//! to remember a verdict. Pure.

use serde::{Deserialize, Serialize};

use crate::claims::{Claim, Claims};
use crate::clock::Timestamp;
use crate::journal::Text;
use crate::policy::ClaimPath;

/// Times are seconds since 1970. Everything is foreign text.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Facts {
    /// `sub`, or the login claim where there is none.
    pub(crate) subject: Option<String>,
    /// `client_id` (RFC 9068 section 2.2, RFC 7662 section 2.2), or `azp`.
    pub(crate) client: Option<String>,
    /// `iss`.
    pub(crate) issuer: Option<String>,
    /// `jti`.
    pub(crate) id: Option<String>,
    /// `iat`.
    pub(crate) issued: Option<f64>,
    /// `exp`, or the time at which `expires_in` is over; the earlier of the two.
    pub(crate) expires: Option<f64>,
}

impl Facts {
    /// `login` is the claim that names the user; `now` is when the claims were told.
    pub(crate) fn of(claims: &Claims, login: &ClaimPath, now: Timestamp) -> Self {
        let named = |name| claims.find(name).and_then(text);
        let number = |name| claims.find(name).and_then(Claim::number);
        let ends = [number("exp"), number("expires_in").map(|left| now.seconds() + left)];
        Self {
            subject: named("sub").or_else(|| login.find(claims).and_then(text)),
            client: named("client_id").or_else(|| named("azp")),
            issuer: named("iss"),
            id: named("jti"),
            issued: number("iat"),
            expires: ends.into_iter().flatten().min_by(f64::total_cmp),
        }
    }

    /// For people.
    pub(crate) fn told(&self) -> Text {
        let end = self.expires.and_then(|end| Timestamp::from_seconds(end).date());
        let end = end.unwrap_or_else(|| "at a time that is not told".to_owned());
        let named =
            [("subject", &self.subject), ("client", &self.client), ("issuer", &self.issuer)];
        named.into_iter().fold(
            Text::ours(format!("the token ends {end}")),
            |text, (name, value)| match value {
                Some(value) => text.and(format!(", {name} ")).foreign(value),
                None => text,
            },
        )
    }
}

/// As requirements compare: some services give people numbers.
fn text(claim: &Claim) -> Option<String> {
    match claim {
        Claim::Text(text) => Some(text.to_string()),
        Claim::Integer(number) => Some(number.to_string()),
        Claim::Flag(_) | Claim::Fraction(_) | Claim::List(_) | Claim::Null | Claim::Object(_) => {
            None
        }
    }
}

#[cfg(test)]
mod tests;
