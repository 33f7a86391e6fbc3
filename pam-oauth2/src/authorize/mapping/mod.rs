//! Which role does the value of a login claim reach? Pure.

use std::borrow::Cow;

use crate::policy::{MapIdentity, MapLine, Mapping};
use crate::role::Role;

/// PostgreSQL keeps these names for itself; nobody should come near one by a mapping.
const RESERVED_PREFIX: &str = "pg_";

/// Why an identity is not the role that is asked for. Reads on from the login claim.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Misfit {
    #[error("the expression of the rules (capture) does not match it")]
    Capture,
    #[error("it is not one name with @ and a domain that the rules take away (strip-domain)")]
    Domain,
    #[error("the map of the rules gives it no such role")]
    Map,
    #[error("the role is reserved: no mapping reaches it, whoever the token is for")]
    Reserved,
    #[error("it is another role")]
    SomebodyElse,
    #[error("what the rules make of it is no name that a role can have")]
    Unusable,
}

/// Whether `identity` is `role`: byte for byte where nothing is mapped, and otherwise what the
/// steps make of it, in their order.
pub(super) fn check(mapping: &Mapping, identity: &str, role: &Role) -> Result<(), Misfit> {
    if !mapping.rewrites() {
        return same(identity, role);
    }
    let Mapping { strip_domain, lower_case, capture, map, reserved } = mapping;
    if is_reserved(role.as_str(), reserved) {
        return Err(Misfit::Reserved);
    }
    let mut name = Cow::Borrowed(identity);
    if !strip_domain.is_empty() {
        name = Cow::Borrowed(without_domain(identity, strip_domain).ok_or(Misfit::Domain)?);
    }
    if *lower_case {
        name.to_mut().make_ascii_lowercase();
    }
    if let Some(expression) = capture {
        let group = expression.first_group(&name).ok_or(Misfit::Capture)?;
        name = Cow::Owned(group.to_owned());
    }
    if let Some(lines) = map {
        let reached = lines.iter().any(|line| gives(line, &name, role));
        return if reached { Ok(()) } else { Err(Misfit::Map) };
    }
    if name.is_empty() || Role::parse(name.as_bytes().to_vec()).is_err() {
        return Err(Misfit::Unusable);
    }
    same(&name, role)
}

/// An empty name is nobody's.
fn same(name: &str, role: &Role) -> Result<(), Misfit> {
    if !name.is_empty() && name == role.as_str() { Ok(()) } else { Err(Misfit::SomebodyElse) }
}

fn is_reserved(role: &str, reserved: &[String]) -> bool {
    role.starts_with(RESERVED_PREFIX) || reserved.iter().any(|name| name == role)
}

/// What stands before the only `@`, where one of the domains is all that stands behind it.
fn without_domain<'a>(identity: &'a str, domains: &[String]) -> Option<&'a str> {
    let (name, domain) = identity.split_once('@')?;
    // No domain holds an `@`, so that a second one in the identity fits none.
    domains.iter().any(|own| own.eq_ignore_ascii_case(domain)).then_some(name)
}

fn gives(line: &MapLine, name: &str, role: &Role) -> bool {
    let given = match &line.identity {
        MapIdentity::Exactly(identity) if identity == name => Cow::Borrowed(line.role.as_str()),
        MapIdentity::Matching(expression) if expression.matches(name) => {
            match (line.role.split_once(MapLine::GROUP), expression.first_group(name)) {
                (None, _) => Cow::Borrowed(line.role.as_str()),
                (Some((before, behind)), Some(group)) => {
                    Cow::Owned(format!("{before}{group}{behind}"))
                }
                (Some(_), None) => return false,
            }
        }
        MapIdentity::Exactly(_) | MapIdentity::Matching(_) => return false,
    };
    same(&given, role).is_ok()
}

#[cfg(test)]
mod tests;
