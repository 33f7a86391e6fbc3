//! Maintenance windows: when what interrupts a cluster may be done.
//!
//! In: `HH:MM-HH:MM` or `Sat:HH:MM-HH:MM`, in UTC, of a manifest or, where it has none, of the
//! configuration. Out: whether one is open, and when the next one opens. Where none is named,
//! one is always open.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::api::spec::PostgresSpec;
use crate::config::Config;

/// The windows of one cluster.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Windows(Vec<Window>);

impl Windows {
    /// Those of a manifest, or of the configuration where it has none. Texts that are no window
    /// were refused before.
    pub fn of(spec: &PostgresSpec, config: &Config) -> Self {
        let operation = &config.operation;
        if !operation.enable_maintenance_windows {
            return Self::default();
        }
        let own = &spec.maintenance_windows;
        let texts = if own.is_empty() { &operation.maintenance_windows } else { own };
        Self(texts.iter().filter_map(|text| Window::parse(text).ok()).collect())
    }

    pub fn is_open(&self, now: Timestamp) -> bool {
        self.0.is_empty() || self.0.iter().any(|window| window.is_open(now))
    }

    /// When one opens that is closed now; `None` if one is open.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        if self.is_open(now) {
            return None;
        }
        self.0.iter().filter_map(|window| window.next(now)).min()
    }
}

/// Every day, or on one day of the week.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Window {
    day: Option<Weekday>,
    /// Minutes of a day.
    from: i32,
    /// The first minute that is not in it, unless it is where it begins.
    to: i32,
}

const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

/// # Errors
/// What is wrong with a text that is no window; it goes on after the text itself.
pub fn check(text: &str) -> Result<(), &'static str> {
    Window::parse(text).map(drop)
}

impl Window {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (from, to) =
            text.split_once('-').ok_or("has no -: write 01:00-06:00 or Sat:01:00-06:00")?;
        let (day, from) = match from.split_once(':') {
            Some((day, time)) if time.contains(':') => (Some(day), time),
            _ => (None, from),
        };
        let unknown = "begins with no day of the week: write Mon, Tue, Wed, ...";
        let day = day.map(|day| weekday(day).ok_or(unknown)).transpose()?;
        let (Some(from), Some(to)) = (minutes(from), minutes(to)) else {
            return Err("has a time that is none: write 01:00-06:00 or Sat:01:00-06:00");
        };
        if to < from {
            return Err("ends before it begins");
        }
        Ok(Self { day, from, to })
    }

    fn is_open(&self, now: Timestamp) -> bool {
        let now = now.to_zoned(TimeZone::UTC);
        let minute = i32::from(now.hour()) * 60 + i32::from(now.minute());
        self.day.is_none_or(|day| day == now.weekday())
            && minute >= self.from
            && minute < self.to.max(self.from + 1)
    }

    /// When it begins the next time.
    fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let begins = |days: i64| {
            let day = now.to_zoned(TimeZone::UTC).date().checked_add(jiff::Span::new().days(days));
            let day = day.ok().filter(|day| self.day.is_none_or(|own| own == day.weekday()))?;
            let (hour, minute) = (self.from / 60, self.from % 60);
            let (hour, minute) = (i8::try_from(hour).ok()?, i8::try_from(minute).ok()?);
            Some(day.at(hour, minute, 0, 0).to_zoned(TimeZone::UTC).ok()?.timestamp())
        };
        // Today's may be over, and then it is the same day of the next week.
        (0..=7).filter_map(begins).find(|at| *at > now)
    }
}

/// Three letters of it will do.
fn weekday(text: &str) -> Option<Weekday> {
    let text = text.to_ascii_lowercase();
    let names = |name: &str| name == text || name.get(..3) == Some(text.as_str());
    DAYS.iter().find(|(name, _)| names(name)).map(|(_, day)| *day)
}

/// Of a day.
fn minutes(time: &str) -> Option<i32> {
    let (hours, minutes) = time.split_once(':')?;
    let number = |text: &str, shortest: usize, limit: i32| {
        let is_number = (shortest..=2).contains(&text.len());
        let is_number = is_number && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>().ok().filter(|number| is_number && *number < limit)
    };
    Some(number(hours, 1, 24)? * 60 + number(minutes, 2, 60)?)
}

#[cfg(test)]
mod tests;
