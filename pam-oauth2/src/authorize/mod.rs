//! May these claims be this role? Pure: claims, role, rule and time in, a proof or a refusal
//! out.

use pam_oauth2_arguments::AuthLine;

use crate::claims::{Claim, Claims};
use crate::error::Refusal;
use crate::role::Role;
use crate::verify::Verified;

/// Proof that a verified token may log in as a role. Made here and nowhere else.
#[must_use]
#[derive(Debug)]
pub(crate) struct Authorized {
    role: Role,
}

impl Authorized {
    pub(crate) fn role(&self) -> &Role {
        &self.role
    }
}

/// Compares the claims with the rule. `now` is in seconds since 1970.
///
/// Where several things are wrong, the return code is that of the C module: a value that
/// differs counts before a login field that is absent, and that before any other absence.
pub(crate) fn authorize(
    claims: &Verified<Claims>,
    role: &Role,
    line: &AuthLine,
    now: f64,
) -> Result<Authorized, Refusal> {
    refuse_the_expired(claims, now, line.leeway.as_secs_f64())?;
    let login = claims.find(&line.login_field);
    if let Some(claim) = login {
        match claim {
            Claim::Text(user) if user.as_str() == role.as_str() => {}
            Claim::Text(_) => return Err(Refusal::somebody_else(&line.login_field, claim)),
            claim => return Err(Refusal::not_a_user(&line.login_field, claim)),
        }
    }
    let mut absent = None;
    for check in &line.checks {
        match claims.find(&check.key) {
            Some(claim) if claim.matches(&check.value) => {}
            Some(claim) => return Err(Refusal::differs(&check.key, claim, &check.value)),
            None => absent = absent.or(Some(check)),
        }
    }
    if login.is_none() {
        return Err(Refusal::NoLoginField { field: line.login_field.clone() });
    }
    if let Some(check) = absent {
        return Err(Refusal::Absent { key: check.key.clone(), wanted: check.value.clone() });
    }
    Ok(Authorized { role: role.clone() })
}

/// A service should not describe a token that has ended, but some do.
fn refuse_the_expired(claims: &Claims, now: f64, leeway: f64) -> Result<(), Refusal> {
    match claims.find("active") {
        None | Some(Claim::Flag(true)) => {}
        Some(_) => return Err(Refusal::Inactive),
    }
    if let Some(left) = number(claims, "expires_in")?
        && left <= 0.0
    {
        return Err(Refusal::Expired { ago: left.abs() });
    }
    if let Some(end) = number(claims, "exp")?
        && end + leeway < now
    {
        return Err(Refusal::Expired { ago: now - end });
    }
    Ok(())
}

fn number(claims: &Claims, name: &'static str) -> Result<Option<f64>, Refusal> {
    let Some(claim) = claims.find(name) else {
        return Ok(None);
    };
    let not_a_number = || Refusal::NotANumber { name, found: claim.found() };
    claim.number().map(Some).ok_or_else(not_a_number)
}

#[cfg(test)]
mod tests;
