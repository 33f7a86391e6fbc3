//! May these claims be this role? Pure: claims, role, policy and time in, a proof or a refusal
//! out.

mod mapping;

use crate::claims::{Claim, Claims};
use crate::error::Refusal;
use crate::policy::{ClaimPath, Login, Policy, Requirement, Test, TrustedIssuer};
use crate::role::Role;
use crate::verify::Verified;
use crate::verify::remembered::Verdict;

pub(crate) use mapping::Misfit;

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

/// Compares the claims with the policy. `issuer` is the one that the claims were verified for,
/// where they are those of a JWT.
///
/// Where several things are wrong, the return code is that of the C module: a value that
/// differs counts before a login field that is absent, and that before any other absence.
pub(crate) fn authorize(
    claims: &Verified<Claims>,
    role: &Role,
    policy: &Policy,
    issuer: Option<&TrustedIssuer>,
) -> Result<Authorized, Refusal> {
    let login = policy.login_of(issuer);
    let user = login.claim.find(claims);
    if let Some(user) = user {
        refuse_somebody_else(user, login, role)?;
        refuse_unverified_email(claims, &login.claim)?;
    }
    let mut absent = None;
    for requirement in requirements(policy, issuer, role) {
        match requirement.claim.find(claims) {
            Some(claim) if holds(&requirement.test, claim) => {}
            Some(claim) => return Err(Refusal::differs(requirement, claim)),
            None => absent = absent.or(Some(requirement)),
        }
    }
    if user.is_none() {
        return Err(Refusal::NoLoginField { field: login.claim.written().to_owned() });
    }
    if let Some(requirement) = absent {
        return Err(Refusal::absent(requirement));
    }
    Ok(Authorized { role: role.clone() })
}

/// Those of the policy, of the issuer, and of the role: all of them count.
fn requirements<'a>(
    policy: &'a Policy,
    issuer: Option<&'a TrustedIssuer>,
    role: &Role,
) -> impl Iterator<Item = &'a Requirement> {
    let issuer = issuer.map(|issuer| &issuer.requirements);
    let role = policy.of_role(role.as_str()).map(|role| &role.requirements);
    policy.requirements.iter().chain(issuer.into_iter().flatten()).chain(role.into_iter().flatten())
}

fn refuse_somebody_else(user: &Claim, login: &Login, role: &Role) -> Result<(), Refusal> {
    let field = login.claim.written();
    let Claim::Text(identity) = user else { return Err(Refusal::not_a_user(field, user)) };
    match mapping::check(&login.mapping, identity, role) {
        Ok(()) => Ok(()),
        Err(Misfit::SomebodyElse) => Err(Refusal::somebody_else(field, user)),
        Err(misfit) => Err(Refusal::misfit(field, user, misfit)),
    }
}

/// Many issuers let people write any address into their account. Only `email_verified` beside
/// it (OpenID Connect Core 1.0 section 5.1) says whose it is; the text "true" says nothing.
fn refuse_unverified_email(claims: &Claims, path: &ClaimPath) -> Result<(), Refusal> {
    const VERIFIED: &str = "email_verified";
    let is_address = |name: &str| ["email", "emails"].iter().any(|n| name.eq_ignore_ascii_case(n));
    let verified = match path {
        ClaimPath::Member(name) if is_address(name) => claims.find(VERIFIED),
        ClaimPath::Member(_) => return Ok(()),
        // Also `/emails/0`: what counts is beside the address or the list of them.
        ClaimPath::Pointer { tokens, written: _ } => {
            match tokens.iter().position(|token| is_address(token)) {
                Some(at) => {
                    let above = tokens.get(..at).unwrap_or_default();
                    claims.at(&[above, &[VERIFIED.to_owned()]].concat())
                }
                None => return Ok(()),
            }
        }
    };
    match verified {
        Some(Claim::Flag(true)) => Ok(()),
        other => Err(Refusal::unverified_email(path.written(), other)),
    }
}

fn holds(test: &Test, claim: &Claim) -> bool {
    match (test, claim) {
        (Test::Is(texts), claim) => texts.iter().any(|text| claim.matches(text)),
        (Test::Contains(texts), Claim::List(items)) => {
            texts.iter().any(|text| items.iter().any(|item| item.matches(text)))
        }
        // Scopes (RFC 6749 section 3.3): a blank and nothing else stands between two.
        (Test::Contains(texts), Claim::Text(words)) => {
            texts.iter().any(|text| words.split(' ').any(|word| word == text))
        }
        (Test::Matches(expression), Claim::Text(text)) => expression.matches(text),
        (Test::Contains(_) | Test::Matches(_), _) => false,
    }
}

/// What was authorized a moment ago, for the same role.
pub(crate) fn again(verdict: &Verified<Verdict>, role: &Role) -> Result<Authorized, Refusal> {
    // The role is part of what a verdict is found by; here it is checked where it counts.
    if verdict.role() == role.as_str() {
        Ok(Authorized { role: role.clone() })
    } else {
        Err(Refusal::NoVerdict)
    }
}

#[cfg(test)]
mod tests;
