//! The variables of a container as a kubelet resolves them. Pure: whoever calls looks things up.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::spilo::Environment;

/// Where values come from, in the namespace of the pod.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Source {
    ConfigMap,
    Secret,
}

/// Why a container cannot be made yet; the message of `CreateContainerConfigError`.
pub type Waiting = String;

impl Source {
    fn noun(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmap",
            Self::Secret => "secret",
        }
    }

    /// The values of an object of this kind.
    pub fn values(self, object: &Value) -> BTreeMap<String, String> {
        let data = object["data"].as_object().into_iter().flatten();
        let text = |value: &Value| {
            let text = value.as_str()?;
            match self {
                Self::ConfigMap => Some(text.to_owned()),
                Self::Secret => String::from_utf8(STANDARD.decode(text).ok()?).ok(),
            }
        };
        data.filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect()
    }
}

/// `envFrom` first, which `env` overrides; of two with one name the later counts. `pod` has its
/// address already; `look_up` gives the values of an object, or `None` where there is none.
pub fn resolve(
    pod: &Value,
    container: &Value,
    mut look_up: impl FnMut(Source, &str) -> Option<BTreeMap<String, String>>,
) -> Result<Environment, Waiting> {
    let mut found = Environment::new();
    for group in list(&container["envFrom"]) {
        for (key, source) in [("configMapRef", Source::ConfigMap), ("secretRef", Source::Secret)] {
            let Some(reference) = group.get(key) else { continue };
            let prefix = group["prefix"].as_str().unwrap_or_default();
            let values = whole(reference, source, &mut look_up)?;
            found.extend(values.into_iter().map(|(key, value)| (format!("{prefix}{key}"), value)));
        }
    }
    for variable in list(&container["env"]) {
        let name = variable["name"].as_str().unwrap_or_default().to_owned();
        if let Some(value) = one(pod, variable, &mut look_up)? {
            found.insert(name, value);
        }
    }
    Ok(found)
}

fn whole(
    reference: &Value,
    source: Source,
    look_up: &mut impl FnMut(Source, &str) -> Option<BTreeMap<String, String>>,
) -> Result<BTreeMap<String, String>, Waiting> {
    let name = reference["name"].as_str().unwrap_or_default();
    match look_up(source, name) {
        Some(values) => Ok(values),
        None if reference["optional"] == true => Ok(BTreeMap::new()),
        None => Err(format!("{} {name:?} not found", source.noun())),
    }
}

/// Nothing where the value is optional and not there.
fn one(
    pod: &Value,
    variable: &Value,
    look_up: &mut impl FnMut(Source, &str) -> Option<BTreeMap<String, String>>,
) -> Result<Option<String>, Waiting> {
    let from = &variable["valueFrom"];
    for (key, source) in [("configMapKeyRef", Source::ConfigMap), ("secretKeyRef", Source::Secret)]
    {
        let Some(reference) = from.get(key) else { continue };
        let values = whole(reference, source, look_up)?;
        let key = reference["key"].as_str().unwrap_or_default();
        return match values.get(key) {
            Some(value) => Ok(Some(value.clone())),
            None if reference["optional"] == true => Ok(None),
            None => {
                Err(format!("couldn't find key {key} in {} {}", source.noun(), reference["name"]))
            }
        };
    }
    if let Some(field) = from.get("fieldRef") {
        let path = field["fieldPath"].as_str().unwrap_or_default();
        return field_of(pod, path).map(Some);
    }
    Ok(Some(variable["value"].as_str().unwrap_or_default().to_owned()))
}

/// The downward API: `metadata.name`, `status.podIP`, `metadata.labels['key']` and their like.
fn field_of(pod: &Value, path: &str) -> Result<String, Waiting> {
    let value = match path.split_once("['") {
        Some((map, key)) => pod.pointer(&pointer(map)).map(|map| &map[key.trim_end_matches("']")]),
        None => pod.pointer(&pointer(path)),
    };
    match value {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Null) if path.contains('[') => Ok(String::new()),
        _ => Err(format!("unsupported fieldPath: {path}")),
    }
}

fn pointer(path: &str) -> String {
    format!("/{}", path.replace('.', "/"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
