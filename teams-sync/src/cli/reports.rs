//! How reports read: for people, for programs, and as SQL.

use std::fmt::Write;

use serde_json::{Value, json};
use teams_sync::arguments::Output;
use teams_sync::plan::Planned;
use teams_sync::sql;
use teams_sync::sync::Report;

use super::output::{self, Exit};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Tense {
    Would,
    Did,
}

pub(crate) fn print(reports: &[Report], tense: Tense, output: Output, exit: Exit) {
    let text = match output {
        Output::Human => reports.iter().map(|report| human(report, tense)).collect(),
        Output::Sql => reports.iter().map(statements).collect(),
        Output::Json => {
            let servers: Vec<_> = reports.iter().map(json).collect();
            format!("{:#}\n", json!({ "exit_code": exit.code(), "servers": servers }))
        }
    };
    output::print(&text);
    if output == Output::Sql {
        for report in reports {
            if let Some(error) = &report.error {
                output::complain(&format!("{}: {error}", report.server));
            }
        }
    }
}

/// Writing to a text cannot fail.
macro_rules! line {
    ($text:expr, $($arguments:tt)*) => {
        { let _cannot_fail = writeln!($text, $($arguments)*); }
    };
}

fn human(report: &Report, tense: Tense) -> String {
    let mut text = String::new();
    line!(text, "{}", title(report, tense));
    for planned in &report.changes {
        line!(text, "  {planned}");
        line!(text, "      because {}", planned.why);
    }
    for failure in &report.failures {
        let code = match failure.sqlstate.is_empty() {
            true => String::new(),
            false => format!(" (SQLSTATE {})", failure.sqlstate),
        };
        line!(text, "  not done: {}: {}{code}", failure.change, failure.message);
    }
    if !report.held.is_empty() {
        let id = report.plan_id.as_ref().map(ToString::to_string).unwrap_or_default();
        line!(text, "  held by the guard, as plan {id}:");
        for held in &report.held {
            line!(text, "    {}: {}", held.role, held.reason);
            for change in &held.changes {
                line!(text, "        {change}");
            }
        }
        line!(text, "  if that is right: teams-sync apply --release {id}");
    }
    for problem in &report.problems {
        line!(text, "  problem: {}", problem.text);
    }
    for (team, reason) in &report.frozen {
        line!(text, "  team {team:?} gave no answer, so its people stay as they are: {reason}");
    }
    if let Some(reason) = &report.frozen_robots {
        line!(
            text,
            "  nothing is known of infrastructure roles, so they stay as they are: {reason}"
        );
    }
    for ended in &report.ended {
        match &ended.error {
            None if ended.sessions == 0 => {}
            None => {
                let sessions = usize::try_from(ended.sessions).unwrap_or(usize::MAX);
                let sessions = number(sessions, "session");
                line!(text, "  ended {sessions} of people who are out, on {}", ended.on);
            }
            Some(error) => {
                line!(
                    text,
                    "  sessions of people who are out may live on at {}: {error}",
                    ended.on
                );
            }
        }
    }
    text
}

fn title(report: &Report, tense: Tense) -> String {
    let server = &report.server;
    if let Some(error) = &report.error {
        return format!("{server}: {error}");
    }
    let version = format!("PostgreSQL {}.{}", report.version / 10_000, report.version % 10_000);
    let mut parts = Vec::new();
    let (changes, failures) = (report.changes.len(), report.failures.len());
    match tense {
        _ if changes == 0 => {}
        Tense::Would => parts.push(format!("{} to be made", number(changes, "change"))),
        Tense::Did => parts.push(format!("{} made", number(changes, "change"))),
    }
    if failures > 0 {
        parts.push(format!("{} refused", number(failures, "change")));
    }
    let held: std::collections::BTreeSet<_> = report.held.iter().map(|held| &held.role).collect();
    if !held.is_empty() {
        parts.push(format!("{} held", number(held.len(), "role")));
    }
    if parts.is_empty() {
        parts.push("in sync".to_owned());
    }
    let changes = parts.join(", ");
    format!("{server} ({version}): {changes}")
}

fn number(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn statements(report: &Report) -> String {
    let mut text = format!("-- server {}\n", report.server.escape_debug());
    if let Some(error) = &report.error {
        line!(text, "-- {}", error.to_string().escape_debug());
        return text;
    }
    line!(text, "begin;");
    for planned in &report.changes {
        match sql::statement(planned, report.version) {
            Some(statement) => line!(text, "{statement}; -- {}", planned.why),
            // It is nobody's to see, and no statement can stand for it.
            None => line!(text, "-- {planned}: {}", planned.why),
        }
    }
    line!(text, "commit;");
    text
}

fn json(report: &Report) -> Value {
    let change = |planned: &Planned| {
        json!({
            "role": planned.role,
            "change": planned.change.name(),
            "text": planned.to_string(),
            "sql": sql::statement(planned, report.version),
            "why": { "text": planned.why.to_string(), "details": planned.why },
        })
    };
    let held: Vec<_> = report
        .held
        .iter()
        .map(|held| {
            json!({
                "role": held.role,
                "reason": { "text": held.reason.to_string(), "details": held.reason },
                "changes": held.changes,
            })
        })
        .collect();
    json!({
        "server": report.server,
        "error": report.error.as_ref().map(|error| json!({ "kind": error.kind(), "text": error.to_string() })),
        "version": report.version,
        "system_identifier": report.system_identifier,
        "people": report.people,
        "changes": report.changes.iter().map(change).collect::<Vec<_>>(),
        "failures": report.failures,
        "held": held,
        "plan_id": if report.held.is_empty() { None } else { report.plan_id.clone() },
        "problems": report.problems,
        "frozen": report.frozen,
        "frozen_robots": report.frozen_robots,
        "sessions_ended": report.ended,
        "elapsed_ms": u64::try_from(report.elapsed.as_millis()).unwrap_or(u64::MAX),
    })
}
