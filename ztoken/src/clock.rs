//! Moments, and how long things last. The only place that reads the clock, or waits.

use std::ops::Add;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that is off by more than this is worth a word.
const TOLERABLE: i64 = 60;

/// Seconds since 1970.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Moment(pub(crate) i64);

impl Moment {
    #[allow(clippy::disallowed_methods, reason = "the edge: everything below gets it as a value")]
    pub(crate) fn now() -> Self {
        // A clock before 1970 is as wrong as one at 1970.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(seconds(since))
    }

    pub(crate) fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(seconds(time)))
    }

    /// How long it is until then; nothing where that has passed.
    pub(crate) fn until(self, then: Self) -> Duration {
        Duration::from_secs(u64::try_from(then.0.saturating_sub(self.0)).unwrap_or(0))
    }

    /// What is said where this, our clock, and another one that should agree do not.
    pub(crate) fn disagreement(self, other: Self, whose: &str) -> Option<String> {
        let behind = other.0.saturating_sub(self.0);
        if behind.saturating_abs() <= TOLERABLE {
            return None;
        }
        let by = spoken(Duration::from_secs(behind.unsigned_abs()));
        let side = if behind > 0 { "behind" } else { "ahead of" };
        Some(format!(
            "the clock of this machine is {by} {side} that of {whose}: tokens may be refused; set it \
             (timedatectl set-ntp true)"
        ))
    }
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

/// How long it is since then, as a moment of whatever kind.
pub(crate) fn since<T: Default + Add<Duration, Output = T>>(start: Instant) -> T {
    T::default() + start.elapsed()
}

/// For what has to be asked again and again: a lock, a listener, a device code.
#[allow(clippy::disallowed_methods, reason = "the one place")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// In the largest unit of which there are at least two: `90 seconds`, `54 minutes`, `3 hours`.
pub(crate) fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        1 => "1 second".to_owned(),
        0..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / 60),
        7200..172_800 => format!("{} hours", seconds / 3600),
        _ => format!("{} days", seconds / 86400),
    }
}

/// A whole number with `s`, `m`, `h` or `d`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || "is no duration: a whole number with s, m, h or d, such as \"5m\"".to_owned();
    let (unit, factor) = match text.chars().last() {
        Some('s') => ("s", 1),
        Some('m') => ("m", 60),
        Some('h') => ("h", 3600),
        Some('d') => ("d", 86400),
        _ => return Err(wrong()),
    };
    let digits = text.strip_suffix(unit).unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    // Far beyond what any token lasts, and far from what would overflow.
    match seconds.filter(|seconds| *seconds <= 366 * 86400) {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err("is longer than a year".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        let parsed = |text| parse(text).map(|time| time.as_secs());
        assert_eq!(parsed("0s"), Ok(0));
        assert_eq!(parsed("90s"), Ok(90));
        assert_eq!(parsed("5m"), Ok(300));
        assert_eq!(parsed("2h"), Ok(7200));
        assert_eq!(parsed("366d"), Ok(31_622_400));
        for bad in ["", "5", "m", "-5m", "+5m", "5 m", "1.5h", "5min", "ä", "367d"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse("99999999999999999999d").is_err());
    }

    #[test]
    fn times_are_told_in_the_largest_unit_of_which_there_are_two() {
        let told = |seconds| spoken(Duration::from_secs(seconds));
        assert_eq!(told(1), "1 second");
        assert_eq!([told(0), told(119)], ["0 seconds", "119 seconds"]);
        assert_eq!([told(120), told(7199)], ["2 minutes", "119 minutes"]);
        assert_eq!([told(7200), told(172_799)], ["2 hours", "47 hours"]);
        assert_eq!(told(172_800), "2 days");
    }

    #[test]
    fn a_clock_may_be_off_by_a_minute() {
        let ours = Moment(1000);
        for near in [940, 1000, 1060] {
            assert_eq!(ours.disagreement(Moment(near), "it"), None);
        }
        let told = |other| ours.disagreement(Moment(other), "it").unwrap();
        assert!(told(1061).contains("61 seconds behind that of it"), "{}", told(1061));
        assert!(told(939).contains("61 seconds ahead of that of it"), "{}", told(939));
        assert!(told(i64::MIN).contains("ahead"));
    }
}
