//! Whether the scheduling loop lives: it beats, and others look when it last did.
//!
//! Who looks never asks the loop itself, for a loop that is stuck answers nobody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How often the loop beats.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// A loop that did not beat for so long is stuck. A busy machine delays it by much less.
const STUCK: Duration = Duration::from_secs(15);

/// When a loop last beat.
#[derive(Debug)]
pub struct Heartbeat {
    start: Instant,
    latest: AtomicU64,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::new()
    }
}

impl Heartbeat {
    /// The first beat is due from now on.
    pub fn new() -> Self {
        Self { start: Instant::now(), latest: AtomicU64::new(0) }
    }

    /// The loop lives.
    pub fn beat(&self) {
        self.latest.store(self.elapsed(), Ordering::Relaxed);
    }

    /// Whether the latest beat is younger than 15 seconds.
    pub fn is_fresh(&self) -> bool {
        let age = self.elapsed().saturating_sub(self.latest.load(Ordering::Relaxed));
        Duration::from_millis(age) < STUCK
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
