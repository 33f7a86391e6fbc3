//! Whether a service is worth a try: after some failures in a row to reach it, one login tries at
//! a time, and the others need not wait for a timeout to learn what is known.
//!
//! One file per endpoint tells how often and since when. Failures are those to *reach* the
//! endpoint; whether it likes a token says nothing about it. All that is here may be lost: then
//! everybody tries, as if there were no breaker. It never keeps a service closed off longer
//! than [`LONGEST_PAUSE`] without somebody trying.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::directory::Directory;
use super::lock::{Locked, lock};
use super::pause::{LONGEST_PAUSE, pause_after};
use super::short_hash;
use crate::clock::Timestamp;

/// The names of the files.
pub(super) const PREFIX: &str = "breaker-";
/// One failure may be an accident, and so may two.
const FAILURES: u32 = 3;
/// A file is read and written within some hundred microseconds.
const PATIENCE: Duration = Duration::from_millis(50);
/// More than what is lost when a time of this century is added to.
const ROUNDING: f64 = 0.001;
const LARGEST_FILE: usize = 16 * 1024;

/// The breaker of one endpoint. In all that it is told, `now` is the present, and not when the
/// login began.
#[derive(Debug)]
pub(crate) struct Breaker<'a> {
    directory: &'a Directory,
    endpoint: &'a str,
    file: String,
    patience: Duration,
}

/// Whether to try.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Permit {
    /// Nothing is known to be wrong.
    Closed,
    /// Do not. Somebody tries at `until` at the latest. `since` is when it was first given up,
    /// after so many `failures` in a row by now.
    Open { until: Timestamp, since: Timestamp, failures: u32 },
    /// Try, for everybody.
    Probe,
}

impl<'a> Breaker<'a> {
    /// `endpoint` is shown in metrics and must hold no secret.
    pub(crate) fn new(directory: &'a Directory, endpoint: &'a str) -> Self {
        Self { directory, endpoint, file: file_of(endpoint), patience: PATIENCE }
    }

    /// Whether to try. Who gets a probe and does not report within `lease` loses it to the next.
    pub(crate) fn permit(&self, now: Timestamp, lease: Duration) -> Permit {
        let Some(state) = self.state() else { return Permit::Closed };
        match state.permit(now) {
            Permit::Probe => self.probe(now, lease),
            known => known,
        }
    }

    /// The endpoint was reached, by whomever.
    pub(crate) fn succeeded(&self) {
        if self.state().is_some_and(|state| state.failures > 0) {
            let _lock = self.lock();
            self.keep(&State::clean(self.endpoint));
        }
    }

    /// The endpoint could not be reached.
    pub(crate) fn failed(&self, now: Timestamp) {
        // Those who began before it was given up tell nothing new.
        let is_known = |state: &Option<State>| state.as_ref().is_some_and(|s| s.is_resting(now));
        if is_known(&self.state()) {
            return;
        }
        let _lock = self.lock();
        let state = self.state();
        if !is_known(&state) {
            let state = state.unwrap_or_else(|| State::clean(self.endpoint));
            self.keep(&state.failed(now));
        }
    }

    fn probe(&self, now: Timestamp, lease: Duration) -> Permit {
        let _lock = self.lock();
        // Somebody else may have been quicker.
        let Some(state) = self.state() else { return Permit::Closed };
        let permit = state.permit(now);
        if permit == Permit::Probe {
            self.keep(&state.probed(now, lease));
        }
        permit
    }

    fn state(&self) -> Option<State> {
        State::read(self.directory, &self.file).filter(|state| state.endpoint == self.endpoint)
    }

    fn keep(&self, state: &State) {
        let Ok(text) = serde_json::to_vec(state) else { return };
        let _without_it_everybody_tries = self.directory.write(&self.file, &text);
    }

    /// Who does not get it goes on without: two probes or a failure that is not counted are better
    /// than a breaker that a stopped process holds.
    fn lock(&self) -> Locked {
        lock(self.directory, &format!("lock-{}", self.file), self.patience)
    }
}

fn file_of(endpoint: &str) -> String {
    format!("{PREFIX}{}", short_hash(&[b"breaker", endpoint.as_bytes()], 16))
}

/// For metrics: each endpoint of which something is known, and whether it is given up.
pub(super) fn all(directory: &Directory) -> Vec<(String, bool)> {
    let names = directory.names(PREFIX).into_iter();
    let states = names.filter_map(|name| {
        State::read(directory, &name).filter(|state| file_of(&state.endpoint) == name)
    });
    states.map(|state| (state.endpoint.clone(), state.is_open())).collect()
}

/// What the file holds. Times are in seconds since 1970.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct State {
    endpoint: String,
    /// In a row.
    failures: u32,
    /// How often it was given up without having been reached in between.
    openings: u32,
    since: f64,
    /// When the interval ends in which nobody tries.
    until: f64,
    /// When the lease of a probe ends.
    probe_until: f64,
}

impl State {
    fn clean(endpoint: &str) -> Self {
        let endpoint = endpoint.to_owned();
        Self { endpoint, failures: 0, openings: 0, since: 0.0, until: 0.0, probe_until: 0.0 }
    }

    fn read(directory: &Directory, file: &str) -> Option<Self> {
        serde_json::from_slice(&directory.read(file, LARGEST_FILE)?).ok()
    }

    fn is_open(&self) -> bool {
        self.openings > 0
    }

    fn permit(&self, now: Timestamp) -> Permit {
        if !self.is_open() {
            return Permit::Closed;
        }
        let ends = [self.until, self.probe_until];
        match ends.into_iter().find(|end| is_ahead(*end, now)) {
            Some(end) => Permit::Open {
                until: Timestamp::from_seconds(end),
                since: Timestamp::from_seconds(self.since),
                failures: self.failures,
            },
            None => Permit::Probe,
        }
    }

    /// Whether this is the time in which nobody tries.
    fn is_resting(&self, now: Timestamp) -> bool {
        self.is_open() && is_ahead(self.until, now)
    }

    fn probed(&self, now: Timestamp, lease: Duration) -> Self {
        let probe_until = now.plus(lease.min(LONGEST_PAUSE)).seconds();
        // An end that a wrong clock put into the future must not come true some day.
        Self { until: 0.0, probe_until, ..self.clone() }
    }

    fn failed(self, now: Timestamp) -> Self {
        let failures = self.failures.saturating_add(1);
        if failures < FAILURES {
            return Self { failures, ..self };
        }
        Self {
            endpoint: self.endpoint,
            failures,
            since: if self.openings == 0 { now.seconds() } else { self.since },
            openings: self.openings.saturating_add(1),
            until: now.plus(pause_after(self.openings)).seconds(),
            probe_until: 0.0,
        }
    }
}

/// Whether an end lies ahead, and not so far ahead that the clock must have been set back since.
fn is_ahead(end: f64, now: Timestamp) -> bool {
    let left = Timestamp::from_seconds(end).since(now);
    left > 0.0 && left <= LONGEST_PAUSE.as_secs_f64() + ROUNDING
}

#[cfg(test)]
mod tests;
