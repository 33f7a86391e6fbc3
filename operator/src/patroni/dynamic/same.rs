//! Whether two values of a setting mean the same: a manifest has text, Patroni keeps what it was
//! given. A difference that is none would be written once and then be none; a difference that is
//! overlooked would stay. So only what is certain counts as the same.

use serde_json::Value;

/// Longer values are not shown, in bytes.
const LONGEST_SHOWN: usize = 30;

/// A value of a parameter of PostgreSQL, and the text of a manifest.
pub(super) fn parameter(there: &Value, wanted: &str) -> bool {
    text(there).is_some_and(|there| same(there.trim(), wanted.trim()))
}

/// Two values of one of Patroni's own settings. What is not there is off.
pub(super) fn setting(there: Option<&Value>, wanted: &Value) -> bool {
    let there = there.unwrap_or(&Value::Null);
    match wanted {
        // `quorum` is a way to be on, which a manifest cannot name.
        Value::Bool(wanted) => match there {
            Value::Null => !wanted,
            Value::String(word) if word.eq_ignore_ascii_case("quorum") => *wanted,
            there => text(there).and_then(|word| flag(&word)) == Some(*wanted),
        },
        wanted => match (text(there), text(wanted)) {
            (Some(there), Some(wanted)) => same(there.trim(), &wanted) || near(&there, &wanted),
            _ => false,
        },
    }
}

/// The text of a value that has one.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A value that says nothing but what it is. Commands and connection strings may hold passwords.
pub(super) fn shown(value: &Value) -> Option<String> {
    if value.is_null() {
        return Some("(none)".to_owned());
    }
    let text = text(value)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ['.', '_', '-', '%'].contains(&c);
    (text.len() <= LONGEST_SHOWN && text.chars().all(is_plain)).then_some(text)
}

/// `name: from -> to`, or the name alone.
pub(super) fn turn(name: &str, from: &Value, to: &Value) -> String {
    let name = name.escape_debug();
    match (shown(from), shown(to)) {
        (Some(from), Some(to)) => format!("{name}: {from} -> {to}"),
        _ => name.to_string(),
    }
}

fn same(one: &str, other: &str) -> bool {
    if let (Some(one), Some(other)) = (amount(one), amount(other)) {
        return one == other;
    }
    one == other || (flag(one).is_some() && flag(one) == flag(other))
}

/// As PostgreSQL and Patroni read it.
fn flag(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Some(true),
        "off" | "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// Bytes that were kept in single precision at the bootstrap are those that were meant.
fn near(one: &str, other: &str) -> bool {
    match (one.parse::<f32>(), other.parse::<f32>()) {
        (Ok(one), Ok(other)) => one.is_finite() && one.to_bits() == other.to_bits(),
        _ => false,
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// In whatever unit the parameter has.
    Plain,
    Bytes,
    Microseconds,
}

/// A number with a unit of PostgreSQL, in the least unit of its kind.
fn amount(text: &str) -> Option<(Kind, f64)> {
    let end = text.find(|c: char| c.is_ascii_alphabetic() && c != 'e' && c != 'E');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let number: f64 = number.trim().parse().ok()?;
    let (kind, factor) = match unit {
        "" => (Kind::Plain, 1.0),
        "B" => (Kind::Bytes, 1.0),
        "kB" => (Kind::Bytes, 1024.0),
        "MB" => (Kind::Bytes, 1_048_576.0),
        "GB" => (Kind::Bytes, 1_073_741_824.0),
        "TB" => (Kind::Bytes, 1_099_511_627_776.0),
        "us" => (Kind::Microseconds, 1.0),
        "ms" => (Kind::Microseconds, 1e3),
        "s" => (Kind::Microseconds, 1e6),
        "min" => (Kind::Microseconds, 6e7),
        "h" => (Kind::Microseconds, 3.6e9),
        "d" => (Kind::Microseconds, 8.64e10),
        _ => return None,
    };
    number.is_finite().then_some((kind, number * factor))
}
