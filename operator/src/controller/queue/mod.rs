//! Which cluster is next: each one once, however often something happens to it, and never by two
//! workers at a time.
//!
//! In: clusters that something happened to, and when they want to be looked at again. Out: the
//! next one that is due. What fails waits longer each time, and a user who changes the manifest
//! does not wait for that.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::cluster::ClusterId;

/// After the first failure; it doubles from there on.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Clusters and when they are due.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Notify,
    closing: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// When, and what came first among equals.
    schedule: BTreeMap<(Instant, u64), ClusterId>,
    waiting: HashMap<ClusterId, Place>,
    running: HashSet<ClusterId>,
    failures: HashMap<ClusterId, Failures>,
    number: u64,
    closed: bool,
    /// So many that failed are worked on at a time.
    most_failing: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    at: Instant,
    number: u64,
    why: Why,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    in_a_row: u32,
    not_before: Instant,
}

/// What made a cluster due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// Its manifest is new, changed or going.
    Manifest,
    /// It has a primary again.
    Primary,
    /// An object of it changed.
    Object,
    /// The configuration, a team or an infrastructure role changed.
    Surroundings,
    /// `resync_period` is over.
    Resync,
    /// It failed, and comes again.
    Repair,
}

impl Why {
    /// One word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Primary => "primary",
            Self::Object => "object",
            Self::Surroundings => "surroundings",
            Self::Resync => "resync",
            Self::Repair => "repair",
        }
    }
}

/// How it went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// Look again after so long, if nothing happens before.
    Well { again: Duration },
    /// Come again soon, but no later than after so long.
    Failed { at_most: Duration },
    /// It is gone.
    Forget,
}

/// One cluster that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub cluster: ClusterId,
    pub why: Why,
    /// `None`: it is due.
    pub due_in: Option<Duration>,
}

impl Queue {
    /// One in which clusters that failed the last time are worked on by so many workers at a time
    /// at most: a server that hangs holds its worker for minutes, and comes again.
    pub fn with_most_failing(most: usize) -> Self {
        let state = State { most_failing: Some(most), ..State::default() };
        Self { state: Mutex::new(state), ..Self::default() }
    }

    /// Something happened: it is due now, or as soon as its last failure allows.
    pub fn add(&self, cluster: &ClusterId, why: Why) {
        let mut state = self.state();
        let now = Instant::now();
        let at = match (why, state.failures.get(cluster)) {
            // What it failed for may be over.
            (Why::Manifest | Why::Primary | Why::Surroundings, _) | (_, None) => now,
            (_, Some(failures)) => failures.not_before.max(now),
        };
        state.place(cluster, at, why);
        drop(state);
        self.changed.notify_one();
    }

    /// The same after a pause, unless it is due before.
    pub fn add_later(&self, cluster: &ClusterId, pause: Duration, why: Why) {
        let mut state = self.state();
        state.place(cluster, Instant::now() + pause, why);
        drop(state);
        self.changed.notify_one();
    }

    /// The next one that is due, for one worker; `None` when the queue was closed.
    pub async fn next(&self) -> Option<(ClusterId, Why)> {
        loop {
            let changed = self.changed.notified();
            let due = {
                let mut state = self.state();
                if state.closed {
                    // Whoever waits beside us should hear of it, too.
                    self.changed.notify_one();
                    return None;
                }
                match state.take() {
                    Ok(taken) => {
                        // There may be more, and one worker was woken.
                        self.changed.notify_one();
                        return Some(taken);
                    }
                    Err(due) => due,
                }
            };
            match due {
                Some(due) => {
                    let _either = tokio::time::timeout_at(due, changed).await;
                }
                None => changed.await,
            }
        }
    }

    /// A worker is done with it.
    pub fn done(&self, cluster: &ClusterId, ended: Ended) {
        let mut state = self.state();
        state.running.remove(cluster);
        let now = Instant::now();
        match ended {
            Ended::Well { again } => {
                state.failures.remove(cluster);
                state.place(cluster, now + again, Why::Resync);
            }
            Ended::Failed { at_most } => {
                let in_a_row = state.failures.get(cluster).map_or(0, |failures| failures.in_a_row);
                let pause = FIRST_PAUSE.saturating_mul(1 << in_a_row.min(20)).min(at_most);
                let failures = Failures { in_a_row: in_a_row + 1, not_before: now + pause };
                state.failures.insert(cluster.clone(), failures);
                state.place(cluster, failures.not_before, Why::Repair);
            }
            Ended::Forget => {
                state.failures.remove(cluster);
            }
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Nobody gets anything any more.
    pub fn close(&self) {
        self.state().closed = true;
        self.closing.notify_waiters();
        self.changed.notify_waiters();
        self.changed.notify_one();
    }

    /// Waits until nobody gets anything any more.
    pub async fn closed(&self) {
        loop {
            let changed = self.closing.notified();
            if self.state().closed {
                return;
            }
            changed.await;
        }
    }

    /// Everything that waits, by when it is due.
    pub fn waiting(&self) -> Vec<Waiting> {
        let state = self.state();
        let now = Instant::now();
        let places = state.schedule.values().filter_map(|cluster| {
            let place = state.waiting.get(cluster)?;
            let due_in = place.at.checked_duration_since(now).filter(|left| !left.is_zero());
            Some(Waiting { cluster: cluster.clone(), why: place.why, due_in })
        });
        places.collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The earlier of two times counts, and the reason that goes with it.
    fn place(&mut self, cluster: &ClusterId, at: Instant, why: Why) {
        if let Some(place) = self.waiting.get(cluster) {
            if place.at <= at {
                return;
            }
            self.schedule.remove(&(place.at, place.number));
        }
        self.number += 1;
        let place = Place { at, number: self.number, why };
        self.schedule.insert((at, place.number), cluster.clone());
        self.waiting.insert(cluster.clone(), place);
    }

    /// The first that is due and that somebody may work on; or when to look again.
    fn take(&mut self) -> Result<(ClusterId, Why), Option<Instant>> {
        let now = Instant::now();
        let fails = |cluster: &ClusterId| self.failures.contains_key(cluster);
        let failing = self.running.iter().filter(|cluster| fails(cluster)).count();
        let is_full = self.most_failing.is_some_and(|most| failing >= most);
        let is_free =
            |cluster: &ClusterId| !(self.running.contains(cluster) || is_full && fails(cluster));
        let first = self.schedule.iter().find(|(_, cluster)| is_free(cluster));
        let Some((&(at, number), cluster)) = first else { return Err(None) };
        if at > now {
            return Err(Some(at));
        }
        let cluster = cluster.clone();
        self.schedule.remove(&(at, number));
        let why = self.waiting.remove(&cluster).map_or(Why::Object, |place| place.why);
        self.running.insert(cluster.clone());
        Ok((cluster, why))
    }
}

#[cfg(test)]
mod tests;
