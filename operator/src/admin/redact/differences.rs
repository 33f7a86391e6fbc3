//! What differs between two manifests, in lines for the history, without secrets.

use std::collections::BTreeSet;

use serde_json::Value;

use super::redact;

const MOST_LINES: usize = 100;
/// Bytes of each side of a line.
const LONGEST_SIDE: usize = 200;

/// One line for each field that differs: `numberOfInstances: 1 -> 2`. At most 100. A secret that
/// changed is a line that does not say to what.
pub fn differences(old: &Value, new: &Value) -> Vec<String> {
    let mut shown = [old.clone(), new.clone()];
    shown.iter_mut().for_each(redact);
    let [old_shown, new_shown] = &shown;
    let mut lines = Vec::new();
    compare("", old_shown, new_shown, &mut lines);
    if lines.is_empty() && old != new {
        lines.push("something that is not shown".to_owned());
    }
    if lines.len() > MOST_LINES {
        lines.truncate(MOST_LINES - 1);
        lines.push("and more".to_owned());
    }
    lines
}

fn compare(path: &str, old: &Value, new: &Value, lines: &mut Vec<String>) {
    if old == new || lines.len() > MOST_LINES {
        return;
    }
    let (Value::Object(old_fields), Value::Object(new_fields)) = (old, new) else {
        lines.push(format!("{path}: {} -> {}", side(old), side(new)));
        return;
    };
    let keys: BTreeSet<&String> = old_fields.keys().chain(new_fields.keys()).collect();
    for key in keys {
        let dot = if path.is_empty() { "" } else { "." };
        let of = |fields: &serde_json::Map<String, Value>| {
            fields.get(key.as_str()).cloned().unwrap_or_default()
        };
        let path = format!("{path}{dot}{}", key.escape_debug());
        compare(&path, &of(old_fields), &of(new_fields), lines);
    }
}

fn side(value: &Value) -> String {
    let mut text = value.to_string();
    if text.len() > LONGEST_SIDE {
        text.truncate(text.floor_char_boundary(LONGEST_SIDE));
        text.push('…');
    }
    text
}
