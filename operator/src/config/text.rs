//! Values as a ConfigMap has them: the forms of Go's standard library and of the reference.
//!
//! In: text. Out: a value, or what would have been right. Never an excerpt of the text, which may
//! be anything.

use std::time::Duration;

/// A year: beyond it clocks and timers begin to overflow.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// The words of `strconv.ParseBool`.
pub(super) fn flag(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}

/// A duration of Go, such as `1h30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "write a duration such as 300ms, 5m or 1h30m".to_owned();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut sum = 0.0_f64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, behind) = rest.split_at(end);
        let unit_end =
            behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_end);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        sum += number.parse::<f64>().map_err(|_| wrong())? * seconds;
        rest = behind;
    }
    // To the nanosecond, which the sum of fractions is not.
    let time = Duration::try_from_secs_f64(sum).map_err(|_| wrong())?;
    if time > LONGEST {
        return Err("that is longer than a year".to_owned());
    }
    Ok(time)
}

/// The same the other way, as Go prints it: `30m0s`.
pub(super) fn go_duration(time: Duration) -> String {
    let (seconds, nanos) = (time.as_secs(), time.subsec_nanos());
    if seconds == 0 && nanos > 0 {
        let (value, unit) = match nanos {
            0..1_000 => (f64::from(nanos), "ns"),
            1_000..1_000_000 => (f64::from(nanos) / 1e3, "µs"),
            _ => (f64::from(nanos) / 1e6, "ms"),
        };
        return format!("{value}{unit}");
    }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let mut rest = (seconds % 60).to_string();
    if nanos > 0 {
        rest.push('.');
        rest.push_str(format!("{nanos:09}").trim_end_matches('0'));
    }
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// The items of a list, without blanks around them and without empty ones; and whether there
/// were blanks, which the reference takes for a part of the item.
pub(super) fn list(text: &str) -> (Vec<String>, bool) {
    let items = text.split(',');
    let blanks = items.clone().any(|item| item.trim() != item);
    let items = items.map(str::trim).filter(|item| !item.is_empty());
    (items.map(str::to_owned).collect(), blanks)
}

/// The parts of `k:v,k2:'v,2'`: commas within quotes do not count. Blanks around a part go,
/// quotes stay.
pub(super) fn parts(text: &str) -> Result<Vec<&str>, String> {
    let mut parts = Vec::new();
    let mut open: Option<(char, usize)> = None;
    let mut start = 0;
    for (number, (at, c)) in text.char_indices().enumerate() {
        match (c, open) {
            ('"' | '\'', None) => open = Some((c, number)),
            ('"' | '\'', Some((quote, _))) if quote == c => open = None,
            (',', None) => {
                parts.push(text[start..at].trim_matches([' ', '\t']));
                start = at + 1;
            }
            _ => {}
        }
    }
    if let Some((_, number)) = open {
        return Err(format!("unmatched quote starting at position {}", number + 1));
    }
    parts.push(text[start..].trim_matches([' ', '\t']));
    Ok(parts)
}

/// `k:v,k2:v2`; empty parts do not count.
pub(super) fn pairs(text: &str) -> Result<Vec<(&str, &str)>, String> {
    let mut pairs = Vec::new();
    for (number, part) in parts(text)?.into_iter().enumerate().filter(|(_, part)| !part.is_empty())
    {
        match part.split(':').collect::<Vec<_>>()[..] {
            [key, value] => pairs.push((key, value)),
            _ => {
                let number = number + 1;
                return Err(format!(
                    "part {number} is not key:value with one colon; commas stand between parts"
                ));
            }
        }
    }
    Ok(pairs)
}

/// Without a pair of quotes around it.
pub(super) fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let inner = |quote| text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inner('\'').or_else(|| inner('"')).unwrap_or(text)
}
