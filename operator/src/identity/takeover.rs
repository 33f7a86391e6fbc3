//! What a takeover means in the database of a cluster: a look that changes nothing, and the leavers
//! that somebody wants locked.

use std::sync::Arc;

use jiff::Timestamp;
use teams_sync::adopt::lock_leavers;
use teams_sync::approve::Releases;
use teams_sync::connect::{Dsn, connect, describe};
use teams_sync::sql::literal;
use teams_sync::sync::{Engine, Mode, Report, last_text, sync as sync_roles};

use super::lookup;
use super::retire::{PINS, Retired, retire, settled};
use super::sync::{Prepared, prepare};
use crate::adopt::outlook::Outlook;
use crate::api::postgresql::Postgresql;
use crate::config::Config;
use crate::context::Context;
use crate::databases;
use crate::databases::pooler::LookupReport;
use crate::report::{Finding, Outcome};
use crate::validate::Accepted;

/// Says what the next pass would do, and, with `leavers`, what locking them would. Changes nothing.
pub async fn rehearse(
    context: &Arc<Context>,
    config: &Config,
    manifest: &Postgresql,
    accepted: &Accepted,
    leavers: bool,
    outlook: &mut Outlook,
) {
    let prepared = match prepare(context, config, manifest, accepted, true).await {
        Ok(prepared) => prepared,
        Err(finding) => {
            // Whoever cannot say that it is not restarted for them may be.
            outlook.restarts |= !outlook.parameters.is_empty();
            return unseen(&finding, outlook);
        }
    };
    let Prepared { server, desired, users, .. } = prepared;
    let (server, desired) = (&server, &desired);
    let (engine, now) = (context.identity.engine(), Timestamp::now());
    restarted(&server.dsn, &engine, outlook).await;
    let roles = sync_roles(server, desired, &engine, &Mode::Look, now).await;
    if let Some(error) = &roles.error {
        return outlook.errors.push(format!("the database could not be looked at: {error}"));
    }
    planned(&roles, outlook);
    outlook.leavers = roles.found.forgotten.iter().map(ToString::to_string).collect();
    for name in &roles.found.unclear {
        outlook
            .notes
            .push(format!("{name} can log in, and whether a team names her cannot be said now"));
    }
    let limits = databases::Limits::default();
    let report =
        databases::sync(&server.dsn, &accepted.databases, limits, databases::Mode::Look).await;
    for line in &report.changes {
        outlook.change("databases", "", "(none)", line, "the manifest says so");
    }
    outlook.notes.extend(report.problems.iter().map(ToString::to_string));
    if let Some(error) = &report.error {
        outlook.errors.push(format!("the databases could not be looked at: {error}"));
    }
    let users = settled(users, roles.held.iter().map(|held| &held.role));
    let retired = retire(&server.dsn, &engine, config, &users, desired, true).await;
    of_databases(retired, lookup::run(context, config, accepted, &server.dsn, true).await, outlook);
    if leavers {
        let locking = lock_leavers(server, &engine, desired, &Mode::Look, now).await;
        locked(&locking, outlook);
    }
}

/// Locks people whom no team names and whom another operator forgot, within the limits of the
/// guard, and nobody else.
pub async fn lock(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    accepted: &Accepted,
    releases: Releases,
    outlook: &mut Outlook,
) {
    let prepared = match prepare(context, config, manifest, accepted, true).await {
        Ok(prepared) => prepared,
        Err(finding) => return unseen(&finding, outlook),
    };
    let Prepared { server, desired, .. } = &prepared;
    let (engine, mode) = (context.identity.engine(), Mode::Apply(releases));
    let report = lock_leavers(server, &engine, desired, &mode, Timestamp::now()).await;
    if let Some(error) = &report.error {
        return outlook.errors.push(format!("nobody was locked: {error}"));
    }
    outlook.done.extend(report.changes.iter().map(ToString::to_string));
    for failure in &report.failures {
        outlook.errors.push(format!("not done: {}: {}", failure.change, failure.message));
    }
    for (team, reason) in &report.frozen {
        outlook.errors.push(format!(
            "team {team} gave no answer, so that nobody can be said to have left: {reason}"
        ));
    }
    for ended in &report.ended {
        match &ended.error {
            None if ended.sessions == 0 => {}
            None => outlook.done.push(format!("{} sessions ended on {}", ended.sessions, ended.on)),
            Some(error) => outlook
                .errors
                .push(format!("sessions of leavers on {} may live on: {error}", ended.on)),
        }
    }
    if !report.held.is_empty() {
        outlook.errors.push(held(&report));
    }
}

/// Users of former passwords that go, and the function that a pooler asks.
fn of_databases(retired: Retired, lookup: Option<LookupReport>, outlook: &mut Outlook) {
    for line in &retired.dropped {
        let why = "its password was rotated, and is not in use any more";
        outlook.change("roles", "", "as it is", line, why);
    }
    outlook.notes.extend(retired.problems);
    let Some(lookup) = lookup else { return };
    for line in &lookup.changes {
        outlook.change("databases", "", "as it is", line, "a connection pooler asks it");
    }
    outlook.notes.extend(lookup.problems);
    if let Some(error) = lookup.error {
        let text = format!("what a connection pooler asks could not be looked at: {error}");
        outlook.errors.push(text);
    }
}

/// Whether PostgreSQL has to be restarted for parameters that change.
async fn restarted(dsn: &Dsn, engine: &Engine, outlook: &mut Outlook) {
    if outlook.parameters.is_empty() {
        return;
    }
    let asked = tokio::time::timeout(engine.pass_limit, at_start(dsn, engine, outlook)).await;
    match asked.unwrap_or_else(|_| Err(format!("no answer within {:?}", engine.pass_limit))) {
        Ok(names) if names.is_empty() => {}
        Ok(names) => {
            outlook.restarts = true;
            outlook.notes.push(format!("PostgreSQL is restarted for {}", names.join(", ")));
        }
        Err(error) => {
            outlook.restarts = true;
            outlook.errors.push(format!(
                "whether PostgreSQL is restarted for other settings could not be looked at: {error}"
            ));
        }
    }
}

/// Those of the parameters that the server reads only when it starts.
async fn at_start(dsn: &Dsn, engine: &Engine, outlook: &Outlook) -> Result<Vec<String>, String> {
    let session = connect(dsn, &engine.database, engine.connect_limit).await;
    let session = session.map_err(|error| error.to_string())?;
    let names: Vec<String> =
        outlook.parameters.iter().map(|name| literal(&name.to_ascii_lowercase())).collect();
    let query = format!(
        "{PINS}; select coalesce(json_agg(name order by name), '[]') from pg_settings \
         where context = 'postmaster' and lower(name) in ({})",
        names.join(", ")
    );
    let answer = session.batch(&query).await.map_err(|error| describe(&error))?;
    let text = last_text(&answer).ok_or("the server gives no row")?;
    session.close(engine.connect_limit).await;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// Why nothing is said of a database.
fn unseen(finding: &Finding, outlook: &mut Outlook) {
    let text = &finding.message;
    match finding.outcome {
        Outcome::Off => outlook.notes.push(format!("the database is not looked at: {text}")),
        _ => outlook.errors.push(format!("the database could not be looked at: {text}")),
    }
}

fn planned(report: &Report, outlook: &mut Outlook) {
    for own in &report.changes {
        let (object, why) = (format!("role {}", own.role), own.why.to_string());
        outlook.change(&object, own.change.name(), "(none)", &own.to_string(), &why);
    }
    for own in &report.later {
        let object = format!("role {}", own.role);
        let why = format!("once the role is ours: {}", own.why);
        outlook.change(&object, own.change.name(), "(none)", &own.to_string(), &why);
    }
    outlook.notes.extend(report.problems.iter().map(|problem| problem.text.clone()));
    for (team, reason) in &report.frozen {
        outlook.notes.push(format!("team {team} gave no answer, so nobody leaves it: {reason}"));
    }
    if !report.held.is_empty() {
        outlook.notes.push(held(report));
    }
}

/// What locking would do.
fn locked(report: &Report, outlook: &mut Outlook) {
    if let Some(error) = &report.error {
        return outlook.errors.push(format!("leavers could not be looked at: {error}"));
    }
    for own in &report.changes {
        let object = format!("role {}", own.role);
        let why = "no team names it (--lock-leavers)";
        outlook.change(&object, own.change.name(), "(none)", &own.to_string(), why);
    }
    if !report.held.is_empty() {
        outlook.notes.push(held(report));
    }
}

fn held(report: &Report) -> String {
    let id = report.plan_id.as_ref().map(ToString::to_string).unwrap_or_default();
    let all: Vec<String> =
        report.held.iter().map(|held| format!("{}: {}", held.role, held.reason)).collect();
    format!("held by the guard; --release {id} lets it through: {}", all.join("; "))
}

#[cfg(test)]
mod tests {
    use super::{LookupReport, Outlook, Retired, of_databases};

    #[test]
    fn what_a_pass_drops_and_what_a_pooler_asks_are_changes() {
        let mut outlook = Outlook::of("default/c");
        of_databases(Retired::default(), Some(LookupReport::default()), &mut outlook);
        assert_eq!(outlook.code(), 0);
        let retired = Retired { dropped: vec!["drop the user a".to_owned()], ..Retired::default() };
        let changes = vec!["create function pooler.user_lookup in postgres".to_owned()];
        let problems = vec!["database foo: hers".to_owned()];
        let lookup = LookupReport { changes, problems, ..LookupReport::default() };
        of_databases(retired, Some(lookup), &mut outlook);
        let to: Vec<_> = outlook.changes.iter().map(|own| own.to.as_str()).collect();
        assert_eq!(to, ["drop the user a", "create function pooler.user_lookup in postgres"]);
        assert_eq!((outlook.code(), outlook.notes.len()), (2, 1));
    }
}
