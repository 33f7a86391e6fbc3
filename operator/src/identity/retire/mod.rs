//! The users of former passwords: dropped when nobody should use them any more.
//!
//! A role goes only if its name is that of a role of the manifest with a day behind it, it is a
//! member of that role, and nothing asks for it. One that owns something stays, and is told of.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use teams_sync::connect::{Dsn, Session, connect, describe};
use teams_sync::desired::Desired;
use teams_sync::sql::{literal, quote_identifier};
use teams_sync::sync::{Engine, last_text};

use crate::config::Config;
use crate::roles::ManifestRoles;
use crate::rotation::expired;

/// What came of it, one line each.
#[derive(Debug, Default)]
pub(super) struct Retired {
    pub(super) dropped: Vec<String>,
    pub(super) problems: Vec<String>,
}

/// A member of a role of the manifest.
#[derive(Debug, Deserialize)]
struct Member {
    of: String,
    name: String,
}

/// Looks for them on one server, and drops them unless `is_dry_run`.
pub(super) async fn retire(
    dsn: &Dsn,
    engine: &Engine,
    config: &Config,
    roles: &ManifestRoles,
    desired: &Desired,
    is_dry_run: bool,
) -> Retired {
    let mut retired = Retired::default();
    let bases: BTreeSet<&str> = roles.secrets().map(|(name, _)| name.as_str()).collect();
    // Where nobody is rotated, nobody has to be looked for.
    let is_of_a_day = |name: &str| {
        let (base, day) = name.split_at_checked(name.len().saturating_sub(6)).unwrap_or_default();
        day.len() == 6 && day.bytes().all(|byte| byte.is_ascii_digit()) && bases.contains(base)
    };
    let has_rotated = desired.roles.keys().any(|name| is_of_a_day(name.as_str()));
    if bases.is_empty() || (!config.secrets.enable_password_rotation && !has_rotated) {
        return retired;
    }
    let work = on_server(dsn, engine, config, &bases, desired, is_dry_run, &mut retired);
    // A server can let us in and say nothing more, for as long as it likes.
    match tokio::time::timeout(engine.pass_limit, work).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => retired.problems.push(error),
        Err(_elapsed) => {
            let limit = engine.pass_limit;
            retired.problems.push(format!(
                "the server did not say within {limit:?} which users of former passwords it has"
            ));
        }
    }
    retired
}

async fn on_server(
    dsn: &Dsn,
    engine: &Engine,
    config: &Config,
    bases: &BTreeSet<&str>,
    desired: &Desired,
    is_dry_run: bool,
    retired: &mut Retired,
) -> Result<(), String> {
    let session = connect(dsn, &engine.database, engine.connect_limit).await;
    let session = session.map_err(|error| error.to_string())?;
    let members = members(&session, bases).await?;
    for name in gone(&members, bases, desired, config) {
        let line = format!("drop the user {name} of a former password");
        if is_dry_run {
            retired.dropped.push(line);
            continue;
        }
        match drop_role(&session, &name).await {
            Ok(()) => retired.dropped.push(line),
            Err(error) => retired.problems.push(format!("cannot {line}: {error}")),
        }
    }
    session.close(engine.connect_limit).await;
    Ok(())
}

/// The session is in a database that somebody else may own, with settings of her choice.
const PINS: &str = "set role none; set search_path = pg_catalog; \
     set statement_timeout = '30s'; set lock_timeout = '5s'";

async fn drop_role(session: &Session, name: &str) -> Result<(), String> {
    let statement = format!("drop role {}", quote_identifier(name));
    session.batch(&statement).await.map(drop).map_err(|error| describe(&error))
}

fn gone(
    members: &[Member],
    bases: &BTreeSet<&str>,
    desired: &Desired,
    config: &Config,
) -> Vec<String> {
    let now = Timestamp::now();
    let mut all = Vec::new();
    for base in bases {
        let existing = members.iter().filter(|member| member.of == *base);
        let existing = existing.map(|member| member.name.as_str());
        // Whoever the Secret is for is wanted, and so is no longer looked at here.
        let unwanted =
            existing.filter(|name| !desired.roles.keys().any(|own| own.as_str() == *name));
        all.extend(expired(unwanted, base, base, now, config));
    }
    all
}

async fn members(session: &Session, bases: &BTreeSet<&str>) -> Result<Vec<Member>, String> {
    let names: Vec<String> = bases.iter().map(|name| literal(name)).collect();
    let query = format!(
        "{PINS}; select coalesce(json_agg(json_build_object('of', base.rolname, 'name', own.rolname)), '[]') \
         from pg_auth_members m join pg_roles base on base.oid = m.roleid \
         join pg_roles own on own.oid = m.member where base.rolname in ({})",
        names.join(", ")
    );
    let answer = session.batch(&query).await.map_err(|error| describe(&error))?;
    let text = last_text(&answer).ok_or("the catalog gives no row")?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
