//! Every way in which a hook refuses, with its return code and its sentence.

use std::time::Duration;

use crate::claims::{Claim, Found};
use crate::http::{BODY_LIMIT, HttpFault, Stage};
use crate::pam::Failure;
use crate::redact::{Foreign, Redactor, escape, visible};
use crate::role::RoleFault;
use crate::token::TokenFault;

/// Why a hook does not succeed.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A check names a member that the answer does not have.
    Absent { key: String, wanted: String },
    /// A word of the PAM line is not UTF-8.
    ArgumentEncoding,
    /// The PAM line is wrong.
    Arguments(pam_oauth2_arguments::Error),
    /// The answer is not one JSON object, or not an unambiguous one.
    Body { service: String, fault: Foreign },
    /// `pam_sm_chauthtok`.
    ChangeOfToken,
    /// A member is there but is not the text of the check.
    Differs { key: String, found: Found, wanted: String },
    /// The token has ended, so many seconds ago.
    Expired { ago: f64 },
    /// There was no answer from the token service.
    Http { service: String, fault: HttpFault },
    /// The answer says that the token is not active.
    Inactive,
    /// A call of libpam failed.
    Libpam { wanted: &'static str, code: Failure },
    /// The answer does not have the login field.
    NoLoginField { field: String },
    /// The client sent no token, or has gone: the conversation failed.
    NoToken { code: Failure },
    /// The application names no user.
    NoUser,
    /// The account phase without a verdict of ours.
    NoVerdict,
    /// `exp` or `expires_in` is no number.
    NotANumber { name: &'static str, found: Found },
    /// The login field is not a string.
    NotAUser { field: String, found: Found },
    /// A bug of ours, caught at the edge.
    Panic { place: String },
    /// The user name cannot be used.
    Role(RoleFault),
    /// The login field is another user.
    SomebodyElse { field: String, found: Found },
    /// The token service answered, but not with 200.
    Status { service: String, status: u16 },
    /// The token cannot be one.
    Token(TokenFault),
}

impl Refusal {
    pub(crate) fn differs(key: &str, claim: &Claim, wanted: &str) -> Self {
        Self::Differs { key: key.to_owned(), found: claim.found(), wanted: wanted.to_owned() }
    }

    pub(crate) fn not_a_user(field: &str, claim: &Claim) -> Self {
        Self::NotAUser { field: field.to_owned(), found: claim.found() }
    }

    pub(crate) fn somebody_else(field: &str, claim: &Claim) -> Self {
        Self::SomebodyElse { field: field.to_owned(), found: claim.found() }
    }

    /// `pam_get_authtok(3)` failed.
    pub(crate) fn no_token(code: Failure) -> Self {
        match code {
            Failure::AUTHTOK_ERR | Failure::CONV_AGAIN | Failure::CONV_ERR => {
                Self::NoToken { code }
            }
            _ => Self::Libpam { wanted: "give the token", code },
        }
    }

    pub(crate) fn libpam(wanted: &'static str, code: Failure) -> Self {
        Self::Libpam { wanted, code }
    }

    /// The one table of return codes.
    pub(crate) fn code(&self) -> Failure {
        match self {
            Self::ArgumentEncoding
            | Self::Arguments(_)
            | Self::Http { fault: HttpFault::Trust(_), .. } => Failure::SERVICE_ERR,
            Self::Body { .. } | Self::Http { .. } => Failure::AUTHINFO_UNAVAIL,
            Self::Status { status, .. } if is_trouble(*status) => Failure::AUTHINFO_UNAVAIL,
            Self::NoLoginField { .. } | Self::NoUser => Failure::USER_UNKNOWN,
            Self::Absent { .. }
            | Self::Differs { .. }
            | Self::Expired { .. }
            | Self::Inactive
            | Self::NotANumber { .. }
            | Self::NotAUser { .. }
            | Self::Role(_)
            | Self::SomebodyElse { .. }
            | Self::Status { .. }
            | Self::Token(_) => Failure::AUTH_ERR,
            Self::ChangeOfToken | Self::NoVerdict => Failure::PERM_DENIED,
            Self::Panic { .. } => Failure::ABORT,
            Self::Libpam { code, .. } | Self::NoToken { code } => *code,
        }
    }

    /// What happened, to what, and what to do: one sentence, in visible ASCII.
    pub(crate) fn sentence(&self, redactor: Option<&Redactor<'_>>) -> String {
        match self {
            Self::Absent { key, wanted } => format!(
                "the answer of the token service has no \"{}\", and the PAM line demands {}={}",
                escape(key), escape(key), escape(wanted)
            ),
            Self::ArgumentEncoding => "PAM line: an argument is not valid UTF-8".to_owned(),
            Self::Arguments(error) => format!("PAM line: {}", visible(&error.to_string())),
            Self::Body { service, fault } => format!(
                "the answer of the token service {service} cannot be used: {}; check the URL of the PAM line",
                fault.plain(redactor)
            ),
            Self::ChangeOfToken => "an access token is not changed here; get a new one from its issuer".to_owned(),
            Self::Differs { key, found, wanted } => format!(
                "\"{}\" of the token is {}, and the PAM line demands \"{}\"",
                escape(key), in_words(found, redactor), escape(wanted)
            ),
            Self::Expired { ago } => format!(
                "the token expired {}, says the token service; get a new one (and check the clock)",
                past(*ago)
            ),
            Self::Http { service, fault } => http_sentence(service, fault, redactor),
            Self::Inactive => "the token service says that the token is not active; get a new one".to_owned(),
            Self::Libpam { wanted, code } => format!("libpam could not {wanted}: {code}"),
            Self::NoToken { code } => format!(
                "no token was sent: {code} (psql connects once without, then asks for the password)"
            ),
            Self::NoLoginField { field } => format!(
                "the answer of the token service has no \"{}\", which the PAM line names as the login field",
                escape(field)
            ),
            Self::NoUser => "no user name: the application has to name one".to_owned(),
            Self::NoVerdict => {
                "account: this module has not authenticated this user; where another module may have, \
                 put --always on the account line".to_owned()
            }
            Self::NotANumber { name, found } => format!(
                "\"{name}\" of the token is {}, which is no number of seconds", in_words(found, redactor)
            ),
            Self::NotAUser { field, found } => format!(
                "\"{}\" of the token is {}, and a login field has to be a string",
                escape(field), in_words(found, redactor)
            ),
            Self::Panic { place } => format!("internal error at {}; please report it", visible(place)),
            Self::Role(fault) => fault.to_string(),
            Self::SomebodyElse { field, found } => format!(
                "the token is somebody else's: its \"{}\" is {}", escape(field), in_words(found, redactor)
            ),
            Self::Status { service, status } if is_trouble(*status) => format!(
                "the token service {service} answered with status {status}: it is in trouble or limits us; \
                 try again later"
            ),
            Self::Status { service, status } => format!(
                "the token service {service} answered with status {status}: it does not know the token \
                 (expired, revoked or mistyped: get a new one) or the URL is wrong"
            ),
            Self::Token(fault) => fault.to_string(),
        }
    }
}

impl From<pam_oauth2_arguments::Error> for Refusal {
    fn from(error: pam_oauth2_arguments::Error) -> Self {
        Self::Arguments(error)
    }
}

impl From<RoleFault> for Refusal {
    fn from(fault: RoleFault) -> Self {
        Self::Role(fault)
    }
}

impl From<TokenFault> for Refusal {
    fn from(fault: TokenFault) -> Self {
        Self::Token(fault)
    }
}

/// A status that says nothing about the token: 429 (RFC 6585 section 4) and 5xx.
fn is_trouble(status: u16) -> bool {
    status == 429 || (500..=599).contains(&status)
}

fn http_sentence(service: &str, fault: &HttpFault, redactor: Option<&Redactor<'_>>) -> String {
    match fault {
        HttpFault::Failed { stage, cause } => format!(
            "the token service {service} cannot be asked: {}: {}; {}",
            match stage {
                Stage::Resolving => "looking up its address failed",
                Stage::Connecting => "connecting failed",
                Stage::Waiting => "it gave no HTTP answer",
                Stage::Reading => "its answer broke off",
            },
            cause.plain(redactor),
            match stage {
                Stage::Resolving => "check the URL, /etc/hosts and /etc/resolv.conf",
                Stage::Connecting =>
                    "check the network, and --ca-file where a certificate is to blame",
                Stage::Waiting | Stage::Reading => "check the URL and the service",
            }
        ),
        HttpFault::Late { stage, limit } => format!(
            "the token service {service} was too slow: {} when the {} of --timeout had passed",
            match stage {
                Stage::Resolving => "its address was still being looked up",
                Stage::Connecting => "the connection did not stand",
                Stage::Waiting => "it had not begun to answer",
                Stage::Reading => "its answer was not complete",
            },
            seconds(*limit)
        ),
        HttpFault::Starved { cause } => format!(
            "no connection to the token service {service} can be made: {}; raise the limits of the server",
            visible(cause)
        ),
        HttpFault::TooLarge => format!(
            "the answer of the token service {service} is longer than {BODY_LIMIT} bytes; check the URL of the PAM line"
        ),
        HttpFault::Trust(fault) => visible(&fault.to_string()),
    }
}

fn in_words(found: &Found, redactor: Option<&Redactor<'_>>) -> String {
    match found {
        Found::Kind(kind) => (*kind).to_owned(),
        Found::Number(number) => format!("the number {}", number.plain(redactor)),
        Found::Text(text) => text.quoted(redactor),
    }
}

/// Exact where that helps, and without digits that a service could choose at will.
fn past(seconds: f64) -> String {
    const DAY: f64 = 86_400.0;
    if seconds < DAY { format!("{seconds:.0} s ago") } else { "more than a day ago".to_owned() }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests;
