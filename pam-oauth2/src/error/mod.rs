//! Every way in which a hook refuses, with its return code; its words are in [`sentence`].

mod sentence;

pub(crate) use sentence::past;

use std::path::PathBuf;

use crate::authorize::Misfit;
use crate::claims::{Claim, Found};
use crate::http::HttpFault;
use crate::pam::Failure;
use crate::policy::{ConfigFault, Requirement};
use crate::redact::Foreign;
use crate::revocation::RevokedBy;
use crate::role::RoleFault;
use crate::token::TokenFault;
use crate::verify::jwt::JwtFault;
use pam_oauth2_arguments::{EndpointError, Issuer};

/// Why a hook does not succeed.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The same was refused a short while ago, so many seconds.
    Again { ago: f64 },
    /// The token does not have the claim of a requirement.
    Absent(Box<Requirement>),
    /// A word of the PAM line is not UTF-8.
    ArgumentEncoding,
    /// The PAM line is wrong.
    Arguments(Box<pam_oauth2_arguments::Error>),
    /// The answer is not one JSON object, or not an unambiguous one.
    Body { service: String, fault: Foreign },
    /// The circuit breaker of the service is open, for so many seconds yet.
    BreakerOpen { service: String, left: f64 },
    /// Other logins had the turn to ask until the deadline passed.
    Busy { service: String },
    /// `pam_sm_chauthtok`.
    ChangeOfToken,
    /// The introspection endpoint does not accept our own credentials.
    Credentials { service: String, status: u16 },
    /// A configuration file, or one that it names, is wrong.
    Config(Box<ConfigFault>),
    /// A claim is there but is not what a requirement demands.
    Differs { requirement: Box<Requirement>, found: Found },
    /// The token has ended, so many seconds ago.
    Expired { ago: f64 },
    /// There was no answer from the token service.
    Http { service: String, fault: HttpFault },
    /// The answer says that the token is not active.
    Inactive,
    /// A token breaks a rule for JWTs; by whose rules is in our words.
    Jwt { by: String, fault: JwtFault },
    /// The local key set cannot be used. The fault reads on from the path.
    KeyFile { path: PathBuf, fault: Foreign },
    /// A call of libpam failed.
    Libpam { wanted: &'static str, code: Failure },
    /// The token does not have the login field.
    NoLoginField { field: String },
    /// What the login field says leads to no role, or not to this one.
    Misfit { field: String, found: Found, misfit: Misfit },
    /// The issuer has no key set that could be used.
    NoKeys { service: String, fault: Unusable },
    /// The client sent no token, or has gone: the conversation failed.
    NoToken { code: Failure },
    /// A role is always to be asked about, and no service is configured.
    NoServiceForRole,
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
    /// A file of the administrator takes the token back.
    Revoked(RevokedBy),
    /// The user name cannot be used.
    Role(RoleFault),
    /// The file with our own secret cannot be used. The fault reads on from the path.
    SecretFile { path: PathBuf, fault: String },
    /// Another login asked about the same token at the same time, and got no answer.
    SharedFailure { reason: Foreign },
    /// The login field is another user.
    SomebodyElse { field: String, found: Found },
    /// The token service answered, but not with 200.
    Status { service: String, status: u16 },
    /// The token cannot be one.
    Token(TokenFault),
    /// Nobody says that the address of the login field is the user's.
    UnverifiedEmail { field: String, verified: Option<Found> },
}

/// Why there is no usable key set.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// Other logins had the turn to fetch until the deadline passed.
    Busy,
    /// The document is not one that can be used.
    Document(Foreign),
    /// The discovery document names no place.
    NoPlace,
    /// The discovery document is that of somebody else.
    OtherIssuer,
    /// An attempt failed a short while ago, and the next is allowed in so many seconds.
    Paused { left: f64, reason: Foreign },
    /// The place that the discovery document names cannot be used.
    Place(EndpointError),
    /// Not 200.
    Status(u16),
    /// Larger than any set is.
    TooLarge,
}

impl Refusal {
    /// Whether it is a verdict about the token, and not about us.
    pub(crate) fn is_denial(&self) -> bool {
        matches!(self.code(), Failure::AUTH_ERR | Failure::USER_UNKNOWN)
    }

    /// Whether it is a verdict about the token whoever uses it: the service does not know it, or
    /// says that it is over.
    pub(crate) fn is_death(&self) -> bool {
        match self {
            Self::Expired { .. } | Self::Inactive => true,
            Self::Status { status, .. } => !is_trouble(*status),
            _ => false,
        }
    }

    /// Whether it says nothing about the token: nobody could be asked.
    pub(crate) fn is_outage(&self) -> bool {
        self.code() == Failure::AUTHINFO_UNAVAIL
    }

    pub(crate) fn of_issuer(issuer: &Issuer, fault: JwtFault) -> Self {
        Self::Jwt { by: format!("issuer {issuer}"), fault }
    }

    pub(crate) fn absent(requirement: &Requirement) -> Self {
        Self::Absent(Box::new(requirement.clone()))
    }

    pub(crate) fn differs(requirement: &Requirement, claim: &Claim) -> Self {
        Self::Differs { requirement: Box::new(requirement.clone()), found: claim.found() }
    }

    pub(crate) fn misfit(field: &str, claim: &Claim, misfit: Misfit) -> Self {
        Self::Misfit { field: field.to_owned(), found: claim.found(), misfit }
    }

    pub(crate) fn not_a_user(field: &str, claim: &Claim) -> Self {
        Self::NotAUser { field: field.to_owned(), found: claim.found() }
    }

    pub(crate) fn somebody_else(field: &str, claim: &Claim) -> Self {
        Self::SomebodyElse { field: field.to_owned(), found: claim.found() }
    }

    pub(crate) fn unverified_email(field: &str, verified: Option<&Claim>) -> Self {
        Self::UnverifiedEmail { field: field.to_owned(), verified: verified.map(Claim::found) }
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
            | Self::Config(_)
            | Self::Http { fault: HttpFault::Trust(_), .. }
            | Self::KeyFile { .. }
            | Self::NoServiceForRole
            | Self::SecretFile { .. } => Failure::SERVICE_ERR,
            Self::Body { .. }
            | Self::BreakerOpen { .. }
            | Self::Busy { .. }
            | Self::Credentials { .. }
            | Self::Http { .. }
            | Self::NoKeys { .. }
            | Self::SharedFailure { .. } => Failure::AUTHINFO_UNAVAIL,
            Self::Status { status, .. } if is_trouble(*status) => Failure::AUTHINFO_UNAVAIL,
            Self::NoLoginField { .. } | Self::NoUser => Failure::USER_UNKNOWN,
            Self::Absent(_)
            | Self::Again { .. }
            | Self::Differs { .. }
            | Self::Expired { .. }
            | Self::Inactive
            | Self::Jwt { .. }
            | Self::Misfit { .. }
            | Self::NotANumber { .. }
            | Self::NotAUser { .. }
            | Self::Revoked(_)
            | Self::Role(_)
            | Self::SomebodyElse { .. }
            | Self::Status { .. }
            | Self::Token(_)
            | Self::UnverifiedEmail { .. } => Failure::AUTH_ERR,
            Self::ChangeOfToken | Self::NoVerdict => Failure::PERM_DENIED,
            Self::Panic { .. } => Failure::ABORT,
            Self::Libpam { code, .. } | Self::NoToken { code } => *code,
        }
    }
}

impl From<pam_oauth2_arguments::Error> for Refusal {
    fn from(error: pam_oauth2_arguments::Error) -> Self {
        Self::Arguments(Box::new(error))
    }
}

impl From<ConfigFault> for Refusal {
    fn from(fault: ConfigFault) -> Self {
        Self::Config(Box::new(fault))
    }
}

impl From<RevokedBy> for Refusal {
    fn from(by: RevokedBy) -> Self {
        Self::Revoked(by)
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
