//! Waiting for a condition: the only place that sleeps.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// From one look to the next: a tenth of the time that it has taken, as who looks takes time from
/// what is waited for.
const LEAST: Duration = Duration::from_millis(5);
const MOST: Duration = Duration::from_millis(100);
/// Far beyond what anything takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Polls until `probe` gives `Ok`; panics with its last status when it never does.
#[track_caller]
pub fn eventually<T, S: Debug>(what: &str, mut probe: impl FnMut() -> Result<T, S>) -> T {
    let start = Instant::now();
    loop {
        match probe() {
            Ok(value) => return value,
            Err(status) if start.elapsed() > PATIENCE => {
                panic!("{what}: not within {PATIENCE:?}; last status: {status:?}")
            }
            Err(_) => pause((start.elapsed() / 10).clamp(LEAST, MOST)),
        }
    }
}

/// For what has to take time itself: a server that trickles, a storm of signals.
#[allow(clippy::disallowed_methods, reason = "the one place")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
