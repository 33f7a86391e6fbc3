//! Whether a value that could be read makes sense by itself. In: a key and a [`Config`] that has
//! the value. Out: nothing, or what would be right.

use std::time::Duration;

use serde_json::Value;

use super::Config;
use super::keys::{Key, Rule};
use super::show::value;

/// The first rule of `key` that does not hold.
pub(super) fn check(key: &'static Key, config: &mut Config) -> Result<(), String> {
    if key.rules.is_empty() {
        return Ok(());
    }
    let found = value(key, config);
    key.rules.iter().try_for_each(|rule| match rule {
        Rule::NotEmpty(_) | Rule::Secret | Rule::Restart | Rule::NotYet => Ok(()),
        Rule::Each(holds) => texts(&found).try_for_each(holds),
        Rule::Pairs(holds) => pairs(&found).try_for_each(|(name, value)| holds(name, value)),
        Rule::AtLeast(millis) => at_least(key, config, Duration::from_millis(*millis)),
        Rule::Within(low, high) => within(&found, *low, *high),
        Rule::Kind(kind) => of_kind(&found, kind),
    })
}

/// A text, or the items of a list; not those that are empty.
fn texts(found: &Value) -> impl Iterator<Item = &str> {
    let items = match found {
        Value::Array(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    items.iter().filter_map(Value::as_str).filter(|text| !text.is_empty())
}

fn pairs(found: &Value) -> impl Iterator<Item = (&str, &str)> {
    let object = found.as_object().into_iter().flatten();
    object.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

fn at_least(key: &Key, config: &mut Config, least: Duration) -> Result<(), String> {
    let super::keys::Slot::Time(at) = key.slot else { return Ok(()) };
    if *at(config) < least {
        return Err(format!("it has to be at least {}", super::text::go_duration(least)));
    }
    Ok(())
}

fn within(found: &Value, low: i64, high: i64) -> Result<(), String> {
    match found.as_i64() {
        Some(number) if !(low..=high).contains(&number) => {
            Err(format!("write a number from {low} to {high}"))
        }
        _ => Ok(()),
    }
}

fn of_kind(found: &Value, kind: &str) -> Result<(), String> {
    match found {
        Value::Null => Ok(()),
        Value::Object(object) if object.get("kind").and_then(Value::as_str) == Some(kind) => Ok(()),
        _ => Err(format!("write an object with `kind: {kind}`")),
    }
}
