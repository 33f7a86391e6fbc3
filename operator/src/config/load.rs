//! A configuration from either of its forms.
//!
//! In: the data of a ConfigMap, or a whole `OperatorConfiguration`. Out: a [`Config`] and what is
//! odd about it, or everything that is wrong with it. Pure: nothing is read from anywhere.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::error::{escaped, shown};
use super::keys::{CrdDefault, Key, Rule, Slot, all, find, groups};
use super::read::Context;
use super::{Config, ConfigError, ConfigErrors, aliases, check, cross, read};

/// What the operator was started with and where.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Environment {
    /// `OPERATOR_NAMESPACE`.
    pub operator_namespace: String,
    /// `WATCHED_NAMESPACE`, which goes before the configuration. Empty is not set.
    pub watched_namespace: Option<String>,
    /// `CONTROLLER_ID`: which manifests are for this operator. No key says it.
    pub controller_id: Option<String>,
}

/// A configuration that can be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    pub config: Config,
    /// One sentence each, with the key at the beginning.
    pub warnings: Vec<String>,
}

/// Which form a configuration came in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    ConfigMap,
    Crd,
}

impl Form {
    fn default_of(self, key: &Key) -> &'static str {
        match (self, key.crd_default) {
            (Self::ConfigMap, _) | (Self::Crd, CrdDefault::Same) => key.default,
            (Self::Crd, CrdDefault::Nothing) => "",
            (Self::Crd, CrdDefault::Other(default)) => default,
        }
    }

    fn name_of(self, key: &Key) -> String {
        match self {
            Self::ConfigMap => key.name.to_owned(),
            Self::Crd => key.path(),
        }
    }
}

/// What was written, by key.
#[derive(Debug, Default)]
struct Given {
    values: BTreeMap<&'static str, Value>,
    /// What keys that stand for several say about the others.
    implied: BTreeMap<&'static str, Value>,
    warnings: Vec<String>,
    errors: Vec<ConfigError>,
}

impl Given {
    /// Takes `value`, which was written for `key` under `written`.
    fn take(&mut self, key: &'static Key, written: &str, value: &Value) {
        let mut all = vec![(key.name, value.clone())];
        if written != key.name {
            self.warnings.push(format!("{written}: this key is called {} now", key.name));
            all = aliases::modern(written, key.name, value);
        }
        let mut all = all.into_iter();
        let Some((name, value)) = all.next() else { return };
        match self.values.get(name) {
            Some(other) if *other != value => self.errors.push(ConfigError {
                key: written.to_owned(),
                value: shown(key, &value),
                reason: format!("{name} says something else, and both are one key: leave one out"),
            }),
            _ => drop(self.values.insert(name, value)),
        }
        self.implied.extend(all);
    }
}

/// From the data of a ConfigMap.
///
/// # Errors
/// Everything that is wrong with it.
pub fn from_config_map(
    data: &BTreeMap<String, String>,
    environment: &Environment,
) -> Result<Loaded, ConfigErrors> {
    let mut given = Given::default();
    for (written, text) in data {
        match find(written) {
            Some(key) => given.take(key, written, &Value::String(text.clone())),
            None => given.warnings.push(unknown(written)),
        }
    }
    load(given, Form::ConfigMap, environment)
}

/// From an `OperatorConfiguration`, the whole object.
///
/// # Errors
/// Everything that is wrong with it.
pub fn from_operator_configuration(
    object: &Value,
    environment: &Environment,
) -> Result<Loaded, ConfigErrors> {
    let mut given = Given::default();
    let nothing = Value::Null;
    take_group("", object.get("configuration").unwrap_or(&nothing), &mut given);
    load(given, Form::Crd, environment)
}

/// Everything in one group of the CRD form, and in the groups below it.
fn take_group(group: &str, value: &Value, given: &mut Given) {
    let members = match value {
        Value::Null => return,
        Value::Object(members) => members,
        _ => {
            let key = if group.is_empty() { "configuration" } else { group };
            given.errors.push(ConfigError {
                key: key.to_owned(),
                value: None,
                reason: "it is a group: write its keys below it".to_owned(),
            });
            return;
        }
    };
    for (written, value) in members {
        if group.is_empty() && groups().contains(written.as_str()) {
            take_group(written, value, given);
            continue;
        }
        let path = if group.is_empty() { written.clone() } else { format!("{group}.{written}") };
        match find(written) {
            _ if value.is_null() => {}
            Some(key) if key.group == Some(group) => given.take(key, written, value),
            Some(key) if key.group.is_some() => given.warnings.push(format!(
                "{}: ignored, because it stands in the wrong place; write configuration.{}",
                escaped(&path),
                key.path()
            )),
            _ => given.warnings.push(unknown(&path)),
        }
    }
}

fn unknown(written: &str) -> String {
    format!("{}: ignored, because there is no such key", escaped(written))
}

/// What is empty in a ConfigMap, or in JSON.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

fn load(given: Given, form: Form, environment: &Environment) -> Result<Loaded, ConfigErrors> {
    let Given { values, implied, mut warnings, mut errors } = given;
    let mut config = Config::default();
    // Volumes that nothing is said about stay.
    config.volumes.retain_when_deleted = true;
    config.volumes.retain_when_scaled = true;
    let mut wrong: BTreeSet<&str> = BTreeSet::new();
    for key in all() {
        let written = values.get(key.name);
        let value = written.or_else(|| implied.get(key.name));
        let namespace = &environment.operator_namespace;
        let mut context = Context { operator_namespace: namespace, warnings: Vec::new() };
        let outcome = one(key, value, form, &mut config, &mut context);
        let name = form.name_of(key);
        let odd = context.warnings.into_iter().map(|warning| format!("{name}: {warning}"));
        warnings.extend(odd);
        if key.name == "pam_configuration" && config.identity.pam_configuration.contains('\n') {
            warnings.push(format!("{name}: the new line at its end stays, because pods have it"));
        }
        let value = written.and_then(|value| shown(key, value));
        match outcome {
            // A default that is written out asks for nothing.
            Ok(())
                if key.is_not_yet()
                    && written
                        .is_some_and(|written| written.as_str() != Some(form.default_of(key))) =>
            {
                warnings.push(format!("{name}: accepted, and without an effect so far"));
            }
            Ok(()) if key.is_used() || written.is_none() => {}
            Ok(()) => warnings.push(format!("{name}: accepted, and not used here")),
            // Nobody is helped by a refusal.
            Err(reason) if !key.is_used() => {
                warnings.push(format!("{name}: accepted, and not used here; {reason}"));
            }
            Err(reason) => {
                wrong.insert(key.name);
                errors.push(ConfigError { key: name, value, reason });
            }
        }
    }
    watch(&mut config, environment, &mut errors);
    for (blamed, reason) in cross::check(&config, &wrong) {
        let key = find(blamed).map_or(blamed.to_owned(), |key| form.name_of(key));
        errors.push(ConfigError { key, value: None, reason });
    }
    warnings.extend(plain_http(&config));
    match errors.is_empty() {
        true => Ok(Loaded { config, warnings }),
        false => Err(ConfigErrors(errors)),
    }
}

/// Whether nothing and zero cannot be the same.
fn has_bound(key: &Key) -> bool {
    key.rules.iter().any(|rule| matches!(rule, Rule::AtLeast(_) | Rule::Within(1.., _)))
}

/// Reads and checks one key.
fn one(
    key: &'static Key,
    written: Option<&Value>,
    form: Form,
    config: &mut Config,
    context: &mut Context<'_>,
) -> Result<(), String> {
    let default = Value::String(form.default_of(key).to_owned());
    let not_empty = key.rules.iter().find_map(|rule| match rule {
        Rule::NotEmpty(why) => Some(*why),
        _ => None,
    });
    let value = match written {
        None => &default,
        Some(value) if !is_empty(value) => value,
        Some(_) if matches!(key.slot, Slot::Nullable(_) | Slot::NullableInt(_)) => &default,
        // There the reference takes an empty text for none.
        Some(_) if form == Form::Crd && (not_empty.is_some() || has_bound(key)) => &default,
        Some(empty) => empty,
    };
    match (is_empty(value), not_empty) {
        (true, Some(why)) => return Err(format!("it is empty, and {why}")),
        // It is what a configuration begins with.
        (true, None) => {}
        (false, _) => read::set(key, value, config, context)?,
    }
    check::check(key, config)
}

/// Where manifests are looked for: the environment goes before the configuration, and that
/// before the operator's own namespace.
fn watch(config: &mut Config, environment: &Environment, errors: &mut Vec<ConfigError>) {
    let said = environment.watched_namespace.as_ref().filter(|name| !name.is_empty());
    if let Some(name) = said
        && let Err(reason) = super::syntax::namespaces(name)
    {
        errors.push(ConfigError {
            key: "WATCHED_NAMESPACE".to_owned(),
            value: Some(format!("\"{}\"", escaped(name))),
            reason,
        });
    }
    let watched = &mut config.operation.watched_namespace;
    let own = Some(&environment.operator_namespace).filter(|name| !name.is_empty());
    *watched = said.cloned().or_else(|| watched.take()).or_else(|| own.cloned());
}

fn plain_http(config: &Config) -> Option<String> {
    let identity = &config.identity;
    let plain = identity.enable_teams_api && identity.teams_api_url.starts_with("http://");
    plain.then(|| {
        "teams_api_url: http:// sends the token readable, and lets anybody on the way change who \
         is a member; use https://"
            .to_owned()
    })
}
