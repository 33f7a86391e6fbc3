//! Does what is approved, inside the transaction that looked: statements in, outcomes out.
//!
//! Many roles are one round trip. When one of them fails, its part is rolled back to a savepoint
//! and done role by role, so that nobody suffers for somebody else. What a REVOKE only warns
//! about is a failure, too. Nothing is committed here.

mod passwords;

use std::collections::BTreeSet;

use tokio_postgres::error::SqlState;

use crate::approve::Approved;
use crate::connect::Session;
use crate::observed::Observed;
use crate::password::Checked;
use crate::plan::{Change, Phase, Planned};
use crate::role::{RoleName, marker};
use crate::sql;

/// Statements of so many roles go in one message: enough for round trips not to count, and few
/// enough to be done again one by one.
const ROLES_AT_ONCE: usize = 500;

/// What came of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    pub done: Vec<Planned>,
    pub failures: Vec<Failure>,
}

/// Something that a server refused.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Serialize)]
pub struct Failure {
    pub role: RoleName,
    /// What was to be done.
    pub change: String,
    pub sqlstate: String,
    /// What the server says, in one line.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(planned: &Planned, sqlstate: &str, message: &str) -> Self {
        Self {
            role: planned.role.clone(),
            change: planned.to_string(),
            sqlstate: sqlstate.to_owned(),
            message: message.escape_debug().to_string(),
        }
    }

    /// Whether the server has no room for more in one transaction: locks, mostly, of which it
    /// has `max_locks_per_transaction` times `max_connections` for all.
    fn is_shortage(&self) -> bool {
        self.sqlstate == "53200"
    }

    /// Whether somebody else changed the same at the same moment, and a fresh look settles it.
    pub fn is_collision(&self) -> bool {
        is_collision(&self.sqlstate, &self.message)
    }
}

/// The connection is gone, or the transaction is lost as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    #[error("{0}")]
    Postgres(#[from] tokio_postgres::Error),
    #[error("there is no randomness for the salt of a password")]
    Randomness,
}

/// What a server says when two change the same role: serialization failures, and for catalogs a
/// unique violation, an object that is there by now, or an internal error (heapam.c).
pub(crate) fn is_collision(sqlstate: &str, message: &str) -> bool {
    ["40001", "40P01", "23505", "42710"].contains(&sqlstate)
        || (sqlstate == "XX000" && message.contains("concurrently updated"))
}

/// Does it all.
pub async fn apply(
    session: &Session,
    approved: &Approved,
    observed: &Observed,
    checked: &Checked,
) -> Result<Outcome, ApplyError> {
    let plan = approved.plan();
    let mut run = Run {
        session,
        version: observed.version,
        outcome: Outcome::default(),
        failed: BTreeSet::new(),
        out: &plan.out,
    };
    let groups: Vec<Vec<&Planned>> = plan.groups.iter().map(|planned| vec![planned]).collect();
    run.phase(Phase::Groups, groups).await?;
    if run.failed.contains(&marker()) {
        // Without it nothing could be marked, and so nothing made.
        return Ok(run.outcome);
    }
    for phase in Phase::ALL.into_iter().filter(|phase| *phase != Phase::Groups) {
        let of_phase = |planned: &&Planned| {
            planned.phase == phase && !matches!(planned.change, Change::SetPassword { .. })
        };
        let units = plan.roles.iter().map(|role| role.changes.iter().filter(of_phase).collect());
        run.phase(phase, units.filter(|unit: &Vec<_>| !unit.is_empty()).collect()).await?;
    }
    // Last, because it keeps the rest of the transaction out of some logs.
    let all = plan.roles.iter().flat_map(|role| &role.changes);
    let set = |planned: &&Planned| matches!(planned.change, Change::SetPassword { .. });
    let units: Vec<_> =
        all.filter(set).filter(|planned| !run.failed.contains(&planned.role)).collect();
    passwords::set(session, &units, observed, checked, &mut run.outcome).await?;
    Ok(run.outcome)
}

struct Run<'a> {
    session: &'a Session,
    version: u32,
    outcome: Outcome,
    /// Roles that get nothing more.
    failed: BTreeSet<RoleName>,
    /// Roles whose sessions end.
    out: &'a BTreeSet<RoleName>,
}

impl Run<'_> {
    /// One phase of many roles; each unit is one role's.
    async fn phase(&mut self, phase: Phase, units: Vec<Vec<&Planned>>) -> Result<(), ApplyError> {
        let units: Vec<_> = units
            .into_iter()
            .filter(|unit| {
                // What takes power is tried whatever else failed.
                phase.takes() || !unit.iter().any(|planned| self.failed.contains(&planned.role))
            })
            .collect();
        for chunk in units.chunks(ROLES_AT_ONCE) {
            let all: Vec<&Planned> = chunk.iter().flatten().copied().collect();
            let Err(failure) = self.attempt(phase, &all).await? else { continue };
            if failure.is_shortage() {
                // One by one there would be no more room. What is done is committed, and the next
                // run goes on from there.
                for planned in &all {
                    self.failed.insert(planned.role.clone());
                }
                self.outcome.failures.push(failure);
                continue;
            }
            for unit in chunk {
                // One change that fails does not bring the others back.
                let parts: Vec<Vec<&Planned>> = match phase.takes() {
                    true => unit.iter().map(|planned| vec![*planned]).collect(),
                    false => vec![unit.clone()],
                };
                for part in parts {
                    let mut result = self.attempt(phase, &part).await?;
                    // Whoever is to leave does not stay by having her own role locked.
                    if let Err(failure) = &result
                        && failure.sqlstate == "55P03"
                        && self.out.contains(&failure.role)
                    {
                        let names = BTreeSet::from([failure.role.clone()]);
                        if self.end_sessions(&names).await? {
                            result = self.attempt(phase, &part).await?;
                        }
                    }
                    if let Err(failure) = result {
                        self.failed.insert(failure.role.clone());
                        self.outcome.failures.push(failure);
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether it could be done; they are out in a moment anyway.
    async fn end_sessions(&self, names: &BTreeSet<RoleName>) -> Result<bool, ApplyError> {
        let text = format!("savepoint teams_sync;\n{};\n{RELEASE}", sql::terminate(names));
        match self.session.batch(&text).await {
            Ok(_) => Ok(true),
            Err(error) if error.as_db_error().is_some() => {
                self.session.batch(ROLLBACK).await?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// These changes, all or none.
    async fn attempt(
        &mut self,
        phase: Phase,
        changes: &[&Planned],
    ) -> Result<Result<(), Failure>, ApplyError> {
        let mut text = String::from("savepoint teams_sync");
        for planned in changes {
            if let Some(statement) = sql::statement(planned, self.version) {
                text.push_str(";\n");
                text.push_str(&statement);
            }
        }
        // A REVOKE that does nothing says so in a warning, and can be taken back then.
        let warns = phase == Phase::Revoke;
        if !warns {
            text.push_str(";\n");
            text.push_str(RELEASE);
        }
        let _before = self.session.take_warnings();
        let refused = match self.session.batch(&text).await {
            Ok(_) if !warns => None,
            Ok(_) => match self.session.take_warnings().into_iter().next() {
                Some(warning) => Some((warning.sqlstate, warning.message)),
                None => {
                    self.session.batch(RELEASE).await?;
                    None
                }
            },
            Err(error) => match error.as_db_error() {
                Some(reason) if !is_lost(reason.code()) => {
                    Some((reason.code().code().to_owned(), reason.message().to_owned()))
                }
                _ => return Err(error.into()),
            },
        };
        let (Some((sqlstate, message)), Some(first)) = (refused, changes.first()) else {
            self.outcome.done.extend(changes.iter().map(|planned| (*planned).clone()));
            return Ok(Ok(()));
        };
        self.session.batch(ROLLBACK).await?;
        // With several, which it was is found out one by one.
        Ok(Err(Failure::new(first, &sqlstate, &message)))
    }
}

const RELEASE: &str = "release savepoint teams_sync";
const ROLLBACK: &str = "rollback to savepoint teams_sync;\nrelease savepoint teams_sync";

/// The server ends the connection, or became a standby.
fn is_lost(code: &SqlState) -> bool {
    let class = code.code().get(..2).unwrap_or_default();
    class == "57" && *code != SqlState::QUERY_CANCELED
        || class == "08"
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
}
