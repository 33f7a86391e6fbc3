//! The user of a rotation has the settings of its role (`ALTER ROLE ... SET`), which nobody
//! inherits by being a member: what somebody set for `foo_user` holds for `foo_user241125` too.
//!
//! In: pairs of a role and its user of the day. Out: what was copied. Never: a setting of the
//! user that is there already, and none that would change who she is.

use std::time::Duration;

use serde::Deserialize;
use teams_sync::connect::{Dsn, Session, connect, describe};
use teams_sync::role::RoleName;
use teams_sync::sql::{literal, quote_identifier};
use teams_sync::sync::{Engine, last_text};

/// For all of it.
const LIMIT: Duration = Duration::from_secs(30);
/// These say who somebody is.
const NEVER: [&str; 2] = ["role", "session_authorization"];

/// What came of it, one line each.
#[derive(Debug, Default)]
pub(super) struct Copied {
    pub(super) done: Vec<String>,
    pub(super) problems: Vec<String>,
}

/// A setting that the user lacks.
#[derive(Debug, Deserialize)]
struct Missing {
    user: String,
    /// `name=value`.
    entry: String,
}

/// Copies what is missing on one server, unless `is_dry_run`. `users`: a role, and its user of
/// the day.
pub(super) async fn copy(
    dsn: &Dsn,
    engine: &Engine,
    users: &[(RoleName, RoleName)],
    is_dry_run: bool,
) -> Copied {
    if users.is_empty() {
        return Copied::default();
    }
    let query = query(users);
    let work = on_server(dsn, engine, &query, is_dry_run);
    tokio::time::timeout(LIMIT, work).await.unwrap_or_else(|_late| Copied {
        problems: vec!["copying the settings of rotated users took too long".to_owned()],
        ..Copied::default()
    })
}

async fn on_server(dsn: &Dsn, engine: &Engine, query: &str, is_dry_run: bool) -> Copied {
    let mut copied = Copied::default();
    let session = match connect(dsn, &engine.database, engine.connect_limit).await {
        Ok(session) => session,
        Err(error) => {
            copied.problems.push(error.to_string());
            return copied;
        }
    };
    match missing(&session, query).await {
        Ok(all) => {
            for one in all {
                let Some((name, statement)) = statement(&one) else { continue };
                let line = format!("set {} for {}", name.escape_debug(), one.user.escape_debug());
                match if is_dry_run { Ok(()) } else { set(&session, &statement).await } {
                    Ok(()) => copied.done.push(line),
                    Err(error) => copied.problems.push(format!("cannot {line}: {error}")),
                }
            }
        }
        Err(error) => copied.problems.push(error),
    }
    session.close(engine.connect_limit).await;
    copied
}

fn query(users: &[(RoleName, RoleName)]) -> String {
    let pairs: Vec<String> = users
        .iter()
        .map(|(role, user)| format!("({}, {})", literal(role.as_str()), literal(user.as_str())))
        .collect();
    format!(
        "set search_path = pg_catalog; set statement_timeout = '20s'; set lock_timeout = '5s'; \
         select coalesce(json_agg(json_build_object('user', pair.of_the_day, 'entry', own.entry)), '[]') \
         from (values {}) as pair(base, of_the_day) \
         join pg_roles base on base.rolname = pair.base \
         join pg_roles of_the_day on of_the_day.rolname = pair.of_the_day \
         cross join lateral (select entry from unnest(base.rolconfig) as entry limit 100) own \
         where not exists (select from unnest(of_the_day.rolconfig) as has \
             where split_part(has, '=', 1) = split_part(own.entry, '=', 1))",
        pairs.join(", ")
    )
}

async fn missing(session: &Session, query: &str) -> Result<Vec<Missing>, String> {
    let answer = session.batch(query).await.map_err(|error| describe(&error))?;
    let text = last_text(&answer).ok_or("the catalog gives no row")?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

async fn set(session: &Session, statement: &str) -> Result<(), String> {
    let done = session.batch(statement).await.map(drop).map_err(|error| describe(&error));
    if done.is_err() {
        // Out of the transaction that failed; a session that is gone needs no end.
        let _ended = session.batch("rollback").await;
    }
    done
}

/// The name of the setting, and what sets it. A value is taken over as it is, lists and quotes
/// included: for the moment of the transaction it is ours, and `FROM CURRENT` writes it down.
fn statement(missing: &Missing) -> Option<(&str, String)> {
    let (name, value) = missing.entry.split_once('=')?;
    if NEVER.iter().any(|never| name.eq_ignore_ascii_case(never)) {
        return None;
    }
    // A name with dots has parts that are quoted one by one.
    let quoted: Vec<String> = name.split('.').map(quote_identifier).collect();
    let statement = format!(
        "begin; select pg_catalog.set_config({}, {}, true); alter role {} set {} from current; commit",
        literal(name),
        literal(value),
        quote_identifier(&missing.user),
        quoted.join(".")
    );
    Some((name, statement))
}

#[cfg(test)]
mod tests;
