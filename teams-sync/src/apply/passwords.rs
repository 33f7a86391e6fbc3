//! Sets passwords so that no log of the server has them, whatever its settings.
//!
//! What goes over the wire is a verifier, never a password, and it goes as data of COPY: neither
//! a statement nor a parameter of one, so `log_statement = all` does not know it. A DO block takes
//! it from there, and lets nothing out of its own errors.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::SinkExt;
use ring::rand::SystemRandom;
use zeroize::Zeroizing;

use super::{ApplyError, Failure, Outcome, RELEASE, ROLLBACK};
use crate::connect::Session;
use crate::observed::Observed;
use crate::password::{Checked, DEFAULT_ITERATIONS};
use crate::plan::{Change, Planned};
use crate::sql;

pub(super) async fn set(
    session: &Session,
    units: &[&Planned],
    observed: &Observed,
    checked: &Checked,
    outcome: &mut Outcome,
) -> Result<(), ApplyError> {
    if units.is_empty() {
        return Ok(());
    }
    let mut prologue = vec![sql::QUIET_FOR_ALL];
    if observed.superuser {
        prologue.push(sql::QUIET);
    }
    prologue.push(sql::PASSWORD_TABLE);
    let prologue = format!("savepoint teams_sync;\n{}", prologue.join(";\n"));
    if let Err(error) = session.batch(&prologue).await {
        return refused(session, units, error, outcome).await;
    }
    let iterations = observed.scram_iterations.unwrap_or(DEFAULT_ITERATIONS);
    let random = SystemRandom::new();
    let mut rows = Zeroizing::new(String::new());
    let mut seen = BTreeSet::new();
    for planned in units {
        let Change::SetPassword { password } = &planned.change else { continue };
        if seen.insert(&planned.role) {
            let role = planned.role.as_str();
            let verifier = checked.verifier(password, role, iterations, &random);
            copy_row(&mut rows, role, &verifier.ok_or(ApplyError::Randomness)?);
        }
    }
    if let Err(error) = copy(session, &rows).await {
        return refused(session, units, error, outcome).await;
    }
    for planned in units {
        let text = format!(
            "savepoint teams_sync_one;\n{};\nrelease savepoint teams_sync_one",
            sql::set_password(&planned.role)
        );
        match session.batch(&text).await {
            Ok(_) => outcome.done.push((*planned).clone()),
            Err(error) => {
                let Some(reason) = error.as_db_error() else { return Err(error.into()) };
                let failure = Failure::new(planned, reason.code().code(), reason.message());
                outcome.failures.push(failure);
                session
                    .batch("rollback to savepoint teams_sync_one; release savepoint teams_sync_one")
                    .await?;
            }
        }
    }
    session.batch(&format!("{};\n{RELEASE}", sql::FORGET_PASSWORDS)).await?;
    Ok(())
}

async fn copy(session: &Session, rows: &str) -> Result<(), tokio_postgres::Error> {
    let sink = session.client().copy_in(sql::COPY_PASSWORDS).await?;
    futures_util::pin_mut!(sink);
    sink.send(Bytes::copy_from_slice(rows.as_bytes())).await?;
    sink.finish().await?;
    Ok(())
}

/// None of them can be set, for a reason that has nothing to do with any of them.
async fn refused(
    session: &Session,
    units: &[&Planned],
    error: tokio_postgres::Error,
    outcome: &mut Outcome,
) -> Result<(), ApplyError> {
    let Some(reason) = error.as_db_error() else { return Err(error.into()) };
    let message = format!("{} (TEMPORARY on the database is needed)", reason.message());
    for planned in units {
        outcome.failures.push(Failure::new(planned, reason.code().code(), &message));
    }
    session.batch(ROLLBACK).await?;
    Ok(())
}

/// The text format of COPY: a tab between columns, and a backslash before what would be taken
/// for something else.
fn copy_row(rows: &mut String, role: &str, verifier: &str) {
    for (text, end) in [(role, '\t'), (verifier, '\n')] {
        for part in text.chars() {
            match part {
                '\\' => rows.push_str("\\\\"),
                '\t' => rows.push_str("\\t"),
                '\n' => rows.push_str("\\n"),
                '\r' => rows.push_str("\\r"),
                other => rows.push(other),
            }
        }
        rows.push(end);
    }
}
