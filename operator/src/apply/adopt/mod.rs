//! Objects that another operator made by plain updates: what it once set, a server-side apply of
//! ours never takes away, because it is not ours. A variable that is removed from a manifest
//! would stay in the StatefulSet for ever.
//!
//! In: such an object. Out: its managed fields, with what the other one set as if we had applied
//! it. The apply that follows removes what we do not want of it, and the API server fills in its
//! defaults again. Never what pods or Patroni depend on beside us: only labels, annotations,
//! owners and `spec`, and nothing of Endpoints and ConfigMaps, where the lock of a cluster is.

use serde_json::{Map, Value, json};

#[cfg(test)]
mod tests;

/// Kinds that Patroni writes to, too.
const SHARED: [&str; 2] = ["ConfigMap", "Endpoints"];

/// The `metadata.managedFields` of `live` by which `manager` has what `predecessor` set; `None`
/// if nothing is to be done. To be written once, together with the resource version.
pub fn adopted(live: &Value, manager: &str, predecessor: &str) -> Option<Value> {
    if live["kind"].as_str().is_none_or(|kind| SHARED.contains(&kind)) {
        return None;
    }
    let entries = live["metadata"]["managedFields"].as_array()?;
    let is = |entry: &Value, manager: &str, operation: &str| {
        entry["manager"] == manager
            && entry["operation"] == operation
            && entry["subresource"].as_str().unwrap_or_default().is_empty()
    };
    let mut taken = json!({});
    let mut version = Value::Null;
    let mut kept = Vec::new();
    let mut ours = None;
    for entry in entries {
        if is(entry, predecessor, "Update") {
            let (part, rest) = split(&entry["fieldsV1"]);
            join(&mut taken, &part);
            version = entry["apiVersion"].clone();
            if rest.as_object().is_some_and(|rest| !rest.is_empty()) {
                let mut entry = entry.clone();
                entry["fieldsV1"] = rest;
                kept.push(entry);
            }
        } else if is(entry, manager, "Apply") {
            ours = Some(entry.clone());
        } else {
            kept.push(entry.clone());
        }
    }
    if taken.as_object().is_none_or(Map::is_empty) {
        return None;
    }
    let mut ours = ours.unwrap_or_else(|| {
        json!({
            "apiVersion": version,
            "fieldsType": "FieldsV1",
            "fieldsV1": {},
            "manager": manager,
            "operation": "Apply",
        })
    });
    join(&mut ours["fieldsV1"], &taken);
    kept.push(ours);
    Some(Value::Array(kept))
}

/// Of the metadata, what is adopted.
const METADATA: [&str; 3] = ["f:annotations", "f:labels", "f:ownerReferences"];

/// What is adopted, and what is not.
fn split(fields: &Value) -> (Value, Value) {
    let (mut part, mut rest) = (json!({}), json!({}));
    for (name, below) in fields.as_object().into_iter().flatten() {
        match name.as_str() {
            "f:spec" => part[name] = below.clone(),
            "f:metadata" => {
                for (field, below) in below.as_object().into_iter().flatten() {
                    let side =
                        if METADATA.contains(&field.as_str()) { &mut part } else { &mut rest };
                    side[name][field] = below.clone();
                }
            }
            _ => rest[name] = below.clone(),
        }
    }
    (part, rest)
}

/// The union of two sets of fields.
fn join(all: &mut Value, more: &Value) {
    for (name, below) in more.as_object().into_iter().flatten() {
        match all.get_mut(name) {
            Some(there) => join(there, below),
            None => all[name] = below.clone(),
        }
    }
}
