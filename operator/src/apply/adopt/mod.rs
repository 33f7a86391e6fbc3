//! Objects that another operator made by plain updates: what it once set, a server-side apply of
//! ours never takes away, because it is not ours. A variable that is removed from a manifest
//! would stay in the StatefulSet for ever.
//!
//! In: such an object. Out: its managed fields, with what the other one set as if we had applied
//! it. The apply that follows removes what we do not want of it, and the API server fills in its
//! defaults again. Never what pods or Patroni depend on beside us: only labels, annotations,
//! owners and `spec`, and nothing of Endpoints and ConfigMaps, where the lock of a cluster is.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

#[cfg(test)]
mod tests;

/// Kinds that Patroni writes to, too.
const SHARED: [&str; 2] = ["ConfigMap", "Endpoints"];
/// Who makes objects with the labels of a cluster, and is never taken over.
const OTHERS: [&str; 2] = ["Patroni", "kube-controller-manager"];
/// Whom our own merges are known by, where an apply will not do.
pub const MERGE: &str = "postgres-operator-merge";

/// How much of an object is taken over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    All,
    /// Without `spec.template`, which stays as it is, and whose it is.
    ButTemplate,
}

/// Who made an object by plain creates and updates, as its managed fields have it. The name of such
/// a manager is that of the program's file, so that it goes by what it did: nobody else puts the
/// label with the cluster's name on. Beside those, `own`: who has our name and never applies.
pub fn makers(live: &Value, label: &str, own: &str) -> BTreeSet<String> {
    let entries = live["metadata"]["managedFields"].as_array().into_iter().flatten();
    let label = format!("f:{label}");
    let made = entries.filter(|entry| {
        is_update(entry) && entry["fieldsV1"]["f:metadata"]["f:labels"].get(&label).is_some()
    });
    let made = made.filter_map(|entry| entry["manager"].as_str());
    let mut makers: BTreeSet<String> = made.map(str::to_owned).collect();
    makers.retain(|name| !OTHERS.iter().any(|other| name.starts_with(other)));
    makers.extend([own.to_owned()]);
    makers
}

/// Whether one of them has something in the template of a StatefulSet that we have not taken over.
pub fn has_template(live: &Value, makers: &BTreeSet<String>) -> bool {
    let entries = live["metadata"]["managedFields"].as_array().into_iter().flatten();
    let mut own = entries.filter(|entry| is_of(entry, makers));
    own.any(|entry| entry["fieldsV1"]["f:spec"].get("f:template").is_some())
}

fn is_update(entry: &Value) -> bool {
    entry["operation"] == "Update" && is_whole(entry)
}

/// Whether it is about the object, and not about a subresource.
fn is_whole(entry: &Value) -> bool {
    entry["subresource"].as_str().unwrap_or_default().is_empty()
}

fn is_of(entry: &Value, makers: &BTreeSet<String>) -> bool {
    is_update(entry) && entry["manager"].as_str().is_some_and(|name| makers.contains(name))
}

/// The `metadata.managedFields` of `live` by which `manager` has what `makers` set; `None` if
/// nothing is to be done. To be written once, together with the resource version.
pub fn adopted(
    live: &Value,
    manager: &str,
    makers: &BTreeSet<String>,
    extent: Extent,
) -> Option<Value> {
    if live["kind"].as_str().is_none_or(|kind| SHARED.contains(&kind)) {
        return None;
    }
    let entries = live["metadata"]["managedFields"].as_array()?;
    let is_theirs =
        |entry: &Value| is_of(entry, makers) || (is_update(entry) && entry["manager"] == MERGE);
    if !entries.iter().any(is_theirs) {
        return None;
    }
    let mut taken = json!({});
    let mut version = Value::Null;
    let mut kept = Vec::new();
    let mut ours = None;
    for entry in entries {
        if is_theirs(entry) {
            let (part, rest) = split(&entry["fieldsV1"], extent);
            join(&mut taken, &part);
            version = entry["apiVersion"].clone();
            if rest.as_object().is_some_and(|rest| !rest.is_empty()) {
                let mut entry = entry.clone();
                entry["fieldsV1"] = rest;
                kept.push(entry);
            }
        } else if entry["manager"] == manager && entry["operation"] == "Apply" && is_whole(entry) {
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
fn split(fields: &Value, extent: Extent) -> (Value, Value) {
    let (mut part, mut rest) = (json!({}), json!({}));
    for (name, below) in fields.as_object().into_iter().flatten() {
        match name.as_str() {
            "f:spec" => {
                for (field, below) in below.as_object().into_iter().flatten() {
                    let stays = extent == Extent::ButTemplate && field == "f:template";
                    let side = if stays { &mut rest } else { &mut part };
                    side[name][field] = below.clone();
                }
            }
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
