//! Every way in which a hook refuses, with its return code; its words are in [`sentence`].

mod sentence;

use crate::claims::{Claim, Found};
use crate::http::HttpFault;
use crate::pam::Failure;
use crate::redact::Foreign;
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

#[cfg(test)]
mod tests;
