//! One pass: look at the server, make databases, and then look into each prepared one and add what
//! it lacks.
//!
//! Databases are worked on side by side, each in a session of its own and with limits of its own:
//! one where somebody holds a lock, or which takes no connections, is a problem of that one alone.
//! Each step is committed for itself, so a crash leaves less to do for the next pass.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use teams_sync::connect::{Dsn, Session, connect, describe};
use teams_sync::role::RoleName;
use teams_sync::sync::last_text;

use super::names::{DatabaseName, SchemaName};
use super::observed::{Catalog, Server};
use super::plan::{self, Plan, Planned, Step};
use super::report::{DatabaseReport, Problem, SyncError};
use super::sql;
use super::wanted::{Prepared, Wanted};

/// Where databases are made from.
pub(super) const MAINTENANCE: &str = "postgres";
/// Sessions at a time.
pub(super) const SIDE_BY_SIDE: usize = 4;
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a connection, login included.
    pub connect: Duration,
    /// For somebody else's lock (`lock_timeout`).
    pub lock: Duration,
    /// For one statement (`statement_timeout`); a new database is copied in one.
    pub statement: Duration,
    /// For everything about the list of databases, and then again for everything in one of them.
    pub pass: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            lock: Duration::from_secs(5),
            statement: Duration::from_secs(120),
            pass: Duration::from_secs(300),
        }
    }
}

/// Whether anything may change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    Look,
    Apply,
}

/// Brings the databases of a server in line, or says what would be done. `dsn` is that of a
/// superuser.
///
/// # Guarantees
/// Nothing is dropped or revoked. Where nothing is missing, nothing is written.
pub async fn sync(dsn: &Dsn, wanted: &Wanted, limits: Limits, mode: Mode) -> DatabaseReport {
    let mut report = DatabaseReport::default();
    if wanted.databases.is_empty() && wanted.prepared.is_empty() {
        return report;
    }
    let pass = Pass { dsn, wanted, limits, mode };
    let mut part = Part::default();
    let on_server = tokio::time::timeout(limits.pass, pass.server(&mut part)).await;
    let done = on_server.unwrap_or(Err(SyncError::Timeout(limits.pass)));
    report.changes.append(&mut part.changes);
    let mut problems = part.problems;
    match done {
        Err(error) => report.error = Some(error),
        Ok(server) => {
            // Boxed, so that the compiler sees that all of it may move between threads.
            let mut each = Vec::new();
            for (name, prepared) in &wanted.prepared {
                if !part.blocked.contains(name) {
                    each.push(pass.prepared(&server, name, prepared).boxed());
                }
            }
            // In the order of names, whoever is done first.
            let mut parts = stream::iter(each).buffered(SIDE_BY_SIDE);
            while let Some(mut part) = parts.next().await {
                report.changes.append(&mut part.changes);
                problems.append(&mut part.problems);
            }
        }
    }
    report.problems = problems.into_iter().collect();
    report
}

struct Pass<'a> {
    dsn: &'a Dsn,
    wanted: &'a Wanted,
    limits: Limits,
    mode: Mode,
}

/// What was done so far; it outlives a pass that is cut off.
#[derive(Default)]
struct Part {
    changes: Vec<String>,
    problems: BTreeSet<Problem>,
    /// Databases that are not as they should be.
    blocked: BTreeSet<DatabaseName>,
}

impl Pass<'_> {
    /// Databases and their owners.
    async fn server(&self, part: &mut Part) -> Result<Server, SyncError> {
        let session = connect(self.dsn, MAINTENANCE, self.limits.connect).await?;
        let text = sql::observe_server(self.wanted, self.limits.lock, self.limits.statement);
        let server: Server = read(&session, &text).await.map_err(SyncError::Catalog)?;
        if server.in_recovery {
            return Err(SyncError::Standby(session.server().to_owned()));
        }
        if server.read_only && self.mode == Mode::Apply {
            return Err(SyncError::ReadOnly(session.server().to_owned()));
        }
        let plan = plan::of_server(self.wanted, &server);
        part.blocked.extend(plan.blocked.iter().cloned());
        self.apply(&session, plan, part).await;
        session.close(GOODBYE).await;
        Ok(server)
    }

    /// One prepared database.
    async fn prepared(&self, server: &Server, name: &DatabaseName, prepared: &Prepared) -> Part {
        let mut part = Part::default();
        let work = self.in_database(server, name, prepared, &mut part);
        let reason = match tokio::time::timeout(self.limits.pass, work).await {
            Ok(Ok(())) => None,
            Ok(Err(reason)) => Some(reason),
            Err(_elapsed) => Some(format!("not done within {:?}", self.limits.pass)),
        };
        if let Some(reason) = reason {
            let (database, field) = (name.clone(), plan::field(name));
            part.problems.insert(Problem { database, field, reason });
        }
        part
    }

    async fn in_database(
        &self,
        server: &Server,
        name: &DatabaseName,
        prepared: &Prepared,
        part: &mut Part,
    ) -> Result<(), String> {
        let owner = self.wanted.databases.get(name).unwrap_or(&prepared.owner);
        let make = |catalog: &Catalog| plan::of_database(name, prepared, owner, server, catalog);
        if self.mode == Mode::Look && !server.databases.contains_key(name.as_str()) {
            // It would have what its template has, which is not looked into.
            part.foresee(make(&Catalog::of_new(&prepared.extensions)));
            return Ok(());
        }
        let session = connect(self.dsn, name.as_str(), self.limits.connect).await;
        let session = session.map_err(|error| error.to_string())?;
        let roles: BTreeSet<RoleName> = self.wanted.roles();
        let Limits { lock, statement, .. } = self.limits;
        let text = sql::observe_database(prepared, &roles, lock, statement);
        let catalog: Catalog = read(&session, &text).await?;
        self.apply(&session, make(&catalog), part).await;
        session.close(GOODBYE).await;
        Ok(())
    }

    async fn apply(&self, session: &Session, plan: Plan, part: &mut Part) {
        if self.mode == Mode::Look {
            return part.foresee(plan);
        }
        part.problems.extend(plan.problems);
        let mut without: BTreeSet<SchemaName> = BTreeSet::new();
        for planned in plan.steps {
            // What cannot work is one problem and not ten.
            if planned.step.schema().is_some_and(|schema| without.contains(schema)) {
                continue;
            }
            match step(session, &planned).await {
                Ok(()) => part.changes.push(planned.to_string()),
                Err(reason) => {
                    if let Step::CreateSchema { schema, .. } = &planned.step {
                        without.insert(schema.clone());
                    }
                    part.blocked.insert(planned.database.clone());
                    let Planned { database, field, .. } = planned;
                    part.problems.insert(Problem { database, field, reason });
                    if session.end().is_some() {
                        return;
                    }
                }
            }
        }
    }
}

impl Part {
    fn foresee(&mut self, plan: Plan) {
        self.problems.extend(plan.problems);
        self.changes.extend(plan.steps.iter().map(ToString::to_string));
    }
}

/// One step, all of it or nothing.
async fn step(session: &Session, planned: &Planned) -> Result<(), String> {
    let _before = session.take_warnings();
    let Err(error) = session.batch(&sql::statement(planned)).await else {
        // Such as 01007: the server took a GRANT and granted nothing.
        return match session.take_warnings().into_iter().next() {
            None => Ok(()),
            Some(warning) => {
                Err(format!("{planned}: the server warns: {}", warning.message.escape_debug()))
            }
        };
    };
    let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
    let said = session.end().unwrap_or_else(|| describe(&error));
    if error.as_db_error().is_some() {
        // It fails where the connection is gone, which whoever comes next finds out.
        let _ended = session.batch(sql::ROLLBACK).await;
    }
    Err(format!("cannot {planned}: {said}{}", advice(&code, &planned.step)))
}

/// What to do about it, where there is something.
fn advice(sqlstate: &str, step: &Step) -> &'static str {
    match (sqlstate, step) {
        ("42501", Step::CreateExtension { .. }) => {
            "; the owner of the database may not install it, so list it in extwlist.extension, or \
             let a superuser create it by hand"
        }
        ("42501", Step::CreateSchema { .. }) => {
            "; the owner of the database has to be a member of the owner of the schema"
        }
        ("55P03", _) => "; somebody holds a lock, and the next pass tries again",
        ("42P04" | "40001" | "40P01" | "23505" | "XX000", _) => {
            "; somebody else changed it meanwhile, and the next pass looks again"
        }
        ("55006", Step::CreateDatabase { .. }) => "; end the sessions in template1",
        _ => "",
    }
}

/// One value of JSON, as the last of these statements has it.
pub(super) async fn read<T: serde::de::DeserializeOwned>(
    session: &Session,
    query: &str,
) -> Result<T, String> {
    let answer = session.batch(query).await;
    let answer = answer.map_err(|error| session.end().unwrap_or_else(|| describe(&error)))?;
    let text = last_text(&answer).ok_or("no row, or one that is no UTF-8")?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}
