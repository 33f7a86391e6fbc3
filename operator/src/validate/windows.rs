//! `maintenanceWindows`: `HH:MM-HH:MM` or `Sat:HH:MM-HH:MM`, in UTC, which end no earlier than
//! they begin.

use crate::api::postgresql::FieldError;

const DAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// # Errors
/// The first window that is none.
pub(super) fn check(windows: &[String]) -> Result<(), FieldError> {
    for (index, window) in windows.iter().enumerate() {
        let wrong = |reason: &str| {
            let field = format!("spec.maintenanceWindows[{index}]");
            FieldError::new(field, format!("{window:?} {reason}"))
        };
        let Some((from, to)) = window.split_once('-') else {
            return Err(wrong("has no -: write 01:00-06:00 or Sat:01:00-06:00"));
        };
        let (day, from) = day(from);
        if day.is_some_and(|day| !is_day(day)) {
            return Err(wrong("begins with no day of the week: write Mon, Tue, Wed, ..."));
        }
        let (Some(from), Some(to)) = (minutes(from), minutes(to)) else {
            return Err(wrong("has a time that is none: write 01:00-06:00 or Sat:01:00-06:00"));
        };
        if to < from {
            return Err(wrong("ends before it begins"));
        }
    }
    Ok(())
}

/// `Sat:01:00` -> `Sat` and `01:00`.
fn day(end: &str) -> (Option<&str>, &str) {
    match end.split_once(':') {
        Some((day, time)) if time.contains(':') => (Some(day), time),
        _ => (None, end),
    }
}

/// Three letters of it will do.
fn is_day(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    DAYS.iter().any(|day| *day == text || day.get(..3) == Some(text.as_str()))
}

/// Of a day.
fn minutes(time: &str) -> Option<u16> {
    let (hours, minutes) = time.split_once(':')?;
    let number = |text: &str, shortest: usize, limit: u16| {
        let is_number = (shortest..=2).contains(&text.len());
        let is_number = is_number && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| is_number && *number < limit)
    };
    Some(number(hours, 1, 24)? * 60 + number(minutes, 2, 60)?)
}
