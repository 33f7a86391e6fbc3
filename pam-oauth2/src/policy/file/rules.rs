//! `[[require]]` and `[[role]]`: what else has to hold.

use toml::Spanned;

use super::source::Source;
use super::tables::{self, Texts};
use super::user;
use super::values::{OneOrMore, Text};
use crate::policy::{ConfigFault, Expression, Requirement, RolePolicy, Test};
use crate::role::Role;

pub(super) fn requirements(
    source: &Source<'_>,
    tables: &[Spanned<tables::Require>],
) -> Result<Vec<Requirement>, ConfigFault> {
    tables.iter().map(|table| requirement(source, table)).collect()
}

fn requirement(
    source: &Source<'_>,
    table: &Spanned<tables::Require>,
) -> Result<Requirement, ConfigFault> {
    let tables::Require { claim, contains, equals, matches } = table.get_ref();
    let test = match (equals, contains, matches) {
        (Some(values), None, None) => Test::Is(source.parsed(values, some)?),
        (None, Some(values), None) => Test::Contains(source.parsed(values, some_not_empty)?),
        (None, None, Some(pattern)) => Test::Matches(source.text(pattern, Expression::parse)?),
        _ => {
            let what = "a requirement has exactly one of equals, contains and matches";
            return Err(source.wrong(&table.span(), what));
        }
    };
    Ok(Requirement { claim: user::claim(source, claim)?, test })
}

/// The policies of roles, no two for one name. `can_ask` says whether there is a service.
pub(super) fn roles(
    source: &Source<'_>,
    tables: &[Spanned<tables::Role>],
    can_ask: bool,
) -> Result<Vec<RolePolicy>, ConfigFault> {
    let mut roles: Vec<RolePolicy> = Vec::new();
    for table in tables {
        let role = role(source, table, can_ask)?;
        let mut earlier = roles.iter().flat_map(|role| &role.names);
        if let Some(name) = earlier.find(|name| role.names.contains(name)) {
            let what = format!("the role {name:?} has a table already; make one of the two");
            return Err(source.wrong(&table.get_ref().names.span(), what));
        }
        roles.push(role);
    }
    Ok(roles)
}

fn role(
    source: &Source<'_>,
    table: &Spanned<tables::Role>,
    can_ask: bool,
) -> Result<RolePolicy, ConfigFault> {
    let tables::Role { names, online, require } = table.get_ref();
    if *online && !can_ask {
        let what = "online needs somebody to ask: [SECTION.tokeninfo] or [SECTION.introspection]";
        return Err(source.wrong(&table.span(), what));
    }
    if !online && require.is_empty() {
        let what = "this table demands nothing; add online = true or [[SECTION.role.require]]";
        return Err(source.wrong(&table.span(), what));
    }
    Ok(RolePolicy {
        names: source.parsed(names, role_names)?,
        online: *online,
        requirements: requirements(source, require)?,
    })
}

fn role_names(names: &Texts) -> Result<Vec<String>, String> {
    if names.0.is_empty() || names.0.iter().any(String::is_empty) {
        return Err("a name is missing or empty".to_owned());
    }
    for name in &names.0 {
        Role::parse(name.clone().into_bytes())
            .map_err(|fault| format!("no role can be called {name:?}: {fault}"))?;
    }
    Ok(names.0.clone())
}

fn some(values: &OneOrMore<Text>) -> Result<Vec<String>, &'static str> {
    if values.0.is_empty() {
        return Err("the list is empty, so that nobody could log in; write a value");
    }
    Ok(values.0.iter().map(|Text(text)| text.clone()).collect())
}

/// An empty text would be contained wherever two blanks follow each other.
fn some_not_empty(values: &OneOrMore<Text>) -> Result<Vec<String>, &'static str> {
    let values = some(values)?;
    if values.iter().any(String::is_empty) {
        return Err("a value is empty, which nothing should have to contain");
    }
    Ok(values)
}
