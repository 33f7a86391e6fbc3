//! A [`Config`] for people: what is in it, and what changed. No secret is ever part of that.

use serde_json::{Value, json};

use super::keys::{Key, Slot, all};
use super::read::unused;
use super::text::go_duration;
use super::{Config, ConnectTo, InfrastructureSecret, Merge, NamespacedName, PodManagementPolicy};

/// Instead of a secret.
const HIDDEN: &str = "***";

/// All options under the names of the fields of the reference: `operator` of `GET /config/`.
pub fn redacted(config: &Config) -> Value {
    let mut config = config.clone();
    let fields = all().map(|key| (key.field.to_owned(), masked(key, value(key, &mut config))));
    Value::Object(fields.collect())
}

/// One line for each key that is different, secrets hidden.
pub fn changes(old: &Config, new: &Config) -> Vec<String> {
    changed(old, new)
        .map(|(key, old, new)| match (masked(key, old), masked(key, new)) {
            (old, new) if old == new => format!("{}: changed", key.name),
            (old, new) => format!("{}: {} -> {}", key.name, printed(&old), printed(&new)),
        })
        .collect()
}

/// The keys that are different and have an effect only after the operator started again.
pub fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    changed(old, new).filter(|(key, ..)| key.needs_restart()).map(|(key, ..)| key.name).collect()
}

fn changed(old: &Config, new: &Config) -> impl Iterator<Item = (&'static Key, Value, Value)> {
    let (mut old, mut new) = (old.clone(), new.clone());
    all().filter_map(move |key| {
        let (old, new) = (value(key, &mut old), value(key, &mut new));
        (old != new).then_some((key, old, new))
    })
}

fn printed(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    }
}

/// The value of a key as JSON, secrets included.
pub(super) fn value(key: &Key, config: &mut Config) -> Value {
    match key.slot {
        Slot::Flag(at) | Slot::Nullable(at) => json!(at(config)),
        Slot::OptFlag(at) => json!(at(config)),
        Slot::Int(at) | Slot::NullableInt(at) => json!(at(config)),
        Slot::Id(at) => json!(at(config)),
        Slot::Days(at) => json!(at(config)),
        Slot::Port(at) => json!(at(config)),
        Slot::Count(at) => json!(at(config)),
        Slot::Share(at) => json!(at(config)),
        Slot::Time(at) => json!(go_duration(*at(config))),
        Slot::Text(at) => json!(at(config)),
        Slot::OptText(at) => json!(at(config).as_deref().unwrap_or_default()),
        Slot::List(at) => json!(at(config)),
        Slot::Set(at) => json!(at(config)),
        Slot::Map(at) | Slot::Settings(at) => json!(at(config)),
        Slot::Name(at) => json!(name(at(config))),
        Slot::OptName(at) => json!(at(config).as_ref().map(name).unwrap_or_default()),
        Slot::Policy(at) => json!(match at(config) {
            PodManagementPolicy::OrderedReady => "ordered_ready",
            PodManagementPolicy::Parallel => "parallel",
        }),
        Slot::Merge(at) => json!(match at(config) {
            Merge::And => "AND",
            Merge::Or => "OR",
        }),
        Slot::Connect(at) => json!(match at(config) {
            ConnectTo::Service => "service",
            ConnectTo::Pod => "pod",
        }),
        Slot::Object(at) => json!(at(config)),
        Slot::Containers(at) => json!(at(config)),
        Slot::Probe(at) => json!(at(config)),
        Slot::Robots(at) => at(config).iter().map(robot).collect(),
        Slot::Retention(at) => {
            let word = |retain| if retain { "retain" } else { "delete" };
            let volumes = at(config);
            json!({
                "when_deleted": word(volumes.retain_when_deleted),
                "when_scaled": word(volumes.retain_when_scaled),
            })
        }
        Slot::Unused(kind) => match config.unused.0.get(key.name) {
            Some(value) => value.clone(),
            None => unused(kind, &json!(key.default)).unwrap_or_default(),
        },
    }
}

/// `namespace/name`.
fn name(name: &NamespacedName) -> String {
    match (name.namespace.as_str(), name.name.as_str()) {
        (_, "") => String::new(),
        ("", name) => name.to_owned(),
        (namespace, name) => format!("{namespace}/{name}"),
    }
}

fn robot(secret: &InfrastructureSecret) -> Value {
    json!({
        "SecretName": name(&secret.secret),
        "UserKey": secret.userkey,
        "PasswordKey": secret.passwordkey,
        "RoleKey": secret.rolekey,
        "DefaultUserValue": secret.defaultuservalue,
        "DefaultRoleValue": secret.defaultrolevalue,
        "Details": secret.details,
        "Template": secret.template,
    })
}

/// Without what nobody may see: secrets, and the environment of containers.
fn masked(key: &Key, mut value: Value) -> Value {
    if key.is_secret() && !matches!(&value, Value::Null) && value != json!("") {
        return json!(HIDDEN);
    }
    if matches!(key.slot, Slot::Containers(_) | Slot::Probe(_)) {
        mask_all(&mut value);
    }
    value
}

/// Where people write passwords, at any depth of a container or probe.
fn mask_all(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mask_all),
        Value::Object(members) => members.iter_mut().for_each(|(name, member)| {
            match (name.as_str(), &mut *member) {
                ("env" | "httpHeaders", Value::Array(pairs)) => {
                    for value in pairs.iter_mut().filter_map(|pair| pair.get_mut("value")) {
                        *value = json!(HIDDEN);
                    }
                }
                // The first is the program.
                ("args" | "command", Value::Array(words)) => {
                    words.iter_mut().skip(1).for_each(|word| *word = json!(HIDDEN));
                }
                (_, deeper) => mask_all(deeper),
            }
        }),
        _ => {}
    }
}
