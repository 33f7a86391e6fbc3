//! Major versions of running clusters: by the script that is in Spilo's image, where it is, and
//! never by anything of our own.
//!
//! In: the version that a manifest asks for, what Patroni says of every pod, and what was noted on
//! the manifest. Out: the version that pods are to be made for, and whether the script is to run
//! now. What came of it stands in annotations of the manifest, so that an operator that ends in
//! the middle leaves nothing in doubt: a script whose end nobody saw runs until somebody has looked
//! where it was started, and is never run again by itself.

pub mod ask;
pub mod attempt;
pub mod note;
pub mod plan;
mod probe;
pub mod question;
mod script;
pub mod version;

use std::time::Duration;

use crate::api::postgresql::Postgresql;
use kube::ResourceExt;
use tokio::time::Instant;

use crate::pause::Pause;
use note::{NOTE, Note};
use question::Question;

/// Whether the script runs, as far as anybody knows. Nothing else is done to the cluster then.
pub fn is_under_way(manifest: &Postgresql) -> bool {
    let note = manifest.annotations().get(NOTE).and_then(|text| Note::parse(text));
    matches!(note, Some(Note::Running(..)))
}

/// What is remembered of the upgrades of one cluster.
#[derive(Debug, Default)]
pub struct Known {
    /// The major version of the primary, as it was seen last.
    pub running: Option<u32>,
    /// How it goes with what is asked in pods.
    pub question: Question,
    /// Tries to start the script that came to nothing.
    pub tries: Tries,
    /// Since when a script has ended, and no server says what came of it.
    pub lost_since: Option<Instant>,
}

/// Why the script could not even be started, and for how long nobody tries again.
#[derive(Debug, Default)]
pub struct Tries {
    problem: Option<String>,
    pause: Pause,
}

impl Tries {
    /// What was wrong the last time.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// How long the next one has to wait.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        self.pause.left(now)
    }

    fn ended(&mut self, now: Instant, problem: Option<String>, at_most: Duration) {
        match problem {
            None => *self = Self::default(),
            problem => {
                self.problem = problem;
                self.pause.lengthen(now, at_most);
            }
        }
    }
}
