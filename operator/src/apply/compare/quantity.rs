//! Quantities of Kubernetes: `1`, `1000m` and `1e0` are the same one, and an API server writes
//! each in its own way.

use serde_json::Value;

/// Is a quantity what is in the field `name` of a map in the field `parent`?
pub(super) fn is_at(parent: &str, name: &str) -> bool {
    matches!(parent, "requests" | "limits" | "capacity") || matches!(name, "sizeLimit" | "divisor")
}

/// Do both say the same amount?
pub(super) fn same(one: &Value, other: &Value) -> bool {
    match (nanos_of(one), nanos_of(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

fn nanos_of(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => nanos(text),
        Value::Number(number) => nanos(&number.to_string()),
        _ => None,
    }
}

/// The amount in billionths, which is the finest that Kubernetes has: it rounds up.
fn nanos(text: &str) -> Option<i128> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let places = u32::try_from(fraction.len()).ok()?;
    let (multiplier, exponent) = scale(suffix)?;
    let value = digits.checked_mul(multiplier)?;
    let exponent = exponent + 9 - i32::try_from(places).ok()?;
    let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
    let size = if exponent >= 0 {
        value.checked_mul(power)?
    } else {
        value / power + i128::from(value % power != 0)
    };
    Some(if text.starts_with('-') { -size } else { size })
}

/// A suffix as a factor and a power of ten.
fn scale(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "" => (1, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        other => (1, other.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}
