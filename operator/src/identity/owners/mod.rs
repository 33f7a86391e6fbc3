//! `additional_owner_roles`: owners of databases are members of these. Where somebody granted it
//! the other way round, by hand, PostgreSQL would refuse the circle, so that grant goes first.
//!
//! In: who owns databases by the manifest, and which roles the configuration names. Out: what was
//! revoked. Never: a membership of any other role.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use teams_sync::connect::{Dsn, Session, connect, describe};
use teams_sync::sql::{literal, quote_identifier};
use teams_sync::sync::{Engine, last_text};

use crate::config::Config;
use crate::roles::ManifestRoles;

/// For all of it.
const LIMIT: Duration = Duration::from_secs(30);

/// What came of it, one line each.
#[derive(Debug, Default)]
pub(super) struct Untangled {
    pub(super) revoked: Vec<String>,
    pub(super) problems: Vec<String>,
}

/// A membership the wrong way round. `grantor`: from PostgreSQL 16 on, each row has its own.
#[derive(Debug, Deserialize)]
struct Wrong {
    owner: String,
    additional: String,
    grantor: Option<String>,
}

/// Looks for such memberships on one server, and revokes them unless `is_dry_run`.
pub(super) async fn untangle(
    dsn: &Dsn,
    engine: &Engine,
    config: &Config,
    roles: &ManifestRoles,
    is_dry_run: bool,
) -> Untangled {
    let additional = names(config.identity.additional_owner_roles.iter().map(String::as_str));
    let owners = roles.roles.iter().filter(|(_, role)| role.is_database_owner);
    let owners = names(owners.map(|(name, _)| name.as_str()));
    if additional.is_empty() || owners.is_empty() {
        return Untangled::default();
    }
    let query = query(&owners, &additional);
    let work = on_server(dsn, engine, &query, is_dry_run);
    tokio::time::timeout(LIMIT, work).await.unwrap_or_else(|_late| Untangled {
        revoked: Vec::new(),
        problems: vec!["looking at additional_owner_roles took too long".to_owned()],
    })
}

fn names<'a>(all: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    all.map(literal).collect()
}

async fn on_server(dsn: &Dsn, engine: &Engine, query: &str, is_dry_run: bool) -> Untangled {
    let mut untangled = Untangled::default();
    let session = match connect(dsn, &engine.database, engine.connect_limit).await {
        Ok(session) => session,
        Err(error) => {
            untangled.problems.push(error.to_string());
            return untangled;
        }
    };
    match wrong(&session, query).await {
        Ok(all) => {
            for one in all {
                let line = line(&one);
                match if is_dry_run { Ok(()) } else { revoke(&session, &one).await } {
                    Ok(()) => untangled.revoked.push(line),
                    Err(error) => untangled.problems.push(format!("cannot {line}: {error}")),
                }
            }
        }
        Err(error) => untangled.problems.push(error),
    }
    session.close(engine.connect_limit).await;
    untangled
}

fn line(wrong: &Wrong) -> String {
    let (owner, additional) = (wrong.owner.escape_debug(), wrong.additional.escape_debug());
    format!("revoke {owner} from {additional}: it is to be the other way round")
}

/// The owners and the additional roles are literals.
fn query(owners: &BTreeSet<String>, additional: &BTreeSet<String>) -> String {
    let list = |all: &BTreeSet<String>| all.iter().cloned().collect::<Vec<_>>().join(", ");
    format!(
        "set search_path = pg_catalog; set statement_timeout = '20s'; set lock_timeout = '5s'; \
         set role none; \
         select coalesce(json_agg(json_build_object('owner', owner.rolname, \
             'additional', additional.rolname, 'grantor', case when \
             current_setting('server_version_num')::int >= 160000 then grantor.rolname end)), '[]') \
         from pg_auth_members m join pg_roles owner on owner.oid = m.roleid \
         join pg_roles additional on additional.oid = m.member \
         left join pg_roles grantor on grantor.oid = m.grantor \
         where owner.rolname in ({}) and additional.rolname in ({})",
        list(owners),
        list(additional)
    )
}

async fn wrong(session: &Session, query: &str) -> Result<Vec<Wrong>, String> {
    let answer = session.batch(query).await.map_err(|error| describe(&error))?;
    let text = last_text(&answer).ok_or("the catalog gives no row")?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

async fn revoke(session: &Session, wrong: &Wrong) -> Result<(), String> {
    session.batch(&statement(wrong)).await.map(drop).map_err(|error| describe(&error))
}

fn statement(wrong: &Wrong) -> String {
    let grantor = wrong.grantor.as_ref();
    let by = grantor.map(|name| format!(" granted by {}", quote_identifier(name)));
    format!(
        "revoke {} from {}{}",
        quote_identifier(&wrong.owner),
        quote_identifier(&wrong.additional),
        by.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests;
