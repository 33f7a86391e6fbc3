//! Locks people who can still log in although they left: by the plan of a sync and within the limits of
//! its guard, but them alone.

use std::time::Instant;

use jiff::Timestamp;

use super::{find, locking};
use crate::apply;
use crate::approve::{Releases, approve};
use crate::desired::Desired;
use crate::sql;
use crate::sync::{Engine, GOODBYE, Mode, Report, Server, SyncError, end_sessions, open};

/// Marks leavers and takes from them what a sync takes, in one transaction; nobody else is touched.
/// What the guard holds stays as it is, marks included.
pub async fn lock_leavers(
    server: &Server,
    engine: &Engine,
    desired: &Desired,
    mode: &Mode,
    now: Timestamp,
) -> Report {
    let start = Instant::now();
    let mut report = Report::new(server, desired);
    let all = pass(server, engine, desired, mode, now, &mut report);
    if let Err(error) = engine.within_limit(all).await {
        report.error = Some(error);
    }
    report.elapsed = start.elapsed();
    report
}

async fn pass(
    server: &Server,
    engine: &Engine,
    desired: &Desired,
    mode: &Mode,
    now: Timestamp,
    report: &mut Report,
) -> Result<(), SyncError> {
    let wanted = crate::plan::wanted(desired, &server.style);
    let (begin, releases) = match mode {
        Mode::Look => (sql::BEGIN_TO_LOOK.to_owned(), Releases::default()),
        Mode::Apply(releases) => (sql::begin(engine.lock_limit.as_millis()), releases.clone()),
    };
    let (session, observed, _turn) = open(server, engine, &wanted, &begin).await?;
    engine.identities.check(server, &observed)?;
    let found = find(desired, &observed, &server.style, &server.rules.vocabulary);
    let plan = locking(desired, &observed, &found, &server.style, &engine.checked, now);
    let approved = approve(plan, &engine.guard, &releases);
    report.observe(&observed, &approved);
    report.found = found;
    if matches!(mode, Mode::Look) || approved.plan().roles.is_empty() {
        report.planned(&approved);
        session.close(GOODBYE).await;
        return Ok(());
    }
    let outcome = apply::apply(&session, &approved, &observed, &engine.checked)
        .await
        .map_err(|error| SyncError::apply(&session, error))?;
    session.batch(sql::COMMIT).await.map_err(|error| SyncError::commit(&session, &error))?;
    report.applied(outcome);
    end_sessions(server, engine, session, &observed, &approved, report).await;
    Ok(())
}
