//! Durations as people write them: a whole number with `ms`, `s`, `m`, `h` or `d`; a bare
//! number is seconds.

use std::time::Duration;

/// What `--timeout` can be. The most is below `authentication_timeout` of PostgreSQL.
pub const TIMEOUT_RANGE: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(55)];
/// What `--leeway` can be.
pub const LEEWAY_RANGE: [Duration; 2] = [Duration::ZERO, Duration::from_secs(300)];
/// What `--cache-ttl` can be: for so long a revoked token may still be accepted.
pub const CACHE_TTL_RANGE: [Duration; 2] = [Duration::ZERO, Duration::from_secs(3600)];
/// What `--on-outage=stale:` can be.
pub const STALE_RANGE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(7 * 86_400)];

/// Why a duration is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DurationError {
    /// Not a whole number with a known unit.
    #[error("{0:?} is not a duration: write a whole number with ms, s, m, h or d, such as 5s")]
    Unreadable(String),
    /// A duration, but not one that the option can have.
    #[error("{value:?} is not between {least:?} and {most:?}")]
    OutOfRange {
        /// What was asked for.
        value: Duration,
        /// The least that is allowed.
        least: Duration,
        /// The most that is allowed.
        most: Duration,
    },
}

/// Reads a duration that has to lie within `range`.
pub fn duration_within(text: &str, range: [Duration; 2]) -> Result<Duration, DurationError> {
    let value = parse(text)?;
    let [least, most] = range;
    if value < least || value > most {
        return Err(DurationError::OutOfRange { value, least, most });
    }
    Ok(value)
}

fn parse(text: &str) -> Result<Duration, DurationError> {
    let unreadable = || DurationError::Unreadable(text.to_owned());
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| unreadable())?;
    let milliseconds = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(unreadable()),
    };
    let total = number.checked_mul(milliseconds).ok_or_else(unreadable)?;
    Ok(Duration::from_millis(total))
}
