//! What must not be cut in two: the provider takes a refresh token, and the next one is written.

use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::system::HeldSignals;

static ALONE: Mutex<()> = Mutex::new(());

/// Until this goes, neither Ctrl-C nor the end of a command ends this process.
#[derive(Debug)]
#[must_use]
pub(crate) struct Critical {
    _alone: MutexGuard<'static, ()>,
    _signals: HeldSignals,
}

pub(crate) fn begin() -> Critical {
    let signals = HeldSignals::new();
    Critical { _alone: alone(), _signals: signals }
}

/// Waits for the one that is under way, which the limits of its requests bound. None begins any more.
pub(crate) fn end() {
    mem::forget(alone());
}

fn alone() -> MutexGuard<'static, ()> {
    // It guards no data.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
