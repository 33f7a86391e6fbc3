//! What a field manager has in an object by its applies: FieldsV1 of `metadata.managedFields`.
//!
//! `f:NAME` is a field, `k:KEY` the item of a list by its key in JSON, `v:VALUE` an item that is
//! a value, `i:INDEX` one by its place, `.` the thing itself.

use serde_json::{Map, Value};

use super::lists;
use super::path::Path;

/// The fields of a manager, those of subresources left out.
pub(super) fn fields<'a>(live: &'a Value, manager: &str) -> Option<&'a Value> {
    let entries = live["metadata"]["managedFields"].as_array()?;
    let ours = |entry: &&Value| {
        entry["manager"] == manager
            && entry["operation"] == "Apply"
            && entry["subresource"].as_str().unwrap_or_default().is_empty()
    };
    entries.iter().find(ours).map(|entry| &entry["fieldsV1"])
}

/// The paths in `ours` that `wanted` does not have.
pub(super) fn no_longer_wanted(ours: &Value, wanted: &Value) -> Vec<String> {
    let mut walk = Walk { path: Path::default(), found: Vec::new() };
    walk.node(ours, wanted);
    walk.found
}

struct Walk {
    path: Path,
    found: Vec<String>,
}

impl Walk {
    fn node(&mut self, ours: &Value, wanted: &Value) {
        for (name, below) in ours.as_object().into_iter().flatten() {
            let Some((kind, rest)) = name.split_once(':') else { continue };
            let (segment, there) = match kind {
                "f" => (rest.to_owned(), wanted.get(rest)),
                "k" => item(rest, wanted),
                "v" => value(rest, wanted),
                // A place says nothing of what was there.
                _ => continue,
            };
            self.path.enter(segment);
            match there.filter(|there| !there.is_null()) {
                Some(there) => self.node(below, there),
                None => self.found.push(self.path.to_string()),
            }
            self.path.leave();
        }
    }
}

/// The item with the key, which is JSON.
fn item<'a>(key: &str, wanted: &'a Value) -> (String, Option<&'a Value>) {
    let key: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
    let items = wanted.as_array().map_or(&[][..], Vec::as_slice);
    (lists::show(&key), lists::find(items, &key))
}

/// The item that is the value, which is JSON.
fn value<'a>(value: &str, wanted: &'a Value) -> (String, Option<&'a Value>) {
    let value: Value = serde_json::from_str(value).unwrap_or_default();
    let items = wanted.as_array().into_iter().flatten();
    ("[]".to_owned(), items.into_iter().find(|item| **item == value))
}

/// What is owned below a field.
pub(super) fn below<'a>(ours: Option<&'a Value>, field: &str) -> Option<&'a Value> {
    ours?.get(format!("f:{field}"))
}

/// What is owned below the item with the key.
pub(super) fn below_item<'a>(
    ours: Option<&'a Value>,
    key: &Map<String, Value>,
) -> Option<&'a Value> {
    let same = |name: &str| {
        let theirs = name.strip_prefix("k:").and_then(|json| serde_json::from_str(json).ok());
        theirs.as_ref() == Some(key)
    };
    ours?.as_object()?.iter().find(|(name, _)| same(name)).map(|(_, below)| below)
}
