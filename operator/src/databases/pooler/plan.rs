//! What is to be done in one database so that the pooler can ask. Pure.
//!
//! In: who asks where, and what is there. Out: steps, or why nothing can be done and what to do
//! about it.

use std::collections::BTreeSet;
use std::fmt;

use teams_sync::role::RoleName;

use super::Lookup;
use super::observed::{Function, Grantee, Name};

/// One statement.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Step {
    CreateSchema,
    /// It is not the superuser's, or gives something of another type.
    DropFunction,
    CreateFunction,
    ReplaceFunction,
    /// To the superuser that we are.
    TakeFunction,
    RevokeFrom(Grantee),
    GrantExecute,
    GrantUsage,
}

/// None if everything is right. From `spared` nothing is taken.
///
/// # Errors
/// What somebody has to do first. Nothing of what is there is trusted or changed then.
pub(super) fn plan(
    lookup: &Lookup,
    spared: &BTreeSet<RoleName>,
    there: &Function,
) -> Result<Vec<Step>, String> {
    let Lookup { user, schema } = lookup;
    if !there.has_user {
        return Err(format!("the role {user} does not exist yet"));
    }
    let other = "drop the schema, or set connectionPooler.schema to another name";
    let function = [Step::CreateFunction, Step::GrantExecute];
    let Some(own) = &there.schema else {
        return Ok([Step::CreateSchema, Step::GrantUsage].into_iter().chain(function).collect());
    };
    if !own.owner.is_superuser {
        let owner = own.owner.name.shown();
        return Err(format!(
            "the schema {schema} belongs to {owner}, who could put any function into it: it is not used; {other}"
        ));
    }
    if let Some(creator) = own.creators.first() {
        let creator = creator.shown();
        return Err(format!(
            "{creator} may make functions in the schema {schema}: it is not used; revoke CREATE, {other}"
        ));
    }
    if there.strangers > 0 {
        return Err(format!(
            "there are {} other functions user_lookup in the schema {schema} that are no superuser's: it is not used; {other}",
            there.strangers
        ));
    }
    let mut steps = Vec::new();
    if !own.is_usable {
        steps.push(Step::GrantUsage);
    }
    let Some(lookup) = &there.lookup else {
        steps.extend(function);
        return Ok(steps);
    };
    if !lookup.owner.is_superuser || !lookup.is_replaceable {
        steps.push(Step::DropFunction);
        steps.extend(function);
        return Ok(steps);
    }
    if !lookup.is_right {
        steps.push(Step::ReplaceFunction);
    }
    if !lookup.is_ours {
        steps.push(Step::TakeFunction);
    }
    let is_spared = |asker: &&Grantee| {
        let name = asker.0.as_ref().and_then(Name::text);
        name.is_some_and(|name| spared.iter().any(|role| role.as_str() == name))
    };
    let strangers = lookup.askers.iter().filter(|asker| !is_spared(asker));
    steps.extend(strangers.cloned().map(Step::RevokeFrom));
    if !lookup.is_granted {
        steps.push(Step::GrantExecute);
    }
    Ok(steps)
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateSchema => f.write_str("create the schema of the pooler"),
            Self::DropFunction => f.write_str("drop the user_lookup of somebody else"),
            Self::CreateFunction => f.write_str("create user_lookup of the pooler"),
            Self::ReplaceFunction => f.write_str("correct user_lookup of the pooler"),
            Self::TakeFunction => f.write_str("own user_lookup of the pooler"),
            Self::RevokeFrom(grantee) => {
                write!(f, "revoke user_lookup of the pooler from {}", grantee.shown())
            }
            Self::GrantExecute => f.write_str("grant user_lookup to the pooler"),
            Self::GrantUsage => f.write_str("grant the schema of the pooler to it"),
        }
    }
}
