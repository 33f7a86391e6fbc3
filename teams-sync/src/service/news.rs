//! What is told in the log: each change, and everything else when it begins, changes or ends.
//!
//! A pass that finds what the last one found is silent. Text of others is made harmless here, and
//! passwords never get here: a change says that there is a new one, and not which.

use std::collections::{BTreeMap, BTreeSet};

use crate::approve::PlanId;
use crate::config::Config;
use crate::fleet::Facts;
use crate::sync::{Report, SyncError};
use crate::teams::fetch::Answer;

use super::log::clean;

/// So many lines of one kind at once; a thousand more would say the same.
const LINES: usize = 20;

/// What was told about one server.
#[derive(Debug, Default)]
pub(super) struct ServerNews {
    error: Option<String>,
    held: Option<PlanId>,
    /// Everything that is wrong, and that somebody was told of.
    failures: BTreeSet<[String; 3]>,
    problems: BTreeSet<[String; 2]>,
    sessions: BTreeSet<[String; 2]>,
}

impl ServerNews {
    pub(super) fn tell(&mut self, report: &Report) {
        let server = &*clean(&report.server);
        for planned in &report.changes {
            tracing::info!(
                server,
                role = &*clean(planned.role.as_str()),
                kind = planned.change.name(),
                change = &*clean(&planned.to_string()),
                why = &*clean(&planned.why.to_string()),
                "role changed"
            );
        }
        for ended in report.ended.iter().filter(|ended| ended.sessions > 0) {
            tracing::info!(
                server,
                on = &*clean(&ended.on),
                number = ended.sessions,
                "sessions ended"
            );
        }
        self.tell_error(server, report.error.as_ref());
        // A pass that failed has not seen the rest, and what it has not seen has not ended.
        if report.error.is_none() {
            self.tell_held(server, report);
            self.tell_failures(server, report);
        }
        let quiet = report.error.is_none() && report.changes.is_empty();
        if quiet && report.held.is_empty() && report.failures.is_empty() {
            tracing::debug!(server, people = report.people, "server found in sync");
        }
    }

    fn tell_error(&mut self, server: &str, error: Option<&SyncError>) {
        let text = error.map(ToString::to_string);
        match (error, &text) {
            (Some(error), Some(text)) if self.error.as_ref() != Some(text) => {
                let (kind, error_text) = (error.kind(), &*clean(text));
                if needs_a_person(error) {
                    tracing::error!(server, kind, error = error_text, "server not brought in line");
                } else {
                    tracing::warn!(server, kind, error = error_text, "server not brought in line");
                }
            }
            (None, _) if self.error.is_some() => tracing::info!(server, "server reached again"),
            _ => {}
        }
        self.error = text;
    }

    fn tell_held(&mut self, server: &str, report: &Report) {
        let held = report.plan_id.clone().filter(|_| !report.held.is_empty());
        if held == self.held {
            return;
        }
        if let Some(plan) = &held {
            let number = report.held.len();
            for held in report.held.iter().take(LINES) {
                tracing::warn!(
                    server,
                    role = &*clean(held.role.as_str()),
                    held = &*clean(&held.changes.join("; ")),
                    why = &*clean(&held.reason.to_string()),
                    %plan,
                    "changes held"
                );
            }
            more(server, number);
        } else {
            tracing::info!(server, "nothing held any more");
        }
        self.held = held;
    }

    fn tell_failures(&mut self, server: &str, report: &Report) {
        let all = report.failures.iter().map(|failure| {
            [failure.role.to_string(), failure.change.clone(), failure.message.clone()]
        });
        for [role, change, error] in news(&mut self.failures, all, server) {
            let (role, change, error) = (&*clean(&role), &*clean(&change), &*clean(&error));
            tracing::warn!(server, role, change, error, "change refused");
        }
        let all = report.problems.iter().map(|one| [one.subject.clone(), one.text.clone()]);
        for [subject, problem] in news(&mut self.problems, all, server) {
            let (subject, problem) = (&*clean(&subject), &*clean(&problem));
            tracing::warn!(server, subject, problem, "problem found");
        }
        let all = report.ended.iter().filter_map(|ended| {
            ended.error.as_ref().map(|error| [ended.on.clone(), error.clone()])
        });
        for [on, error] in news(&mut self.sessions, all, server) {
            let (on, error) = (&*clean(&on), &*clean(&error));
            tracing::warn!(server, on, error, "sessions of people who are out not ended");
        }
    }
}

/// What of `now` was not there before; the rest of them is only counted.
fn news<const N: usize>(
    known: &mut BTreeSet<[String; N]>,
    now: impl Iterator<Item = [String; N]>,
    server: &str,
) -> Vec<[String; N]> {
    let now: BTreeSet<_> = now.collect();
    let mut new: Vec<_> = now.difference(known).cloned().collect();
    *known = now;
    more(server, new.len());
    new.truncate(LINES);
    new
}

fn more(server: &str, number: usize) {
    if number > LINES {
        tracing::warn!(server, number, shown = LINES, "not all of them shown");
    }
}

/// Whether it stays as it is until somebody changes something.
fn needs_a_person(error: &SyncError) -> bool {
    match error {
        SyncError::Standby(_)
        | SyncError::ReadOnly(_)
        | SyncError::OtherServer { .. }
        | SyncError::SameServer { .. }
        | SyncError::Catalog(_)
        | SyncError::Randomness
        | SyncError::Broken(_) => true,
        SyncError::Connect(error) => !error.is_transient(),
        SyncError::Locked
        | SyncError::Collision
        | SyncError::Statement(_)
        | SyncError::Lost(_)
        | SyncError::CommitUnknown(_)
        | SyncError::NotCommitted(_)
        | SyncError::Timeout(_) => false,
    }
}

/// What was told about teams and robots.
#[derive(Debug, Default)]
pub(super) struct FactNews {
    frozen: BTreeMap<String, String>,
    robots: Option<String>,
    warnings: BTreeSet<String>,
}

impl FactNews {
    pub(super) fn tell(&mut self, config: &Config, teams: &BTreeSet<String>, facts: &Facts) {
        let mut frozen = BTreeMap::new();
        for team in teams {
            if let Some(reason) = silence(config, team, facts) {
                if self.frozen.get(team) != Some(&reason) {
                    let (team, error) = (&*clean(team), &*clean(&reason));
                    tracing::warn!(team, error, "team gave no answer, its people stay as they are");
                }
                frozen.insert(team.clone(), reason);
            }
        }
        for team in self.frozen.keys().filter(|team| !frozen.contains_key(*team)) {
            if teams.contains(team) {
                tracing::info!(team = &*clean(team), "team answered again");
            }
        }
        self.frozen = frozen;
        match &facts.robots.frozen {
            Some(error) if self.robots.as_ref() != Some(error) => {
                let error = &*clean(error);
                tracing::warn!(error, "infrastructure roles not read, they stay as they are");
            }
            None if self.robots.is_some() => tracing::info!("infrastructure roles read again"),
            _ => {}
        }
        self.robots.clone_from(&facts.robots.frozen);
        let warnings: BTreeSet<_> = facts.robots.warnings.iter().cloned().collect();
        for warning in warnings.difference(&self.warnings).take(LINES) {
            tracing::warn!(warning = &*clean(warning), "infrastructure roles read with a warning");
        }
        self.warnings = warnings;
    }
}

/// Why a team is frozen, if it is. One that the configuration gives members to needs no source.
pub(super) fn silence(config: &Config, team: &str, facts: &Facts) -> Option<String> {
    let rules = config.humans.teams.get(team);
    let is_local = rules.is_some_and(|rules| !rules.additional_members.is_empty());
    match facts.answers.get(team) {
        Some(Answer::Team(_) | Answer::NoSource) => None,
        Some(Answer::Frozen { source, error }) => Some(format!("{source}: {error}")),
        Some(Answer::Unknown(_)) | None if is_local => None,
        Some(Answer::Unknown(text)) => Some(text.clone()),
        None => Some("no source of teams is configured".to_owned()),
    }
}
