//! Until when we lead, for whoever is about to write: known without a task that has to run, by
//! our own clock.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// Shared by the election and by the way to the API server.
#[derive(Debug, Default)]
pub struct Term(Mutex<Option<Instant>>);

impl Term {
    /// From now on; `None`: we do not lead.
    pub fn until(&self, end: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    /// Whether we lead at this moment.
    pub fn holds(&self) -> bool {
        let end = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        end.is_some_and(|end| Instant::now() < end)
    }
}
