//! When: how far passes are spread, and how long a server that fails is left alone. Pure.
//!
//! No randomness: what differs from server to server is as good, and the same every time.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// Nobody waits longer for the first pass after new facts.
const LARGEST_OFFSET: Duration = Duration::from_secs(5);
/// Nobody waits longer for another attempt.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// Sixteen periods.
const MOST_DOUBLINGS: u32 = 4;
/// The part of a pause in which servers that failed at once come back one after the other.
const SPREAD: f64 = 0.2;

/// Where in the time after new facts a server has its place, so that not all of them are asked at
/// the same moment.
pub(super) fn offset(server: &str, period: Duration) -> Duration {
    (period / 4).min(LARGEST_OFFSET).mul_f64(fraction(server, 0))
}

/// How long a server is left alone after so many failures in a row: one period, then twice as
/// long each time.
pub(super) fn pause(server: &str, period: Duration, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(MOST_DOUBLINGS);
    let whole = period.saturating_mul(1 << doublings);
    let most = period.saturating_mul(1 << MOST_DOUBLINGS).min(LONGEST_PAUSE);
    let least_part = 1.0 - SPREAD;
    let longest = whole.min(most).div_f64(least_part).min(most);
    longest.mul_f64(least_part + SPREAD * fraction(server, failures))
}

/// Anywhere in 0..1, always the same for the same.
fn fraction(server: &str, number: u32) -> f64 {
    let mut hasher = DefaultHasher::new();
    (server, number).hash(&mut hasher);
    let [a, b, c, d, ..] = hasher.finish().to_le_bytes();
    f64::from(u32::from_le_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
}
