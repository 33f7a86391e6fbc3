//! An API server that has too much to do says for how long it wants to be left alone: all of us
//! wait for that, or the next cluster sends what the last one was refused.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::header::RETRY_AFTER;
use hyper::{HeaderMap, StatusCode};
use tokio::time::Instant;

/// Where it does not say.
const USUAL: Duration = Duration::from_secs(1);
/// Whatever it says: a request holds a worker while it waits.
const LONGEST: Duration = Duration::from_secs(10);

/// Shared by all requests.
#[derive(Debug, Default)]
pub(super) struct Gate {
    not_before: Mutex<Option<Instant>>,
}

impl Gate {
    /// Takes note of what an answer asks for.
    pub(super) fn heard(&self, status: StatusCode, headers: &HeaderMap) {
        let said = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let said = said.map(Duration::from_secs);
        let pause = match status {
            StatusCode::TOO_MANY_REQUESTS => said.unwrap_or(USUAL),
            StatusCode::SERVICE_UNAVAILABLE => said.unwrap_or_default(),
            _ => return,
        };
        let until = Instant::now() + pause.min(LONGEST);
        let mut not_before = self.lock();
        *not_before = Some(not_before.map_or(until, |known| known.max(until)));
    }

    /// Waits for it once, and not all for the same moment.
    pub(super) async fn passed(&self) {
        let left = self.lock().and_then(|at| at.checked_duration_since(Instant::now()));
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            tokio::time::sleep(left + jitter(left / 2)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.not_before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Less than this, by chance.
fn jitter(most: Duration) -> Duration {
    // Each has keys of its own.
    let chance = RandomState::new().hash_one(()) % 1024;
    most / 1024 * u32::try_from(chance).unwrap_or_default()
}
