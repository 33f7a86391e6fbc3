//! Looks at a server, and marks.

use jiff::Timestamp;

use super::{Findings, find, plan};
use crate::apply::{self, Outcome};
use crate::approve::{Limits, Releases, approve};
use crate::desired::Desired;
use crate::sql;
use crate::sync::{Engine, GOODBYE, Server, SyncError, open};

/// What was found on a server, and what was marked.
#[derive(Debug, Default)]
pub struct Adopted {
    pub findings: Findings,
    pub outcome: Outcome,
}

/// Marks people, in one transaction; nothing else changes. With `dry_run`, nothing at all.
pub async fn adopt(
    server: &Server,
    engine: &Engine,
    desired: &Desired,
    with_leavers: bool,
    dry_run: bool,
    now: Timestamp,
) -> Result<Adopted, SyncError> {
    // Everybody in the PAM role is looked at by a sync, too.
    let wanted = crate::plan::wanted(desired, &server.style);
    let begin = match dry_run {
        true => sql::BEGIN_TO_LOOK.to_owned(),
        false => sql::begin(engine.lock_limit.as_millis()),
    };
    let (session, observed, _turn) = open(server, engine, &wanted, &begin).await?;
    engine.identities.check(server, &observed)?;
    let findings = find(desired, &observed, &server.style, &server.rules.vocabulary);
    let plan = plan(desired, &observed, &findings, with_leavers, now);
    if dry_run || plan.is_empty() {
        session.close(GOODBYE).await;
        return Ok(Adopted { findings, outcome: Outcome::default() });
    }
    let approved = approve(plan, &Limits::default(), &Releases::default());
    let outcome = apply::apply(&session, &approved, &observed, &engine.checked)
        .await
        .map_err(|error| SyncError::apply(&session, error))?;
    session.batch(sql::COMMIT).await.map_err(|error| SyncError::commit(&session, &error))?;
    session.close(GOODBYE).await;
    Ok(Adopted { findings, outcome })
}
