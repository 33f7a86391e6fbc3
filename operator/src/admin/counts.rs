//! What happened since the start, in numbers.
//!
//! Labels are words of this program, so that there are only so many: never the name of a team,
//! a person or an object.

use std::collections::BTreeMap;
use std::time::Duration;

use super::board::Board;

/// Seconds; a pass is some calls to the API server and some to the database.
const BOUNDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, f64::INFINITY];

/// How a pass over a cluster ended.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum PassResult {
    /// Everything is as it should be.
    Done,
    /// Something is not ready yet.
    Waiting,
    /// Something failed.
    Failed,
    /// The manifest cannot be worked with.
    Refused,
}

impl PassResult {
    pub(super) const ALL: [Self; 4] = [Self::Done, Self::Waiting, Self::Failed, Self::Refused];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) passes: BTreeMap<PassResult, u64>,
    pub(super) durations: Histogram,
    pub(super) stage_failures: BTreeMap<&'static str, u64>,
    /// By kind and verb.
    pub(super) writes: BTreeMap<(&'static str, &'static str), u64>,
    pub(super) watch_restarts: BTreeMap<&'static str, u64>,
    pub(super) reloads: u64,
    pub(super) refused_reloads: u64,
}

#[derive(Debug)]
pub(super) struct Histogram {
    pub(super) sum: f64,
    /// Upper bound, and how many are in it and in no lower one.
    pub(super) buckets: [(f64, u64); BOUNDS.len()],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { sum: 0.0, buckets: BOUNDS.map(|bound| (bound, 0)) }
    }
}

impl Histogram {
    fn observe(&mut self, seconds: f64) {
        self.sum += seconds;
        if let Some(bucket) = self.buckets.iter_mut().find(|(bound, _)| seconds <= *bound) {
            bucket.1 += 1;
        }
    }
}

impl Board {
    /// A pass over a cluster ended.
    pub fn passed(&self, result: PassResult, took: Duration) {
        let mut state = self.state();
        *state.counts.passes.entry(result).or_default() += 1;
        state.counts.durations.observe(took.as_secs_f64());
    }

    /// A stage of a pass failed.
    pub fn stage_failed(&self, stage: &'static str) {
        *self.state().counts.stage_failures.entry(stage).or_default() += 1;
    }

    /// Something was written to the API server, such as `StatefulSet`, `apply`.
    pub fn wrote(&self, kind: &'static str, verb: &'static str) {
        *self.state().counts.writes.entry((kind, verb)).or_default() += 1;
    }

    /// A watch of a kind began anew.
    pub fn watch_restarted(&self, kind: &'static str) {
        *self.state().counts.watch_restarts.entry(kind).or_default() += 1;
    }

    /// The configuration was read anew, and refused or not.
    pub fn reloaded(&self, is_refused: bool) {
        let mut state = self.state();
        state.counts.reloads += 1;
        state.counts.refused_reloads += u64::from(is_refused);
    }
}
