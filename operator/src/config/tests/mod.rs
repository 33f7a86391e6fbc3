//! What configurations mean, and why they are refused.

mod arbitrary;
mod config_map;
mod crd;
mod identity;
mod line;
mod show;
mod table;
mod talk;
mod texts;

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Config, Environment, Loaded, from_config_map, from_operator_configuration};

fn environment() -> Environment {
    Environment { operator_namespace: "operators".to_owned(), ..Environment::default() }
}

fn config_map(data: &[(&str, &str)]) -> BTreeMap<String, String> {
    data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// From a ConfigMap that is accepted.
fn loaded(data: &[(&str, &str)]) -> Loaded {
    from_config_map(&config_map(data), &environment()).unwrap()
}

fn config(data: &[(&str, &str)]) -> Config {
    loaded(data).config
}

/// Why a ConfigMap is refused.
fn refused(data: &[(&str, &str)]) -> String {
    from_config_map(&config_map(data), &environment()).unwrap_err().to_string()
}

/// From an `OperatorConfiguration` with that configuration.
fn from_crd(configuration: &Value) -> Result<Loaded, String> {
    let object = serde_json::json!({
        "apiVersion": "acid.zalan.do/v1",
        "kind": "OperatorConfiguration",
        "metadata": {"name": "postgresql-operator-configuration"},
        "configuration": configuration,
    });
    from_operator_configuration(&object, &environment()).map_err(|errors| errors.to_string())
}
