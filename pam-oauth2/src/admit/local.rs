//! A JWT, verified with the keys of its issuer. With warm keys this opens no socket.

use super::{Admission, Login, Surroundings, Way, authorized, online};
use crate::error::Refusal;
use crate::facts::Facts;
use crate::journal::Text;
use crate::keys::Keys;
use crate::policy::TrustedIssuer;
use crate::verify::jwt::UnverifiedJwt;

/// Header, key, signature, claims, rules; and the service as well, where it `must_ask`.
pub(super) fn admit(
    login: &Login,
    around: &Surroundings<'_>,
    must_ask: bool,
    issuer: &TrustedIssuer,
    jwt: UnverifiedJwt<'_>,
) -> Result<Admission, Refusal> {
    let policy = &login.policy;
    let broken = |fault| Refusal::of_issuer(&issuer.jwt.issuer, fault);
    around.journal.step("route", || {
        Text::ours("a JWT of the issuer ").foreign(issuer.jwt.issuer.name()).and(": verified here")
    });
    let header = jwt.header(issuer.jwt.typ).map_err(broken)?;
    let redactor = login.redactor();
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
    let authorized = authorized(login, around, &claims, &facts, Some(issuer))?;
    if must_ask {
        online::confirm(login, around)?;
    }
    let way = Way::Jwt { keys: found.origin, confirmed: must_ask };
    Ok(Admission { authorized, facts, way })
}
