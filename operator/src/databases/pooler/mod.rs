//! What a pooler asks each database: the verifier of a user's password, by one function in a schema
//! of its own.
//!
//! In: the role of the pooler, the name of the schema, and the connection string of a superuser.
//! Out: what was changed, or would be, and what stands in the way, by database. The function knows
//! no superuser, nobody who replicates, and nobody who may not log in; it belongs to the superuser,
//! and nobody but the pooler may ask it. Where nothing is missing, nothing is written.
//!
//! Whoever owns a database may have made a schema and a function of these names before us: they are
//! not used, not changed, and told of. The one thing that is ever dropped is a function of this
//! name in a schema of the superuser that somebody else made there, another operator included.

mod observed;
mod plan;
mod sql;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{self, Stream, StreamExt};
use teams_sync::connect::{Dsn, Session, connect, describe};
use teams_sync::role::RoleName;
use tokio::time::{Instant, timeout_at};

use super::names::SchemaName;
use super::report::SyncError;
use super::sync::{GOODBYE, Limits, MAINTENANCE, Mode, SIDE_BY_SIDE, read};
use observed::{Database, Function, Server};
use plan::{Step, plan};

/// Who asks, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lookup {
    pub user: RoleName,
    pub schema: SchemaName,
}

/// Everything that is to be told.
#[derive(Debug, Default)]
pub struct LookupReport {
    /// Done, or to be done where nothing was applied: one line each, in the order of databases.
    pub changes: Vec<String>,
    /// What could not be done, by database.
    pub problems: Vec<String>,
    /// Databases that nobody can log in to, neither we nor a pooler.
    pub skipped: Vec<String>,
    /// Why nothing could be done at all.
    pub error: Option<SyncError>,
    /// Whether it is right in the database that the image of the reference asks, whoever logs in.
    pub answers: bool,
}

/// For all databases together: a server with many that do not answer must not keep the rest of a
/// look at a cluster from its end.
const ALL: Duration = Duration::from_secs(300);

/// A change may bring privileges that somebody made the default.
const ROUNDS: usize = 3;

/// Gives every database of a server the function, or says what would be done. `dsn` is that of a
/// superuser; `spared` may ask as well, where they may already.
pub async fn sync(
    dsn: &Dsn,
    lookup: &Lookup,
    spared: &BTreeSet<RoleName>,
    limits: Limits,
    mode: Mode,
) -> LookupReport {
    let mut report = LookupReport::default();
    let listed = tokio::time::timeout(limits.pass, list(dsn, limits, mode)).await;
    let databases = match listed.unwrap_or(Err(SyncError::Timeout(limits.pass))) {
        Ok(databases) => databases,
        Err(error) => return LookupReport { error: Some(error), ..report },
    };
    let (open, closed): (Vec<_>, Vec<_>) = databases.iter().partition(|one| one.connects);
    report.skipped = closed.into_iter().map(Database::shown).collect();
    let (locked, open): (Vec<_>, Vec<_>) = open.into_iter().partition(|one| one.is_locked);
    report.problems.extend(locked.into_iter().map(|one| {
        format!("database {}: somebody has it locked, as for ALTER DATABASE", one.shown())
    }));
    // Boxed, so that the compiler sees that all of it may move between threads.
    let each = open.iter().map(|database| {
        let pass = Pass { dsn, lookup, spared, limits, mode };
        async move { pass.database(database).await }.boxed()
    });
    let each: Vec<_> = each.collect();
    within(ALL, &open, stream::iter(each).buffered(SIDE_BY_SIDE), &mut report).await;
    report
}

/// Takes what comes of these databases, in their order, for so long.
async fn within(
    limit: Duration,
    databases: &[&Database],
    mut outcomes: impl Stream<Item = Result<Vec<String>, String>> + Unpin,
    report: &mut LookupReport,
) {
    let end = Instant::now() + limit;
    for (at, database) in databases.iter().enumerate() {
        let name = database.shown();
        match timeout_at(end, outcomes.next()).await {
            Ok(Some(Ok(changes))) => {
                report.answers |= database.name().as_deref() == Some(MAINTENANCE);
                report.changes.extend(changes.into_iter().map(|one| format!("{one} in {name}")));
            }
            Ok(Some(Err(reason))) => report.problems.push(format!("database {name}: {reason}")),
            Ok(None) => return,
            Err(_elapsed) => {
                let left: Vec<String> = databases.iter().skip(at).map(|one| one.shown()).collect();
                return report.problems.push(format!(
                    "not done with all databases within {limit:?}, these are left: {}",
                    left.join(", ")
                ));
            }
        }
    }
}

/// Every database that is no template of the server itself.
async fn list(dsn: &Dsn, limits: Limits, mode: Mode) -> Result<Vec<Database>, SyncError> {
    let session = connect(dsn, MAINTENANCE, limits.connect).await?;
    let text = sql::list(limits.lock, limits.statement);
    let server: Server = read(&session, &text).await.map_err(SyncError::Catalog)?;
    if server.in_recovery {
        return Err(SyncError::Standby(session.server().to_owned()));
    }
    if server.read_only && mode == Mode::Apply {
        return Err(SyncError::ReadOnly(session.server().to_owned()));
    }
    session.close(GOODBYE).await;
    Ok(server.databases)
}

struct Pass<'a> {
    dsn: &'a Dsn,
    lookup: &'a Lookup,
    spared: &'a BTreeSet<RoleName>,
    limits: Limits,
    mode: Mode,
}

impl Pass<'_> {
    /// One database, with limits of its own.
    async fn database(&self, database: &Database) -> Result<Vec<String>, String> {
        let limit: Duration = self.limits.pass;
        let work = tokio::time::timeout(limit, self.in_database(database)).await;
        work.unwrap_or_else(|_elapsed| Err(format!("not done within {limit:?}")))
    }

    async fn in_database(&self, database: &Database) -> Result<Vec<String>, String> {
        let name = database.name().ok_or("its name is no UTF-8, and it is left out")?;
        let session = connect(self.dsn, &name, self.limits.connect).await;
        let session = session.map_err(|error| error.to_string())?;
        batch(&session, &sql::pins(self.limits.lock, self.limits.statement)).await?;
        batch(&session, sql::BEGIN).await?;
        let changes = self.in_transaction(&session).await;
        let end = if changes.is_ok() { sql::COMMIT } else { sql::ROLLBACK };
        let ended = batch(&session, end).await;
        session.close(GOODBYE).await;
        let changes = changes?;
        ended.map(|()| changes)
    }

    /// Looks, changes, and looks again, until it is right: nothing else is committed.
    async fn in_transaction(&self, session: &Session) -> Result<Vec<String>, String> {
        let mut changes = Vec::new();
        for round in 0..=ROUNDS {
            let there: Function = read(session, &sql::observe(self.lookup)).await?;
            let steps = plan(self.lookup, self.spared, &there)?;
            if round == ROUNDS && !steps.is_empty() {
                return Err(never_right(&steps));
            }
            changes.extend(steps.iter().map(Step::to_string));
            if steps.is_empty() || self.mode == Mode::Look {
                return Ok(changes);
            }
            for step in &steps {
                batch(session, &sql::statement(self.lookup, step)).await.map_err(|reason| {
                    format!("cannot {step}: {reason}; the next pass tries again")
                })?;
            }
        }
        Ok(changes)
    }
}

fn never_right(steps: &[Step]) -> String {
    let steps: Vec<String> = steps.iter().map(Step::to_string).collect();
    format!(
        "what was done {ROUNDS} times is still to be done: {}; somebody's default privileges or an event trigger may undo it",
        steps.join(", ")
    )
}

async fn batch(session: &Session, text: &str) -> Result<(), String> {
    let answer = session.batch(text).await;
    answer.map(drop).map_err(|error| session.end().unwrap_or_else(|| describe(&error)))
}
