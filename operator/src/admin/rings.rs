//! The latest lines of the log and the latest changes, and nothing older.

use std::collections::VecDeque;

use jiff::Timestamp;
use tracing::Level;

use crate::cluster::ClusterId;

/// One line of the log, fit to be shown: no control characters, no secrets, not too long.
#[derive(Clone, Debug)]
pub(super) struct LogLine {
    pub(super) time: Timestamp,
    pub(super) level: Level,
    pub(super) cluster: Option<ClusterId>,
    pub(super) worker: Option<usize>,
    pub(super) message: String,
}

/// A manifest that changed.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// When the work on it began.
    pub(super) event: Timestamp,
    pub(super) process: Timestamp,
    pub(super) diff: Vec<String>,
}

/// Adds one, and drops the oldest where there are more than `most`.
pub(super) fn push<T>(ring: &mut VecDeque<T>, most: usize, entry: T) {
    ring.push_back(entry);
    while ring.len() > most {
        ring.pop_front();
    }
}
