//! What can be wrong with a provider, in words that say what to do next.

use oauth2::http::StatusCode;
use url::Url;

use super::http::Http;
use crate::foreign::shown;

#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(
        "{place} cannot be reached: {cause}; is this machine online, and is the address right?"
    )]
    Unreachable { place: String, cause: String },
    #[error("{place} gave no whole answer within {seconds} s; try again later")]
    Slow { place: String, seconds: u64 },
    #[error(
        "the certificate of {place} is not valid at the time of this machine's clock ({cause}); is \
         the clock right? (timedatectl; timedatectl set-ntp true)"
    )]
    Clock { place: String, cause: String },
    #[error(
        "the certificate of {place} is not trusted: {cause}; is {place} the right address? Where your company has a certificate authority of its own, name it in `ca_file`, or install it on this machine"
    )]
    Untrusted { place: String, cause: String },
    #[error(
        "{place} answers {status}: it has a fault of its own, or too much to do; try again later"
    )]
    Broken { place: String, status: StatusCode },
    #[error(
        "{place} answers {status}, which leads elsewhere and is not followed; set `issuer` or the endpoint to where it is"
    )]
    Redirect { place: String, status: StatusCode },
    #[error("{place} gives an answer that cannot be used: {what}")]
    Nonsense { place: String, what: String },
    #[error("{place} says {code}{said}; {advice}", code = .refusal.code, said = .refusal.said, advice = .refusal.advice())]
    Refused { place: String, refusal: Refusal },
    #[error(
        "{place} is not where an issuer describes itself (status {status}): is `issuer` right? Where there is no such document, set `endpoints`"
    )]
    Undiscovered { place: String, status: StatusCode },
    #[error(
        "the provider calls itself \"{theirs}\", and `issuer` of the profile is \"{ours}\"; they have to be equal, byte for byte: if the provider is the right one, change `issuer`"
    )]
    Issuer { ours: String, theirs: String },
    #[error("{place} offers no {what}: choose another `flow`, or set `endpoints`")]
    Lacks { place: String, what: &'static str },
    #[error("the client secret cannot be used: {0}")]
    Secret(String),
    #[error("{0}")]
    Profile(String),
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Who can do something about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Remedy {
    /// The person: by logging in.
    LogIn,
    /// Whoever set this up.
    SetUp,
    /// Time.
    Wait,
}

/// An error response (RFC 6749 section 5.2, and those of RFC 8628 and OpenID Connect).
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// Escaped.
    pub(crate) code: String,
    /// Empty, or a colon and what the provider says beside that; escaped.
    pub(crate) said: String,
}

impl Fault {
    pub(super) fn nonsense(url: &Url, what: &str) -> Self {
        Self::Nonsense { place: place(url), what: what.to_owned() }
    }

    /// For an answer that is no OAuth error.
    pub(super) fn refused(url: &Url, status: StatusCode) -> Self {
        let refusal = Refusal { code: status.to_string(), said: String::new() };
        Self::Refused { place: place(url), refusal }
    }

    /// Whether what was presented is worth nothing any more: a new login alone helps.
    pub(crate) fn ends_the_login(&self) -> bool {
        matches!(self, Self::Refused { refusal, .. } if refusal.code == "invalid_grant")
    }

    pub(crate) fn remedy(&self) -> Remedy {
        match self {
            Self::Unreachable { .. }
            | Self::Slow { .. }
            | Self::Broken { .. }
            | Self::Nonsense { .. } => Remedy::Wait,
            Self::Refused { refusal, .. } => refusal.remedy(),
            Self::Clock { .. }
            | Self::Redirect { .. }
            | Self::Undiscovered { .. }
            | Self::Untrusted { .. }
            | Self::Issuer { .. }
            | Self::Lacks { .. }
            | Self::Secret(_)
            | Self::Profile(_)
            | Self::Tls(_) => Remedy::SetUp,
        }
    }
}

impl Refusal {
    pub(super) fn new(code: &str, said: Option<&str>, http: &Http) -> Self {
        let said = said.map(|text| format!(": \"{}\"", http.shown(text))).unwrap_or_default();
        Self { code: http.shown(code), said }
    }

    fn remedy(&self) -> Remedy {
        match self.code.as_str() {
            "access_denied"
            | "consent_required"
            | "expired_token"
            | "interaction_required"
            | "invalid_grant"
            | "invalid_token"
            | "login_required" => Remedy::LogIn,
            "server_error" | "temporarily_unavailable" => Remedy::Wait,
            _ => Remedy::SetUp,
        }
    }

    fn advice(&self) -> &'static str {
        match self.code.as_str() {
            "access_denied" => {
                "the consent was denied, by you or by a rule: run `ztoken login` and agree, or ask who runs the provider to let you in"
            }
            "consent_required" | "interaction_required" | "login_required" => "run `ztoken login`",
            "expired_token" => "the code was not entered in time: run `ztoken login` again",
            "invalid_client" => {
                "`client_id` or the client secret is wrong, or is to be sent in another way (`client_authentication`)"
            }
            "invalid_grant" => {
                "the login is over (revoked, changed, or not used for too long): run `ztoken login`"
            }
            "invalid_scope" => "one of `scopes` is not for this client",
            "invalid_target" => "`resource` is not for this client",
            "unauthorized_client" | "unsupported_grant_type" | "unsupported_response_type" => {
                "this client may not use this `flow`: allow it at the provider, or choose another"
            }
            "server_error" | "temporarily_unavailable" => "try again later",
            "invalid_token" => "it does not take this token: run `ztoken login`",
            _ => "is the client registered as the profile says (client_id, redirect_uri, flow)?",
        }
    }
}

/// A URL in a message: without its query.
pub(super) fn place(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    shown(url.as_str())
}
