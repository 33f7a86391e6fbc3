//! `teams-sync explain ROLE`: which team, source and rule give her what, on each server.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::{Value, json};
use teams_sync::arguments::{Common, Explain, Output};
use teams_sync::desired::{Desired, DesiredRole};
use teams_sync::fleet::{self, Facts, Setup};
use teams_sync::role::RoleName;
use teams_sync::sync::{Mode, Report, Server};

use super::output::{self, Exit};
use super::progress::Progress;
use super::setup;

pub(crate) async fn run(common: &Common, arguments: &Explain) -> Exit {
    if common.output == Output::Sql {
        return setup::usage("--output sql is for plan and doctor");
    }
    let setup = match setup::load(common) {
        Ok(setup) => setup,
        Err(exit) => return exit,
    };
    // What a directory calls a person, or else a role as PostgreSQL writes it.
    let role = match setup.config.names.role(&arguments.role) {
        Ok(role) => role,
        Err(_) => match RoleName::parse(&arguments.role) {
            Ok(role) => role,
            Err(error) => {
                return setup::usage(&format!("{:?} cannot be a role: {error}", arguments.role));
            }
        },
    };
    let facts = setup::facts(&setup).await;
    let progress = Progress::of(setup.servers.len());
    let heard = |report: &_| progress.hear(report);
    let reports = fleet::pass(&setup, &facts, &Mode::Look, Timestamp::now(), heard).await;
    progress.end();
    let each = setup.servers.iter().zip(&reports);
    let answers: Vec<_> =
        each.map(|(server, report)| answer(&setup, &facts, server, &role, report)).collect();
    let exit = exit(&reports);
    let text = match common.output {
        Output::Json => {
            let servers: Vec<_> = answers.iter().map(Answer::json).collect();
            format!("{:#}\n", json!({ "role": role, "exit_code": exit.code(), "servers": servers }))
        }
        _ => answers.iter().map(|answer| answer.human(&role)).collect(),
    };
    output::print(&text);
    exit
}

/// A team without an answer may have named her.
fn exit(reports: &[Report]) -> Exit {
    let target = reports.iter().any(|report| report.error.is_some());
    let source =
        reports.iter().any(|report| !report.frozen.is_empty() || report.frozen_robots.is_some());
    match (target, source) {
        (true, _) => Exit::Target,
        (false, true) => Exit::Source,
        (false, false) => Exit::Fine,
    }
}

struct Answer<'a> {
    report: &'a Report,
    wanted: Option<DesiredRole>,
    /// What is in the way, and what is not known.
    remarks: Vec<String>,
    pending: Vec<String>,
}

fn answer<'a>(
    setup: &Setup,
    facts: &Facts,
    server: &Server,
    role: &RoleName,
    report: &'a Report,
) -> Answer<'a> {
    let desired: Desired = fleet::desired_of(&setup.config, facts, server);
    let mut remarks: Vec<String> = report
        .problems
        .iter()
        .filter(|problem| problem.subject == role.to_string())
        .map(|problem| problem.text.clone())
        .collect();
    for held in report.held.iter().filter(|held| held.role == *role) {
        remarks.push(format!("held by the guard: {}", held.reason));
    }
    for (team, reason) in &desired.frozen {
        remarks.push(format!("team {team:?} gave no answer and may name her: {reason}"));
    }
    let pending = report.changes.iter().filter(|planned| planned.role == *role);
    Answer {
        report,
        wanted: desired.roles.get(role).filter(|_| !desired.disputed.contains_key(role)).cloned(),
        remarks,
        pending: pending.map(ToString::to_string).collect(),
    }
}

impl Answer<'_> {
    fn human(&self, role: &RoleName) -> String {
        let mut lines = Vec::new();
        match &self.wanted {
            None => lines.push(format!("nothing gives {role} a role")),
            Some(wanted) => {
                if wanted.attributes.login {
                    lines.push(format!("can log in: {}", wanted.why));
                } else {
                    lines.push(format!("is there: {}", wanted.why));
                }
                if let Some(elevation) = &wanted.superuser {
                    lines.push(format!("superuser: {}", elevation.why));
                }
                for (group, why) in &wanted.memberships {
                    lines.push(format!("member of {group}: {why}"));
                }
                for parameter in wanted.parameters.values() {
                    lines.push(format!("has {parameter}"));
                }
            }
        }
        match &self.report.error {
            Some(error) => lines.push(format!("what she has now is not known: {error}")),
            None if self.pending.is_empty() => {}
            None => lines.extend(self.pending.iter().map(|change| format!("to be done: {change}"))),
        }
        lines.extend(self.remarks.iter().cloned());
        let mut text = format!("{}:\n", self.report.server);
        for line in lines {
            let _cannot_fail = writeln!(text, "  {line}");
        }
        text
    }

    fn json(&self) -> Value {
        let wanted = self.wanted.as_ref().map(|wanted| {
            let memberships: Vec<_> = wanted
                .memberships
                .iter()
                .map(|(group, why)| json!({ "role": group, "why": { "text": why.to_string(), "details": why } }))
                .collect();
            json!({
                "kind": wanted.kind,
                "login": wanted.attributes.login,
                "superuser": wanted.attributes.superuser,
                "teams": wanted.teams,
                "why": { "text": wanted.why.to_string(), "details": wanted.why },
                "superuser_because": wanted.superuser.as_ref().map(|elevation| elevation.why.to_string()),
                "memberships": memberships,
                "parameters": wanted.parameters.values().collect::<Vec<_>>(),
            })
        });
        json!({
            "server": self.report.server,
            "error": self.report.error.as_ref().map(ToString::to_string),
            "wanted": wanted,
            "pending": self.pending,
            "remarks": self.remarks,
        })
    }
}
