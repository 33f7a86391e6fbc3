//! Points in time as people write them: RFC 3339 section 5.6, or seconds since 1970.

use crate::clock::{LAST_SECOND, Timestamp};

/// Days before each month of a year that is no leap year.
const DAYS_BEFORE: [u16; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// Strictly: capital `T` and `Z`, no blanks, no leap second, from 1970 to 9999.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    if let Some(seconds) = digits(text).map(exact) {
        // More is milliseconds.
        return (seconds <= LAST_SECOND).then(|| Timestamp::from_seconds(seconds));
    }
    let (date, time) = text.split_once('T')?;
    let (time, offset) = match time.strip_suffix('Z') {
        Some(time) => (time, 0.0),
        None => {
            let sign = time.find(['+', '-'])?;
            let (time, offset) = time.split_at(sign);
            (time, seconds_of_offset(offset)?)
        }
    };
    Some(Timestamp::from_seconds(days(date)? * 86_400.0 + seconds_of_day(time)? - offset))
}

/// Since 1970.
fn days(date: &str) -> Option<f64> {
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4, 1970, 9999)?;
    let month = number(parts.next()?, 2, 1, 12)?;
    let leap = is_leap(year);
    let index = usize::try_from(month.checked_sub(1)?).ok()?;
    let before = DAYS_BEFORE.get(index)?;
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let day = number(parts.next()?, 2, 1, length)?;
    if parts.next().is_some() {
        return None;
    }
    let leap_day = u64::from(leap && month > 2);
    let of_years =
        (exact(year) - 1970.0) * 365.0 + leap_years_before(year) - leap_years_before(1970);
    Some(of_years + f64::from(*before) + exact(leap_day) + exact(day) - 1.0)
}

/// Since the year 1.
fn leap_years_before(year: u64) -> f64 {
    let last = year.saturating_sub(1);
    exact(last / 4) - exact(last / 100) + exact(last / 400)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

/// `10:00:00` or `10:00:00.5`.
fn seconds_of_day(time: &str) -> Option<f64> {
    let (whole, fraction) = match time.split_once('.') {
        Some((whole, digits)) => {
            let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            if digits.is_empty() || digits.len() > 9 || !only_digits {
                return None;
            }
            (whole, format!("0.{digits}").parse().ok()?)
        }
        None => (time, 0.0),
    };
    let mut parts = whole.split(':');
    let hour = number(parts.next()?, 2, 0, 23)?;
    let minute = number(parts.next()?, 2, 0, 59)?;
    let second = number(parts.next()?, 2, 0, 59)?;
    if parts.next().is_some() {
        return None;
    }
    Some(exact(hour) * 3600.0 + exact(minute) * 60.0 + exact(second) + fraction)
}

/// `+01:00` or `-01:00`.
fn seconds_of_offset(text: &str) -> Option<f64> {
    let (sign, rest) = match text.strip_prefix('+') {
        Some(rest) => (1.0, rest),
        None => (-1.0, text.strip_prefix('-')?),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes) = (number(hours, 2, 0, 23)?, number(minutes, 2, 0, 59)?);
    Some(sign * (exact(hours) * 3600.0 + exact(minutes) * 60.0))
}

/// So many digits, and a value within bounds.
fn number(text: &str, length: usize, least: u64, most: u64) -> Option<u64> {
    let value = digits(text).filter(|_| text.len() == length)?;
    (least..=most).contains(&value).then_some(value)
}

fn digits(text: &str) -> Option<u64> {
    let only_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| text.parse().ok())?
}

#[allow(
    clippy::cast_precision_loss,
    reason = "years, days and seconds are far below 2^53; more is no time"
)]
fn exact(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(text: &str) -> Option<f64> {
        parse(text).map(Timestamp::seconds)
    }

    #[test]
    fn a_time_is_read_to_the_second() {
        // As date(1) has them.
        let cases = [
            ("0", 0.0),
            ("1764064800", 1_764_064_800.0),
            ("0001764064800", 1_764_064_800.0),
            ("253402300799", 253_402_300_799.0),
            ("1970-01-01T00:00:00Z", 0.0),
            ("1970-01-01T00:00:01Z", 1.0),
            ("1972-02-29T00:00:00Z", 68_169_600.0),
            ("1972-03-01T00:00:00Z", 68_256_000.0),
            ("1999-12-31T23:59:59Z", 946_684_799.0),
            ("2000-02-29T12:00:00Z", 951_825_600.0),
            ("2000-03-01T00:00:00Z", 951_868_800.0),
            ("2025-11-25T10:00:00Z", 1_764_064_800.0),
            ("2025-11-25T10:00:00.5Z", 1_764_064_800.5),
            ("2025-11-25T10:00:00.000000001Z", 1_764_064_800.0),
            ("2025-11-25T11:30:00+01:30", 1_764_064_800.0),
            ("2025-11-25T08:30:00-01:30", 1_764_064_800.0),
            ("2025-11-24T10:01:00-23:59", 1_764_064_800.0),
            ("2025-11-25T10:00:00-00:00", 1_764_064_800.0),
            ("2100-03-01T00:00:00Z", 4_107_542_400.0),
            ("9999-12-31T23:59:59Z", 253_402_300_799.0),
        ];
        for (text, wanted) in cases {
            assert_eq!(seconds(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn every_month_begins_where_the_one_before_ends() {
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        for (year, leap) in [(2025, 0), (2024, 1), (2000, 1), (2100, 0)] {
            let mut last = days(&format!("{year}-01-01")).unwrap() - 1.0;
            for (month, length) in (1..).zip(lengths) {
                let length = if month == 2 { length + leap } else { length };
                for day in 1..=length {
                    let day = days(&format!("{year}-{month:02}-{day:02}")).unwrap();
                    assert_eq!(day, last + 1.0);
                    last = day;
                }
                let beyond = format!("{year}-{month:02}-{:02}", length + 1);
                assert_eq!(days(&beyond), None, "{beyond}");
            }
            assert_eq!(days(&format!("{}-01-01", year + 1)), Some(last + 1.0));
        }
    }

    #[test]
    fn anything_else_is_no_time() {
        let wrong = [
            "",
            "-1",
            "+1",
            "1.5",
            "1764064800000",
            "253402300800",
            "99999999999999999999999",
            "\u{661}",
            "2025-11-25",
            "2025-11-25T10:00Z",
            "2025-11-25T10:00:00",
            "2025-11-25T10:00:00z",
            "2025-11-25t10:00:00Z",
            "2025-11-25 10:00:00Z",
            "2025-11-25T10:00:00ZZ",
            "2025-11-25T10:00:00Z+01:00",
            "2025-11-25T10:00:00+01",
            "2025-11-25T10:00:00+0100",
            "2025-11-25T10:00:00+01:60",
            "2025-11-25T10:00:00+24:00",
            "2025-11-25T10:00:00+1:00",
            "2025-11-25T10:00:00+-1:00",
            "2025-11-25T24:00:00Z",
            "2025-11-25T10:60:00Z",
            "2025-11-25T10:00:60Z",
            "2025-11-25T1:00:00Z",
            "2025-11-25T10:00:00:00Z",
            "2025-11-25T10:00:00.Z",
            "2025-11-25T10:00:00.0000000001Z",
            "2025-11-25T10:00:00.5eZ",
            "2025-11-25T10:00:00,5Z",
            "2025-11-25T10:00:00.5.5Z",
            "2025-00-25T10:00:00Z",
            "2025-13-25T10:00:00Z",
            "2025-11-00T10:00:00Z",
            "2025-11-31T10:00:00Z",
            "2025-02-29T10:00:00Z",
            "2025-1-25T10:00:00Z",
            "2025-11-25-01T10:00:00Z",
            "25-11-25T10:00:00Z",
            "1969-12-31T23:59:59Z",
            "10000-01-01T00:00:00Z",
            "-2025-11-25T10:00:00Z",
            " 2025-11-25T10:00:00Z",
        ];
        for text in wrong {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), close in "[-+0-9TZ:.]{0,30}") {
            let _time = (seconds(&text), seconds(&close));
        }
    }
}
