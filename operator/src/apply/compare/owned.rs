//! What a field manager has in an object by its applies: FieldsV1 of `metadata.managedFields`.
//!
//! `f:NAME` is a field, `k:KEY` the item of a list by its key in JSON, `v:VALUE` an item that is
//! a value, `i:INDEX` one by its place, `.` the thing itself.

use serde_json::{Map, Value};

use super::Field;
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
pub(super) fn no_longer_wanted(ours: &Value, wanted: &Value, live: &Value) -> Vec<Field> {
    let mut walk = Walk { path: Path::default(), found: Vec::new() };
    walk.node(ours, wanted, live);
    walk.found
}

struct Walk {
    path: Path,
    found: Vec<Field>,
}

impl Walk {
    fn node(&mut self, ours: &Value, wanted: &Value, live: &Value) {
        for (name, below) in ours.as_object().into_iter().flatten() {
            let Some((kind, rest)) = name.split_once(':') else { continue };
            let Some((segment, there)) = find(kind, rest, wanted) else { continue };
            let from = find(kind, rest, live).and_then(|(_, from)| from).unwrap_or(&Value::Null);
            self.path.enter(segment);
            match there {
                Some(there) => self.node(below, there, from),
                None => {
                    let (path, from) = (self.path.to_string(), from.clone());
                    self.found.push(Field { path, from, to: Value::Null });
                }
            }
            self.path.leave();
        }
    }
}

/// What is there by a name of FieldsV1, and how that is shown.
fn find<'a>(kind: &str, rest: &str, object: &'a Value) -> Option<(String, Option<&'a Value>)> {
    let (segment, found) = match kind {
        "f" => (rest.to_owned(), object.get(rest)),
        "k" => item(rest, object),
        "v" => value(rest, object),
        // A place says nothing of what was there.
        _ => return None,
    };
    Some((segment, found.filter(|found| !found.is_null())))
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
