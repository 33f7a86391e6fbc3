//! Points in time, as tokens and caches mean them.

use std::time::{Duration, Instant, SystemTime};

/// Seconds since 1970 (RFC 7519 section 2, `NumericDate`), with a fraction.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Timestamp(f64);

impl Timestamp {
    pub(crate) const fn from_seconds(seconds: f64) -> Self {
        Self(seconds)
    }

    pub(crate) const fn seconds(self) -> f64 {
        self.0
    }

    pub(crate) fn plus(self, duration: Duration) -> Self {
        Self(self.0 + duration.as_secs_f64())
    }

    /// RFC 3339 in UTC, to the second; `None` outside the years 1970 to 9999.
    pub(crate) fn date(self) -> Option<String> {
        if !(0.0..=LAST_SECOND).contains(&self.0) {
            return None;
        }
        #[allow(
            clippy::cast_possible_truncation,
            reason = "it is in range, and whole seconds count"
        )]
        let seconds = self.0 as i64;
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
    }

    /// Whether `self` is not before `start` and not, beyond what the clocks of two processes
    /// differ by, after `now`.
    pub(crate) fn is_between(self, start: Self, now: Self) -> bool {
        start.0 <= self.0 && self.0 <= now.0 + SKEW
    }

    /// How many seconds ago, where that is less than `most`. What another process wrote just now
    /// may lie a little ahead.
    pub(crate) fn ago_within(self, most: f64, now: Self) -> Option<f64> {
        let ago = now.0 - self.0;
        let counted = ago.max(0.0);
        (ago >= -SKEW && counted < most).then_some(counted)
    }

    /// How many seconds `self` lies after `earlier`; negative where it lies before.
    pub(crate) fn since(self, earlier: Self) -> f64 {
        self.0 - earlier.0
    }
}

/// Seconds by which the time of one process may be ahead of another's on the same machine: each
/// reads the clock once and counts on.
const SKEW: f64 = 1.0;

/// The end of the year 9999.
pub(crate) const LAST_SECOND: f64 = 253_402_300_799.0;

/// Year, month and day of a day since 1970-01-01, in the Gregorian calendar. Years begin in March
/// here, so that the leap day is the last of a year.
#[allow(clippy::arithmetic_side_effects, reason = "days of the years 1970 to 9999 stay small")]
fn civil(days: i64) -> (i64, i64, i64) {
    // Days since 0000-03-01; 146097 of them are 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

/// The clock of one login: the time of day is read once, when it begins, and goes on by the
/// monotonic clock. So it cannot step in the middle of a login.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    began: Timestamp,
    running: Option<Instant>,
}

impl Clock {
    /// The clock of the machine. Started at the edge and nowhere else.
    #[allow(clippy::disallowed_methods, reason = "this is the edge")]
    pub(crate) fn start() -> Self {
        // A clock before 1970 is wrong in the direction that keeps tokens alive; infinity ends
        // them all, and the message tells to check the clock.
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let began = Timestamp(since.map_or(f64::INFINITY, |since| since.as_secs_f64()));
        Self { began, running: Some(Instant::now()) }
    }

    /// A clock that stands still.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn standing_at(began: Timestamp) -> Self {
        Self { began, running: None }
    }

    /// When the login began.
    pub(crate) fn began(&self) -> Timestamp {
        self.began
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.began.plus(self.elapsed())
    }

    /// Since the login began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.running.map(|began| began.elapsed()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let cases = [
            (0.0, "1970-01-01T00:00:00Z"),
            (951_782_399.9, "2000-02-28T23:59:59Z"),
            (951_782_400.0, "2000-02-29T00:00:00Z"),
            (951_868_800.0, "2000-03-01T00:00:00Z"),
            (1_800_000_000.0, "2027-01-15T08:00:00Z"),
            (1_800_003_723.0, "2027-01-15T09:02:03Z"),
            (4_107_542_399.0, "2100-02-28T23:59:59Z"),
            (4_107_542_400.0, "2100-03-01T00:00:00Z"),
            (LAST_SECOND, "9999-12-31T23:59:59Z"),
        ];
        for (seconds, date) in cases {
            assert_eq!(Timestamp::from_seconds(seconds).date().as_deref(), Some(date));
        }
        for seconds in [-1.0, LAST_SECOND + 1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Timestamp::from_seconds(seconds).date(), None, "{seconds}");
        }
    }

    #[test]
    fn what_is_just_ahead_counts_as_now_and_nothing_is_less_than_no_time_ago() {
        let now = Timestamp::from_seconds(1000.0);
        let ago =
            |seconds: f64, most| Timestamp::from_seconds(1000.0 - seconds).ago_within(most, now);
        assert_eq!(ago(0.0, 5.0), Some(0.0));
        assert_eq!(ago(4.5, 5.0), Some(4.5));
        assert_eq!(ago(5.0, 5.0), None);
        assert_eq!(ago(-SKEW, 5.0), Some(0.0));
        assert_eq!(ago(-1.5 * SKEW, 5.0), None);
        for seconds in [0.0, 0.5, -0.5, -SKEW, f64::NAN] {
            assert_eq!(ago(seconds, 0.0), None, "{seconds}");
        }
    }

    #[test]
    fn between_two_times_are_both_of_them_and_a_little_beyond() {
        let [start, now] = [900.0, 1000.0].map(Timestamp::from_seconds);
        let between = |seconds| Timestamp::from_seconds(seconds).is_between(start, now);
        assert!(between(900.0) && between(1000.0) && between(1000.0 + SKEW));
        assert!(!between(899.5) && !between(1000.5 + SKEW));
    }

    #[test]
    fn a_clock_goes_on_from_when_the_login_began() {
        let clock = Clock::standing_at(Timestamp::from_seconds(1000.0));
        assert_eq!((clock.began(), clock.now()), (clock.now(), Timestamp::from_seconds(1000.0)));
        assert_eq!(clock.elapsed(), Duration::ZERO);
        let clock = Clock::start();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(2) {}
        assert!(clock.now().since(clock.began()) > 0.001);
        // Somewhere in this century.
        assert!((1_700_000_000.0..4_200_000_000.0).contains(&clock.began().seconds()));
        let later = clock.began().plus(Duration::from_secs(90));
        assert!((later.since(clock.began()) - 90.0).abs() < 0.001);
        assert!((clock.began().since(later) + 90.0).abs() < 0.001);
    }
}
