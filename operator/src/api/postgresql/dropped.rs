//! `kubectl apply` takes `foo_user:` with nothing behind it for "remove it", and never sends
//! it to the server. Manifests mean a user without flags by it, or a prepared database with
//! nothing special. What was written is still in an annotation of kubectl's.
//!
//! In: a spec and that annotation. Out: the spec with those names. Never anything else of the
//! annotation: the spec is what counts.

use serde_json::{Map, Value};

/// The last manifest that `kubectl apply` was given, as JSON.
pub(super) const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// `spec` with the names in `applied` that say nothing more than that they exist.
pub(super) fn restored(mut spec: Value, applied: &str) -> Value {
    let applied: Value = serde_json::from_str(applied).unwrap_or_default();
    let Some(fields) = spec.as_object_mut() else { return spec };
    let applied = &applied["spec"];
    restore(fields, "users", &applied["users"]);
    restore(fields, "preparedDatabases", &applied["preparedDatabases"]);
    let databases = fields.get_mut("preparedDatabases").and_then(Value::as_object_mut);
    for (name, database) in databases.into_iter().flatten() {
        if let Some(database) = database.as_object_mut() {
            restore(database, "schemas", &applied["preparedDatabases"][name]["schemas"]);
        }
    }
    spec
}

/// Names of `applied` without a value, in the map `field`.
fn restore(fields: &mut Map<String, Value>, field: &str, applied: &Value) {
    let nulls = || applied.as_object().into_iter().flatten().filter(|(_, value)| value.is_null());
    if nulls().next().is_none() {
        return;
    }
    let here = fields.entry(field).or_insert(Value::Null);
    if here.is_null() {
        *here = Value::Object(Map::new());
    }
    let Some(here) = here.as_object_mut() else { return };
    for (name, _) in nulls() {
        here.entry(name).or_insert(Value::Null);
    }
}
