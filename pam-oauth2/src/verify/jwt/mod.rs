//! JWT access tokens (RFC 9068), verified on the spot. Pure: token, issuer, keys and time in,
//! verified claims or the broken rule out.
//!
//! `jsonwebtoken` checks the signature and nothing else. Every other rule of RFC 7519 and RFC
//! 8725 is written out here, because the library leaves many of them to its caller. Nothing
//! that a token names is ever fetched: `jku`, `x5u`, `jwk` and `x5c` are not even read.

mod fault;
mod key_set;
mod signature;

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use pam_oauth2_arguments::{JwtIssuer, Typ};
use zeroize::Zeroizing;

use super::Verified;
use crate::claims::{Claim, Claims};
use crate::clock::{LAST_SECOND, Timestamp};
use crate::redact::Foreign;
use crate::token::AccessToken;

pub(crate) use fault::JwtFault;
pub(crate) use key_set::{Key, KeySet, NoKey, Wanted};

/// A token that has the form of a JWT. Nothing of it is believed yet.
#[derive(Debug)]
pub(crate) struct UnverifiedJwt<'t> {
    /// Header and payload as they were signed.
    signed: &'t [u8],
    header: &'t [u8],
    signature: &'t str,
    claims: Result<Claims, Foreign>,
}

/// What the header says, as far as it is one that can be accepted.
#[derive(Debug)]
pub(crate) struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl Header {
    /// For messages.
    pub(crate) fn algorithm_name(&self) -> String {
        format!("{:?}", self.algorithm)
    }

    /// Which key is needed.
    pub(crate) fn wanted(&self) -> Wanted<'_> {
        Wanted { id: self.key_id.as_deref(), algorithm: self.algorithm }
    }
}

impl<'t> UnverifiedJwt<'t> {
    /// `None` where the token has no header and payload in base64url. Whatever stands behind them
    /// is the signature, and has to hold as it is: it is not part of what was signed, so whoever
    /// holds a token could write it in another way, and must not get another judge by that.
    pub(crate) fn read(token: &'t AccessToken) -> Option<Self> {
        let text = std::str::from_utf8(token.expose()).ok()?;
        let (header, rest) = text.split_once('.')?;
        let (payload, signature) = rest.split_once('.')?;
        let signed = text.get(..text.len().checked_sub(signature.len())?.checked_sub(1)?)?;
        if ![header, payload].into_iter().all(is_base64url) {
            return None;
        }
        let claims = match BASE64_URL_SAFE_NO_PAD.decode(payload).map(Zeroizing::new) {
            Ok(payload) => Claims::parse(&payload).map_err(|fault| fault.to_string()),
            Err(_) => Err("it is not proper base64url".to_owned()),
        };
        let claims = claims.map_err(Foreign::new);
        Some(Self { signed: signed.as_bytes(), header: header.as_bytes(), signature, claims })
    }

    /// The value of `iss`, which chooses the issuer whose rules then decide.
    pub(crate) fn unverified_issuer(&self) -> Option<&str> {
        self.claims.as_ref().ok()?.text("iss")
    }

    /// What `exp` says, which can only make a life shorter.
    pub(crate) fn unverified_end(&self) -> Option<f64> {
        self.claims.as_ref().ok()?.find("exp")?.number()
    }

    /// Reads the header, and refuses what cannot be accepted whatever the keys are.
    pub(crate) fn header(&self, typ: Typ) -> Result<Header, JwtFault> {
        if !is_base64url(self.signature) {
            return Err(JwtFault::Encoding("signature"));
        }
        let header = BASE64_URL_SAFE_NO_PAD.decode(self.header);
        let header = header.map_err(|_| JwtFault::Encoding("header"))?;
        let header = Claims::parse(&header).map_err(|fault| JwtFault::Json {
            part: "header",
            fault: Foreign::new(fault.to_string()),
        })?;
        // RFC 7515 section 4.1.11, RFC 7516 section 4.1.3, RFC 7797 section 3.
        if let Some(name) =
            ["crit", "zip", "b64"].into_iter().find(|name| header.find(name).is_some())
        {
            return Err(JwtFault::Critical(name));
        }
        let name = header.text("alg").ok_or(JwtFault::Missing("alg"))?;
        let algorithm = signature::algorithm_of(name)
            .ok_or_else(|| JwtFault::Algorithm(Foreign::new(name.to_owned())))?;
        check_typ(&header, typ)?;
        Ok(Header { algorithm, key_id: key_set::id_in(&header)? })
    }

    /// Signature first, claims after.
    pub(crate) fn verify(
        self,
        header: &Header,
        key: &Key,
        issuer: &JwtIssuer,
        leeway: Duration,
        now: Timestamp,
    ) -> Result<Verified<Claims>, JwtFault> {
        // The key was chosen for the algorithm; that it is the one of the header is what makes
        // confusion of algorithms impossible, so it is checked where the key is used.
        if key.algorithm() != header.algorithm
            || !signature::holds(self.signature, self.signed, key.decoding_key(), key.algorithm())
        {
            return Err(JwtFault::Signature);
        }
        let claims = self.claims.map_err(|fault| JwtFault::Json { part: "payload", fault })?;
        check_kind(&claims)?;
        if claims.text("iss") != Some(issuer.issuer.name()) {
            return Err(JwtFault::Stranger);
        }
        check_audience(&claims, &issuer.audience)?;
        check_end(&claims, leeway, now)?;
        check_starts(&claims, leeway, now)?;
        if claims.text("sub").is_none_or(str::is_empty) {
            return Err(JwtFault::Missing("sub"));
        }
        Ok(Verified(claims))
    }
}

/// By its characters; whether it is canonical shows where it is decoded.
fn is_base64url(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

/// RFC 9068 section 4. Media types compare without regard to case (RFC 2045 section 5.1).
fn check_typ(header: &Claims, accepted: Typ) -> Result<(), JwtFault> {
    let found = match header.find("typ") {
        None => None,
        Some(Claim::Text(typ)) => Some(typ.to_ascii_lowercase()),
        Some(_) => return Err(JwtFault::Typ(Foreign::new("(not a string)".to_owned()))),
    };
    match (found.as_deref(), accepted) {
        (Some("at+jwt" | "application/at+jwt"), _) | (None | Some("jwt"), Typ::Any) => Ok(()),
        (found, _) => Err(JwtFault::Typ(Foreign::new(found.unwrap_or_default().to_owned()))),
    }
}

/// Other tokens of the same issuer carry the same signature. Those that can be told are refused:
/// ID tokens (OpenID Connect Core section 2), and what Keycloak says of itself in `typ`.
fn check_kind(claims: &Claims) -> Result<(), JwtFault> {
    let has = |name: &str| claims.find(name).is_some();
    if (has("nonce") || has("at_hash")) && !has("scope") && !has("scp") {
        return Err(JwtFault::OtherKind("an ID token"));
    }
    // Amazon Cognito.
    if claims.text("token_use") == Some("id") {
        return Err(JwtFault::OtherKind("an ID token"));
    }
    match claims.text("typ").map(str::to_ascii_lowercase).as_deref() {
        Some("id") => Err(JwtFault::OtherKind("an ID token")),
        Some("refresh" | "offline") => Err(JwtFault::OtherKind("a refresh token")),
        Some("logout") => Err(JwtFault::OtherKind("a logout token")),
        _ => Ok(()),
    }
}

/// RFC 7519 section 4.1.3: one of ours is named, as a string or in an array of strings.
pub(super) fn check_audience(claims: &Claims, ours: &[String]) -> Result<(), JwtFault> {
    let named = match claims.find("aud") {
        Some(Claim::List(names)) => names.as_slice(),
        Some(claim) => std::slice::from_ref(claim),
        None => &[],
    };
    let text = |claim: &'_ Claim| match claim {
        Claim::Text(name) => Some(name.to_string()),
        _ => None,
    };
    let named: Option<Vec<String>> = named.iter().map(text).collect();
    let is_ours = |name: &String| ours.contains(name);
    named.filter(|names| names.iter().any(is_ours)).map(drop).ok_or(JwtFault::Audience)
}

/// RFC 7519 section 4.1.4: not on or after the end.
fn check_end(claims: &Claims, leeway: Duration, now: Timestamp) -> Result<(), JwtFault> {
    let end = date(claims, "exp")?.ok_or(JwtFault::Missing("exp"))?;
    if now.seconds() >= end + leeway.as_secs_f64() {
        return Err(JwtFault::Expired { ago: now.seconds() - end });
    }
    Ok(())
}

/// RFC 7519 sections 4.1.5 and 4.1.6: neither is in the future.
pub(super) fn check_starts(
    claims: &Claims,
    leeway: Duration,
    now: Timestamp,
) -> Result<(), JwtFault> {
    for claim in ["nbf", "iat"] {
        if let Some(start) = date(claims, claim)?
            && start > now.seconds() + leeway.as_secs_f64()
        {
            return Err(JwtFault::NotYet { claim, ahead: start - now.seconds() });
        }
    }
    Ok(())
}

/// A `NumericDate` (RFC 7519 section 2): a JSON number that is a date at all.
fn date(claims: &Claims, name: &'static str) -> Result<Option<f64>, JwtFault> {
    let seconds = match claims.find(name) {
        None => return Ok(None),
        Some(Claim::Fraction(seconds)) => *seconds,
        Some(claim @ Claim::Integer(_)) => claim.number().ok_or(JwtFault::Missing(name))?,
        Some(_) => return Err(JwtFault::Missing(name)),
    };
    let is_date = (0.0..=LAST_SECOND).contains(&seconds);
    is_date.then_some(Some(seconds)).ok_or(JwtFault::Missing(name))
}

#[cfg(test)]
mod tests;
