//! One pass over one server: observe, plan, approve, apply, and see to it that it is so.
//!
//! Everything that changes roles happens in one transaction, alone on that server; a crash leaves
//! it as it was, or as it should be. Sessions of those who are out end behind it, on the primary
//! and on every standby.

mod identity;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::SimpleQueryMessage;
use zeroize::Zeroizing;

use crate::adopt::{self, Findings};
use crate::apply::{self, Outcome};
use crate::approve::{self, Approved, Releases};
use crate::connect::{ConnectError, Dsn, Session, connect, describe};
use crate::desired::{Desired, ServerRules};
use crate::observed::{CatalogRole, Observed, Wanted};
use crate::password::Checked;
use crate::plan::{self, Plan, Planned, Style};
use crate::role::RoleName;
use crate::sql;

pub use identity::Identities;
pub use report::{Ended, Report, SyncError};

/// A server to be kept in sync.
#[derive(Clone, Debug)]
pub struct Server {
    pub name: String,
    pub dsn: Dsn,
    pub standbys: Vec<Dsn>,
    /// What `pg_control_system()` has to say, if the configuration knows.
    pub system_identifier: Option<String>,
    pub rules: ServerRules,
    pub style: Style,
}

/// How it is done, for all servers alike.
#[derive(Debug)]
pub struct Engine {
    /// The database whose advisory lock keeps two syncers apart. It has to be the same for all.
    pub database: String,
    pub guard: approve::Limits,
    pub connect_limit: Duration,
    /// How many servers are worked on at a time. Connecting is no work: servers that do not
    /// answer hold up nobody.
    pub turns: Semaphore,
    pub lock_limit: Duration,
    /// For everything on one server.
    pub pass_limit: Duration,
    pub checked: Checked,
    pub identities: Identities,
}

impl Engine {
    /// The limit for everything on one server.
    pub(crate) async fn within_limit(
        &self,
        all: impl Future<Output = Result<(), SyncError>>,
    ) -> Result<(), SyncError> {
        let ended = tokio::time::timeout(self.pass_limit, all).await;
        ended.unwrap_or(Err(SyncError::Timeout(self.pass_limit)))
    }
}

/// Whether anything may change.
#[derive(Clone, Debug)]
pub enum Mode {
    Look,
    Apply(Releases),
}

/// How often a pass begins anew when somebody else got in between, or the primary moved.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);
pub(crate) const GOODBYE: Duration = Duration::from_secs(1);

/// Brings one server in line, or says what would be done.
///
/// # Guarantees
/// Roles without our marker that the configuration does not name are not changed. What the guard
/// holds is not done. Either all of the transaction is committed, or nothing.
///
/// # Caveats
/// When the connection ends during COMMIT, nobody knows whether it happened; the next attempt
/// looks.
pub async fn sync(
    server: &Server,
    desired: &Desired,
    engine: &Engine,
    mode: &Mode,
    now: Timestamp,
) -> Report {
    let start = Instant::now();
    let mut report = Report::new(server, desired);
    let all = attempts(server, desired, engine, mode, now, &mut report);
    if let Err(error) = engine.within_limit(all).await {
        report.error = Some(error);
    }
    report.elapsed = start.elapsed();
    report
}

async fn attempts(
    server: &Server,
    desired: &Desired,
    engine: &Engine,
    mode: &Mode,
    now: Timestamp,
    report: &mut Report,
) -> Result<(), SyncError> {
    let mut attempt = 1;
    loop {
        let is_last = attempt == ATTEMPTS;
        match pass(server, desired, engine, mode, now, is_last, report).await {
            Err(error) if error.may_pass() && !is_last => {
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            other => return other,
        }
    }
}

/// The story.
async fn pass(
    server: &Server,
    desired: &Desired,
    engine: &Engine,
    mode: &Mode,
    now: Timestamp,
    is_last: bool,
    report: &mut Report,
) -> Result<(), SyncError> {
    let wanted = plan::wanted(desired, &server.style);
    let (session, observed, _turn) = match mode {
        Mode::Look => open(server, engine, &wanted, sql::BEGIN_TO_LOOK).await?,
        Mode::Apply(_) => {
            let begin = sql::begin(engine.lock_limit.as_millis());
            open(server, engine, &wanted, &begin).await?
        }
    };
    engine.identities.check(server, &observed)?;
    compare_passwords(desired, &observed, &engine.checked).await?;
    let make =
        |observed: &Observed| plan::plan(desired, observed, &server.style, &engine.checked, now);
    let releases = match mode {
        Mode::Look => Releases::default(),
        Mode::Apply(releases) => releases.clone(),
    };
    let approved = approve::approve(make(&observed), &engine.guard, &releases);
    report.observe(&observed, &approved);
    report.found = adopt::find(desired, &observed, &server.style, &server.rules.vocabulary);
    let Mode::Apply(_) = mode else {
        report.later = later(desired, &observed, &report.found, &approved, server, engine, now);
        report.planned(&approved);
        session.close(GOODBYE).await;
        return Ok(());
    };
    let mut outcome = apply::apply(&session, &approved, &observed, &engine.checked)
        .await
        .map_err(|error| SyncError::apply(&session, error))?;
    // What collides each time is no coincidence, and everybody else's changes do not wait for it.
    if !is_last && outcome.failures.iter().any(apply::Failure::is_collision) {
        return Err(SyncError::Collision);
    }
    if !outcome.done.is_empty() {
        let again = observe(&session, &wanted, "").await?;
        let left = make(&again);
        check(&left, &mut outcome);
        report.people = left.population.people;
    }
    session.batch(sql::COMMIT).await.map_err(|error| SyncError::commit(&session, &error))?;
    report.applied(outcome);
    end_sessions(server, engine, session, &observed, &approved, report).await;
    Ok(())
}

/// What people lose who are not ours yet, once they are.
fn later(
    desired: &Desired,
    observed: &Observed,
    found: &Findings,
    approved: &Approved,
    server: &Server,
    engine: &Engine,
    now: Timestamp,
) -> Vec<Planned> {
    let changed: BTreeSet<&RoleName> = approved.plan().roles.iter().map(|own| &own.role).collect();
    if !found.current.iter().any(|name| changed.contains(name)) {
        return Vec::new();
    }
    let marks = adopt::plan(desired, observed, found, false, now);
    let imagined = adopt::marked(observed, &marks);
    let plan = plan::plan(desired, &imagined, &server.style, &engine.checked, now);
    let is_hers = |planned: &&Planned| {
        found.current.contains(&planned.role) && changed.contains(&planned.role)
    };
    plan.changes().filter(is_hers).filter(|own| own.change.takes()).cloned().collect()
}

/// Derives what the plan is going to ask about, beside the threads that everything else runs on: a
/// server decides how many passwords that are, and how long each takes.
async fn compare_passwords(
    desired: &Desired,
    observed: &Observed,
    checked: &Checked,
) -> Result<(), SyncError> {
    let mut open = Vec::new();
    for (name, role) in &desired.roles {
        let stored = observed.roles.get(name).and_then(|own| own.password.as_ref());
        if let (Some(password), Some(stored)) = (&role.password, stored)
            && !checked.is_known(password, name.as_str(), stored)
        {
            open.push((password.clone(), name.clone(), Zeroizing::new(stored.clone())));
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    let checked = checked.clone();
    let all = tokio::task::spawn_blocking(move || {
        for (password, name, stored) in open {
            checked.matches(&password, name.as_str(), &stored);
        }
    });
    all.await.map_err(|error| SyncError::Broken(error.to_string()))
}

/// Connects, begins a transaction and looks; one round trip behind the login, and one more where
/// there are passwords to compare.
pub(crate) async fn open<'a>(
    server: &Server,
    engine: &'a Engine,
    wanted: &Wanted,
    begin: &str,
) -> Result<(Session, Observed, SemaphorePermit<'a>), SyncError> {
    let session = connect(&server.dsn, &engine.database, engine.connect_limit).await?;
    // It is never closed.
    let turn =
        engine.turns.acquire().await.map_err(|error| SyncError::Broken(error.to_string()))?;
    let observed = observe(&session, wanted, begin).await?;
    if observed.in_recovery {
        return Err(SyncError::Standby(session.server().to_owned()));
    }
    if observed.read_only {
        return Err(SyncError::ReadOnly(session.server().to_owned()));
    }
    Ok((session, observed, turn))
}

async fn observe(session: &Session, wanted: &Wanted, begin: &str) -> Result<Observed, SyncError> {
    let mut text = begin.to_owned();
    if !begin.is_empty() {
        text.push_str(";\n");
    }
    text.push_str(&sql::observe(wanted));
    let mut observed: Observed = read_json(session, &text).await?;
    if observed.sees_passwords && !observed.in_recovery {
        let names: BTreeSet<RoleName> = observed.roles.keys().cloned().collect();
        let found: BTreeMap<String, String> = read_json(session, &sql::passwords(&names)).await?;
        for (name, verifier) in found {
            if let Some(role) = observed.roles.get_mut(&RoleName::from_catalog(name)) {
                role.password = Some(verifier);
            }
        }
    }
    Ok(observed)
}

/// One value of JSON, as the last of these statements has it. It may hold verifiers.
pub(crate) async fn read_json<T: serde::de::DeserializeOwned>(
    session: &Session,
    query: &str,
) -> Result<T, SyncError> {
    let answer =
        session.batch(query).await.map_err(|error| SyncError::statement(session, &error))?;
    let text = last_text(&answer)
        .ok_or(SyncError::Catalog("no row, or one that is no UTF-8".to_owned()))?;
    let text = Zeroizing::new(text);
    serde_json::from_str(&text).map_err(|error| SyncError::Catalog(error.to_string()))
}

/// The last value of an answer of several statements.
pub fn last_text(answer: &[SimpleQueryMessage]) -> Option<String> {
    answer.iter().rev().find_map(|message| match message {
        // What is no UTF-8 is no answer.
        SimpleQueryMessage::Row(row) => row.try_get(0).ok().flatten().map(str::to_owned),
        _ => None,
    })
}

/// What was done and is to be done again was not done.
fn check(again: &Plan, outcome: &mut Outcome) {
    for planned in again.changes() {
        let done = outcome.done.iter().position(|done| {
            done.role == planned.role
                && done.change.name() == planned.change.name()
                && done.to_string() == planned.to_string()
        });
        if let Some(done) = done {
            let done = outcome.done.remove(done);
            let text = "the server took the statement, and nothing changed";
            outcome.failures.push(apply::Failure::new(&done, "", text));
        }
    }
}

/// Nobody who is out keeps a session. One that logged in meanwhile is found by the next pass.
pub(crate) async fn end_sessions(
    server: &Server,
    engine: &Engine,
    session: Session,
    observed: &Observed,
    approved: &Approved,
    report: &mut Report,
) {
    let out = &approved.plan().out;
    if out.is_empty() {
        return session.close(GOODBYE).await;
    }
    // Who was renamed goes by the new name now.
    let mut names = out.clone();
    for planned in &report.changes {
        if let plan::Change::Rename { to } = &planned.change
            && names.contains(&planned.role)
        {
            names.insert(to.clone());
        }
    }
    let has_session =
        |name| observed.roles.get(name).is_some_and(|role: &CatalogRole| role.sessions > 0);
    let changed = approved.plan().roles.iter().any(|role| out.contains(&role.role));
    if changed || out.iter().any(has_session) {
        match session.batch(&sql::terminate(&names)).await {
            Ok(answer) => report.ended(session.server(), last_text(&answer)),
            Err(error) => report.not_ended(session.server(), &describe(&error)),
        }
    }
    session.close(GOODBYE).await;
    let standbys = server.standbys.iter().map(|dsn| on_standby(dsn, engine, observed, &names));
    for (dsn, result) in server.standbys.iter().zip(futures_util::future::join_all(standbys).await)
    {
        match result {
            Ok(number) => report.ended(&dsn.to_string(), number),
            Err(error) => report.not_ended(&dsn.to_string(), &error),
        }
    }
}

async fn on_standby(
    dsn: &Dsn,
    engine: &Engine,
    observed: &Observed,
    names: &BTreeSet<RoleName>,
) -> Result<Option<String>, String> {
    let look = async {
        let failed = |error: ConnectError| error.to_string();
        let session = connect(dsn, &engine.database, engine.connect_limit).await.map_err(failed)?;
        let failed = |error: tokio_postgres::Error| describe(&error);
        let identity = read_json::<Vec<String>>(&session, sql::IDENTITY_JSON);
        let identity = identity.await.map_err(|error| error.to_string())?.join("");
        if identity != observed.system_identifier {
            return Err(format!(
                "it is no standby of this server: its system identifier is {identity}, and not {}; correct standbys",
                observed.system_identifier
            ));
        }
        let answer = session.batch(&sql::terminate(names)).await.map_err(failed)?;
        session.close(GOODBYE).await;
        Ok(last_text(&answer))
    };
    match tokio::time::timeout(engine.connect_limit * 2, look).await {
        Ok(result) => result,
        Err(_elapsed) => Err("it does not answer".to_owned()),
    }
}
