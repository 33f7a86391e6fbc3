//! May this token log in as this role? The decision, without PAM around it: the module and
//! `pam-oauth2-check` both come here.
//!
//! In: a [`Login`] and its [`Surroundings`]. Out: an [`Admission`], or the [`Refusal`]. On the
//! way: who has to say whether the token is genuine, whether its claims may be the role, and
//! whether somebody has revoked it.

mod local;
mod online;

use crate::authorize::{Authorized, authorize};
use crate::cache::{Counter, Directory, Outcome, VerifiedBy};
use crate::claims::Claims;
use crate::clock::Clock;
use crate::error::Refusal;
use crate::facts::Facts;
use crate::http::{Carrier, Deadline};
use crate::journal::{Journal, Text};
use crate::keys::Origin;
use crate::pam::Failure;
use crate::policy::{Policy, TrustedIssuer};
use crate::redact::Redactor;
use crate::revocation::{self, Searched};
use crate::role::Role;
use crate::token::AccessToken;
use crate::verify::jwt::JwtFault;
use crate::verify::{Route, Verified};

/// Who wants to be whom, and what is demanded of that.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) policy: Policy,
    pub(crate) role: Role,
    pub(crate) token: AccessToken,
    /// Where the client is, where the application has said so.
    pub(crate) remote_host: Option<Vec<u8>>,
}

impl Login {
    /// For whatever is told about this login.
    pub(crate) fn redactor(&self) -> Redactor<'_> {
        Redactor::new(&self.token)
    }
}

/// What a decision needs of the world.
pub(crate) struct Surroundings<'a> {
    pub(crate) carrier: &'a dyn Carrier,
    pub(crate) cache: Option<&'a Directory>,
    pub(crate) clock: Clock,
    pub(crate) deadline: Deadline,
    pub(crate) journal: &'a Journal,
}

/// A login that may go on.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) authorized: Authorized,
    pub(crate) facts: Facts,
    pub(crate) way: Way,
}

/// How it was found out that the token is genuine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Way {
    Introspection,
    /// With keys from there; `confirmed` where the service was asked as well.
    Jwt {
        keys: Origin,
        confirmed: bool,
    },
    Tokeninfo,
    /// By a verdict that is so many seconds old; `stale` where only an outage keeps it in use.
    Verdict {
        age: f64,
        stale: bool,
    },
}

/// Decides. Guarantees: no [`Admission`] without claims that a verifier vouched for, and that
/// were authorized for this very role under this very policy.
pub(crate) fn admit(login: &Login, around: &Surroundings<'_>) -> Result<Admission, Refusal> {
    let special = login.policy.of_role(login.role.as_str());
    let must_ask = special.is_some_and(|special| special.online);
    let admission = match Route::of(&login.token, &login.policy) {
        Route::Local(issuer, jwt) => local::admit(login, around, must_ask, issuer, jwt)?,
        Route::Online(service) => online::admit(login, around, must_ask, service)?,
        Route::Nobody => {
            return Err(Refusal::Jwt { by: "all issuers".to_owned(), fault: JwtFault::Stranger });
        }
    };
    refuse_the_revoked(login, around, &admission.facts)?;
    Ok(admission)
}

/// What the metrics count of a decision.
pub(crate) fn counted(decided: &Result<Admission, Refusal>) -> Counter {
    let (outcome, verified_by) = match decided {
        Ok(admission) => (Outcome::Accepted, admission.way.counted()),
        Err(refusal) => (outcome_of(refusal), VerifiedBy::Nothing),
    };
    Counter::Login { outcome, verified_by }
}

fn outcome_of(refusal: &Refusal) -> Outcome {
    match refusal.code() {
        Failure::AUTHINFO_UNAVAIL => Outcome::Unavailable,
        Failure::SERVICE_ERR => Outcome::Misconfigured,
        Failure::AUTH_ERR | Failure::USER_UNKNOWN => Outcome::Refused,
        _ => Outcome::Error,
    }
}

impl Way {
    fn counted(self) -> VerifiedBy {
        match self {
            Self::Introspection => VerifiedBy::Introspection,
            Self::Jwt { .. } => VerifiedBy::Jwt,
            Self::Tokeninfo => VerifiedBy::Tokeninfo,
            Self::Verdict { .. } => VerifiedBy::Verdict,
        }
    }
}

/// The file is read at each login, so that a line in it works at the next one. It counts for
/// remembered verdicts as well.
fn refuse_the_revoked(
    login: &Login,
    around: &Surroundings<'_>,
    facts: &Facts,
) -> Result<(), Refusal> {
    let Some(path) = &login.policy.revoked else { return Ok(()) };
    let Searched { rules, by } = revocation::read(path, facts)?;
    around
        .journal
        .step("revocation", || Text::ours(format!("{rules} rules in {}", path.display())));
    by.map_or(Ok(()), |by| Err(by.into()))
}

/// The rules, for claims that were verified for `issuer` or told by a service. `facts` are theirs.
fn authorized(
    login: &Login,
    around: &Surroundings<'_>,
    claims: &Verified<Claims>,
    facts: &Facts,
    issuer: Option<&TrustedIssuer>,
) -> Result<Authorized, Refusal> {
    around.journal.step("claims", || facts.told());
    let authorized = authorize(claims, &login.role, &login.policy, issuer)?;
    around.journal.step("rules", || Text::ours("the claims fulfil every rule for this role"));
    Ok(authorized)
}

#[cfg(test)]
mod tests;
