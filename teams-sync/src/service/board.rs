//! What is known of teams and servers at this moment, for metrics, readiness and systemd.
//!
//! Reports go in; numbers come out. Whoever is not in the configuration any more is not here
//! either.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::news::silence;
use crate::config::Config;
use crate::fleet::Setup;
use crate::fleet::{self, Facts};
use crate::sync::Report;
use crate::teams::fetch::Answer;

#[derive(Debug, Default)]
pub(super) struct Board(Mutex<State>);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) servers: BTreeMap<String, ServerState>,
    pub(super) teams: BTreeMap<String, TeamState>,
    /// How long the last fetch took; `None` before the first one.
    pub(super) fetched: Option<Duration>,
    pub(super) reloads: u64,
    pub(super) refused_reloads: u64,
    /// Whether the file is not what is in use.
    pub(super) is_refused: bool,
}

#[derive(Debug, Default)]
pub(super) struct ServerState {
    pub(super) passes: u64,
    pub(super) up: bool,
    /// Whether somebody has to look, besides at what is held.
    pub(super) failing: bool,
    pub(super) success: Option<Timestamp>,
    pub(super) elapsed: Duration,
    pub(super) people: usize,
    pub(super) held: usize,
    pub(super) problems: usize,
    pub(super) changes: BTreeMap<&'static str, u64>,
    pub(super) failures: BTreeMap<&'static str, u64>,
    pub(super) sessions: u64,
}

#[derive(Debug)]
pub(super) struct TeamState {
    pub(super) up: bool,
    /// When it was complete for the last time; when it was asked for first, if it never was.
    pub(super) good: Instant,
    pub(super) members: Option<usize>,
}

impl Board {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Numbers are whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These servers and teams are there from now on, and no others.
    pub(super) fn expect(&self, setup: &Setup, now: Instant) {
        let names: BTreeSet<_> = setup.servers.iter().map(|server| &server.name).collect();
        let teams = fleet::teams(&setup.config, &setup.servers);
        let mut state = self.state();
        state.servers.retain(|name, _| names.contains(name));
        for name in names {
            state.servers.entry(name.clone()).or_default();
        }
        state.teams.retain(|name, _| teams.contains(name));
        for name in teams {
            let new = TeamState { up: false, good: now, members: None };
            state.teams.entry(name).or_insert(new);
        }
    }

    pub(super) fn fetched(&self, config: &Config, facts: &Facts, elapsed: Duration, now: Instant) {
        let mut state = self.state();
        state.fetched = Some(elapsed);
        for (name, team) in &mut state.teams {
            team.up = silence(config, name, facts).is_none();
            if team.up {
                team.good = now;
            }
            if let Some(Answer::Team(members)) = facts.answers.get(name) {
                team.members = Some(members.len());
            }
        }
    }

    pub(super) fn passed(&self, report: &Report, now: Timestamp) {
        let mut state = self.state();
        let Some(server) = state.servers.get_mut(&report.server) else { return };
        server.passes += 1;
        server.elapsed = report.elapsed;
        server.up = report.error.is_none();
        server.failing = !server.up || !report.failures.is_empty() || report.has_open_sessions();
        for planned in &report.changes {
            *server.changes.entry(planned.change.name()).or_default() += 1;
        }
        for ended in &report.ended {
            server.sessions += ended.sessions;
            if ended.error.is_some() {
                *server.failures.entry("session").or_default() += 1;
            }
        }
        for _refused in &report.failures {
            *server.failures.entry("refused").or_default() += 1;
        }
        match &report.error {
            Some(error) => *server.failures.entry(error.kind()).or_default() += 1,
            // A pass that failed may not have seen any of these.
            None => {
                server.success = Some(now);
                server.people = report.people;
                let held: BTreeSet<_> = report.held.iter().map(|held| &held.role).collect();
                server.held = held.len();
                server.problems = report.problems.len();
            }
        }
    }

    pub(super) fn reloaded(&self, is_refused: bool) {
        let mut state = self.state();
        state.reloads += 1;
        state.refused_reloads += u64::from(is_refused);
        state.is_refused = is_refused;
    }

    /// All of it in one line.
    pub(super) fn summary(&self) -> String {
        let state = self.state();
        let count = |is: fn(&ServerState) -> bool| state.servers.values().filter(|s| is(s)).count();
        let mut text = format!(
            "{} of {} servers in sync",
            count(|server| server.passes > 0 && !server.failing && server.held == 0),
            state.servers.len(),
        );
        let others = [
            (count(|server| server.failing), "failing"),
            (count(|server| server.held > 0), "with something held"),
            (count(|server| server.passes == 0), "not reached yet"),
        ];
        for (number, what) in others.iter().filter(|(number, _)| *number > 0) {
            text.push_str(&format!(", {number} {what}"));
        }
        if state.is_refused {
            text.push_str("; the configuration file is refused, the one before is in use");
        }
        text
    }

    /// What the service still waits for before it is ready, if anything.
    pub(super) fn awaited(&self) -> Option<String> {
        let state = self.state();
        if state.fetched.is_none() {
            return Some("no team was asked yet".to_owned());
        }
        let number = state.servers.values().filter(|server| server.passes == 0).count();
        (number > 0).then(|| format!("{number} servers had no pass yet"))
    }
}
