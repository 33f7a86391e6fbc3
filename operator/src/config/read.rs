//! One value into its place in a [`Config`].
//!
//! In: a key and what was written for it: text in a ConfigMap, text or JSON in the CRD form. Out:
//! the value in its place, or what would have been right. What is empty never comes here.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::infrastructure;
use super::keys::{Key, Kind, Slot};
use super::text;
use super::{Config, ConnectTo, Merge, NamespacedName, PodManagementPolicy, Volumes};

/// What is known beside the value.
pub(super) struct Context<'a> {
    pub(super) operator_namespace: &'a str,
    /// What is odd about the value.
    pub(super) warnings: Vec<String>,
}

/// Puts `value` in its place. It is not empty.
pub(super) fn set(
    key: &'static Key,
    value: &Value,
    config: &mut Config,
    context: &mut Context<'_>,
) -> Result<(), String> {
    match key.slot {
        Slot::Flag(at) | Slot::Nullable(at) => *at(config) = flag(value)?,
        Slot::OptFlag(at) => *at(config) = Some(flag(value)?),
        Slot::Int(at) | Slot::NullableInt(at) => *at(config) = number(value)?,
        Slot::Id(at) => *at(config) = Some(number(value)?),
        Slot::Days(at) => *at(config) = number(value)?,
        Slot::Port(at) => *at(config) = number(value)?,
        Slot::Count(at) => *at(config) = number(value)?,
        Slot::Share(at) => *at(config) = share(value)?,
        Slot::Time(at) => *at(config) = time(value)?,
        Slot::Text(at) => *at(config) = word(value)?,
        Slot::OptText(at) => *at(config) = Some(word(value)?),
        Slot::List(at) => *at(config) = list(value, context)?,
        Slot::Set(at) => *at(config) = list(value, context)?.into_iter().collect(),
        Slot::Map(at) => *at(config) = map(value)?,
        Slot::Settings(at) => {
            let quoted = map(value)?.into_iter();
            *at(config) = quoted
                .map(|(name, value)| (name.trim().to_owned(), text::unquoted(&value).to_owned()))
                .collect();
        }
        Slot::Name(at) => *at(config) = name(&word(value)?, context.operator_namespace)?,
        Slot::OptName(at) => *at(config) = Some(name(&word(value)?, context.operator_namespace)?),
        Slot::Policy(at) => *at(config) = policy(&word(value)?)?,
        Slot::Merge(at) => *at(config) = merge(&word(value)?)?,
        Slot::Connect(at) => *at(config) = connect(&word(value)?)?,
        Slot::Object(at) => *at(config) = Some(yaml(value)?),
        Slot::Containers(at) => *at(config) = yaml(value)?,
        Slot::Probe(at) => *at(config) = Some(yaml(value)?),
        Slot::Robots(at) => *at(config) = infrastructure::read(value, context)?,
        Slot::Retention(at) => *at(config) = retention(&map(value)?, context)?,
        Slot::Unused(kind) => {
            config.unused.0.insert(key.name, unused(kind, value)?);
        }
    }
    Ok(())
}

/// What a key that is not used holds, as JSON.
pub(super) fn unused(kind: Kind, value: &Value) -> Result<Value, String> {
    let mut nowhere = Context { operator_namespace: "", warnings: Vec::new() };
    match kind {
        Kind::Bool => flag(value).map(Value::from),
        Kind::Int => number::<i64>(value).map(Value::from),
        Kind::List => list(value, &mut nowhere).map(Value::from),
        Kind::Text => word(value).map(Value::from),
    }
}

fn flag(value: &Value) -> Result<bool, String> {
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::String(text) => text::flag(text.trim()),
        _ => Err("write true or false".to_owned()),
    }
}

fn number<T: TryFrom<i64>>(value: &Value) -> Result<T, String> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_i64(),
    };
    let number: i64 = number.ok_or("write a whole number")?;
    T::try_from(number).map_err(|_| "the number is out of range".to_owned())
}

fn share(value: &Value) -> Result<f64, String> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    let inside = number.filter(|share| (0.0..=1.0).contains(share));
    inside.ok_or_else(|| "write a number from 0 to 1, such as 0.3".to_owned())
}

fn time(value: &Value) -> Result<std::time::Duration, String> {
    match value {
        Value::String(text) => text::duration(text.trim()),
        _ => Err("write a duration such as \"300ms\", \"5m\" or \"1h30m\"".to_owned()),
    }
}

/// Text; in YAML a number or a flag may stand for it.
pub(super) fn word(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Null => Ok(String::new()),
        Value::Array(_) | Value::Object(_) => Err("write a text".to_owned()),
    }
}

fn list(value: &Value, context: &mut Context<'_>) -> Result<Vec<String>, String> {
    match value {
        Value::String(text) => {
            let (items, blanks) = text::list(text);
            if blanks {
                context.warnings.push(
                    "blanks around items of the list are no part of them; zalando/postgres-operator \
                     keeps them"
                        .to_owned(),
                );
            }
            Ok(items)
        }
        Value::Array(items) => items.iter().map(word).collect(),
        _ => Err("write a list".to_owned()),
    }
}

fn map(value: &Value) -> Result<BTreeMap<String, String>, String> {
    match value {
        Value::String(text) => {
            let mut map = BTreeMap::new();
            for (key, value) in text::pairs(text)? {
                if map.insert(key.to_owned(), value.to_owned()).is_some() {
                    return Err("a key stands in it twice".to_owned());
                }
            }
            Ok(map)
        }
        Value::Object(pairs) => {
            pairs.iter().map(|(key, value)| Ok((key.clone(), word(value)?))).collect()
        }
        _ => Err("write a map".to_owned()),
    }
}

/// `[ns/]name`.
pub(super) fn name(text: &str, default: &str) -> Result<NamespacedName, String> {
    let (namespace, name) = text.split_once('/').unwrap_or((default, text));
    let valid = |part: &str| super::syntax::object_name(part);
    // Where nobody says in which namespace the operator is, none is checked either.
    if text.contains('/') {
        valid(namespace).map_err(|_| "write name or namespace/name")?;
    }
    valid(name)?;
    Ok(NamespacedName { namespace: namespace.to_owned(), name: name.to_owned() })
}

fn policy(text: &str) -> Result<PodManagementPolicy, String> {
    match text {
        "ordered_ready" => Ok(PodManagementPolicy::OrderedReady),
        "parallel" => Ok(PodManagementPolicy::Parallel),
        _ => Err("write ordered_ready or parallel".to_owned()),
    }
}

fn merge(text: &str) -> Result<Merge, String> {
    match text {
        "OR" => Ok(Merge::Or),
        "AND" => Ok(Merge::And),
        _ => Err("write OR or AND".to_owned()),
    }
}

fn connect(text: &str) -> Result<ConnectTo, String> {
    match text {
        "service" => Ok(ConnectTo::Service),
        "pod" => Ok(ConnectTo::Pod),
        _ => Err("write service or pod".to_owned()),
    }
}

/// An object as it is, or as text in JSON or YAML.
fn yaml<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    let parsed;
    let value = match value {
        Value::String(text) => {
            parsed = serde_saphyr::from_str::<Value>(text)
                .map_err(|_| "it is neither JSON nor YAML".to_owned())?;
            &parsed
        }
        other => other,
    };
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = super::error::escaped(&error.path().to_string());
        // What was found instead may be a password.
        let message = error.inner().to_string();
        let wanted = match message.rsplit_once(", expected ") {
            Some((_, expected)) => format!("expected {expected}"),
            None if message.starts_with("missing field") => message,
            None => "it is not what stands there in Kubernetes".to_owned(),
        };
        format!("at {path}: {wanted}")
    })
}

fn retention(map: &BTreeMap<String, String>, context: &mut Context<'_>) -> Result<Volumes, String> {
    let mut retain = |key: &str| match map.get(key).map(String::as_str) {
        Some("delete") => false,
        Some("retain") | None => true,
        // So does the reference.
        Some(other) => {
            let other = super::error::escaped(other);
            context.warnings.push(format!("{key}: {other} is taken for retain"));
            true
        }
    };
    let volumes = Volumes {
        retain_when_deleted: retain("when_deleted"),
        retain_when_scaled: retain("when_scaled"),
    };
    match map.keys().all(|key| ["when_deleted", "when_scaled"].contains(&key.as_str())) {
        true => Ok(volumes),
        false => Err("its keys are when_deleted and when_scaled".to_owned()),
    }
}
