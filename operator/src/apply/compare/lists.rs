//! How Kubernetes merges lists: by keys where items have names, else as one value.

use serde_json::{Map, Value};

/// What makes two items of a list the same one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Merge {
    /// The whole list is one value.
    Atomic,
    /// Items are the same if these fields are.
    Keys(&'static [&'static str]),
    /// Items are values, and their order is nothing.
    Set,
}

impl Merge {
    /// Of the list in the field `name`. Ports of containers and of Services differ.
    pub(super) fn of(name: &str, items: &[Value]) -> Self {
        match name {
            "containers" | "initContainers" | "env" | "volumes" | "imagePullSecrets"
            | "secrets" => Self::Keys(&["name"]),
            "volumeMounts" => Self::Keys(&["mountPath"]),
            "volumeDevices" => Self::Keys(&["devicePath"]),
            "ownerReferences" => Self::Keys(&["uid"]),
            "hostAliases" => Self::Keys(&["ip"]),
            "conditions" => Self::Keys(&["type"]),
            "topologySpreadConstraints" => Self::Keys(&["topologyKey", "whenUnsatisfiable"]),
            "ports" if items.iter().any(|item| item["containerPort"].is_number()) => {
                Self::Keys(&["containerPort", "protocol"])
            }
            "ports" => Self::Keys(&["port", "protocol"]),
            "finalizers" => Self::Set,
            _ => Self::Atomic,
        }
    }
}

/// A field of a key, which has a default where Kubernetes gives it one.
fn key_field<'a>(item: &'a Value, field: &str) -> &'a Value {
    static TCP: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| Value::from("TCP"));
    match item.get(field) {
        None | Some(Value::Null) if field == "protocol" => &TCP,
        None => &Value::Null,
        Some(value) => value,
    }
}

/// The key of an item, as managed fields have it.
pub(super) fn key(item: &Value, fields: &[&str]) -> Map<String, Value> {
    fields.iter().map(|field| ((*field).to_owned(), key_field(item, field).clone())).collect()
}

/// The item with a key.
pub(super) fn find<'a>(items: &'a [Value], key: &Map<String, Value>) -> Option<&'a Value> {
    items.iter().find(|item| key.iter().all(|(field, value)| key_field(item, field) == value))
}

/// A key in a path: `[name=postgres]`.
pub(super) fn show(key: &Map<String, Value>) -> String {
    let fields = key.iter().map(|(field, value)| match value {
        Value::String(text) => format!("{field}={}", text.escape_debug()),
        other => format!("{field}={other}"),
    });
    format!("[{}]", fields.collect::<Vec<_>>().join(","))
}
