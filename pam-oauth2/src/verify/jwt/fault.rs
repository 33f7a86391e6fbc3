//! Every rule that a JWT can break. All of them refuse with the same return code; the words are
//! for the administrator.

use crate::redact::{Foreign, Redactor};

/// The rule that a token breaks.
#[derive(Debug)]
pub(crate) enum JwtFault {
    /// `alg` is not one of those that are accepted.
    Algorithm(Foreign),
    /// Several keys could be meant.
    AmbiguousKey,
    /// `aud` names none of ours.
    Audience,
    /// `crit`, `zip` or `b64` in the header: nothing of that kind is understood.
    Critical(&'static str),
    /// A part is not what it has to be.
    Encoding(&'static str),
    /// `exp` is past, so many seconds ago.
    Expired { ago: f64 },
    /// A part is not exactly one JSON object.
    Json { part: &'static str, fault: Foreign },
    /// `kid` is no string, or a very long one.
    KeyId,
    /// The key that the token names is for another algorithm.
    KeyOfOtherAlgorithm(Foreign),
    /// A claim is missing, or of the wrong kind.
    Missing(&'static str),
    /// `iat` or `nbf` is in the future, by so many seconds.
    NotYet { claim: &'static str, ahead: f64 },
    /// It is a token of another kind.
    OtherKind(&'static str),
    /// The signature is not that of the key.
    Signature,
    /// Not even a JWT of an issuer that is believed.
    Stranger,
    /// `typ` is not that of an access token.
    Typ(Foreign),
    /// No key of the issuer has this name.
    UnknownKey { id: Option<Foreign>, why: &'static str },
}

impl JwtFault {
    pub(crate) fn unknown_key(id: Option<&str>, why: &'static str) -> Self {
        Self::UnknownKey { id: id.map(|id| Foreign::new(id.to_owned())), why }
    }

    /// Reads on from "the token".
    pub(crate) fn sentence(&self, redactor: Option<&Redactor<'_>>) -> String {
        let quoted = |text: &Foreign| text.quoted(redactor);
        match self {
            Self::Algorithm(name) => format!(
                "has the algorithm {}, which is not accepted \
                 (RS256 to RS512, PS256 to PS512, ES256, ES384, EdDSA are)",
                quoted(name)
            ),
            Self::AmbiguousKey => {
                "names no key, or one that its issuer publishes twice: several could be meant"
                    .to_owned()
            }
            Self::Audience => "is not for this service: its \"aud\" names none of the audiences \
                 that are configured"
                .to_owned(),
            Self::Critical(name) => {
                format!("has the header parameter \"{name}\", which is not understood here")
            }
            Self::Encoding(part) => format!("has a {part} that is not proper base64url"),
            Self::Expired { ago } => {
                format!("expired {}; get a new one (and check the clock)", crate::error::past(*ago))
            }
            Self::Json { part, fault } => {
                format!("has a {part} that cannot be used: {}", fault.plain(redactor))
            }
            Self::KeyId => "has a \"kid\" that no key can have".to_owned(),
            Self::KeyOfOtherAlgorithm(id) => format!(
                "names the key {}, which is not for its algorithm; a key is good for one alone, \
                 and an RSA key without \"alg\" for RS256",
                quoted(id)
            ),
            Self::Missing(claim) => {
                format!("has no \"{claim}\" of the proper kind, and needs one")
            }
            Self::NotYet { claim, ahead } => {
                format!(
                    "is from the future: its \"{claim}\" is {ahead:.0} s ahead; check the clock"
                )
            }
            Self::OtherKind(kind) => {
                format!("is {kind}, not an access token; ask the issuer for an access token")
            }
            Self::Signature => "has a signature that the key of its issuer does not confirm; \
                 it was changed, or made by somebody else"
                .to_owned(),
            Self::Stranger => "is not a JWT of an issuer that is configured here".to_owned(),
            Self::Typ(typ) => format!(
                "has the \"typ\" {}, and an access token has \"at+jwt\"; \
                 --typ=any where the issuer does not say so",
                quoted(typ)
            ),
            Self::UnknownKey { id: Some(id), why } => {
                format!("names the key {}, which its issuer does not publish ({why})", quoted(id))
            }
            Self::UnknownKey { id: None, why } => {
                format!("names no key, and its issuer publishes none for its algorithm ({why})")
            }
        }
    }
}
