//! A JWT, verified with the keys of its issuer. With warm keys this opens no socket.

use super::{Admission, Login, Surroundings, Way, must_ask, online, redactor};
use crate::authorize::authorize;
use crate::error::Refusal;
use crate::facts::Facts;
use crate::journal::Text;
use crate::keys::Keys;
use crate::policy::{RolePolicy, TrustedIssuer};
use crate::verify::jwt::UnverifiedJwt;

/// Header, key, signature, claims, rules; and the service as well, where the role asks for it.
pub(super) fn admit(
    login: &Login,
    around: &Surroundings<'_>,
    special: Option<&RolePolicy>,
    issuer: &TrustedIssuer,
    jwt: UnverifiedJwt<'_>,
) -> Result<Admission, Refusal> {
    let Login { policy, role, .. } = login;
    let broken = |fault| Refusal::of_issuer(&issuer.jwt.issuer, fault);
    around.journal.step("route", || {
        Text::ours("a JWT of the issuer ").foreign(issuer.jwt.issuer.name()).and(": verified here")
    });
    let header = jwt.header(issuer.jwt.typ).map_err(broken)?;
    let redactor = redactor(login);
    let keys = Keys {
        issuer: &issuer.jwt,
        limits: &policy.limits,
        cache: around.cache,
        carrier: around.carrier,
        clock: &around.clock,
        deadline: around.deadline,
        journal: around.journal,
        redactor: &redactor,
    };
    let found = keys.find(header.wanted())?;
    around.journal.step("key", || {
        Text::ours(format!("{} ", header.algorithm_name()))
            .foreign(found.key.id().unwrap_or("(without a name)"))
    });
    let now = around.clock.now();
    let claims =
        jwt.verify(&header, &found.key, &issuer.jwt, policy.limits.leeway, now).map_err(broken)?;
    around.journal.step("signature", || Text::ours("signature and times of the JWT are good"));
    let facts = Facts::of(&claims, &policy.login_of(Some(issuer)).claim, now);
    around.journal.step("claims", || facts.told());
    let authorized = authorize(&claims, role, policy, Some(issuer))?;
    around.journal.step("rules", || Text::ours("the claims fulfil every rule for this role"));
    let way = Way::Jwt { keys: found.origin, confirmed: must_ask(special) };
    if must_ask(special) {
        online::confirm(login, around)?;
    }
    Ok(Admission { authorized, facts, way })
}
