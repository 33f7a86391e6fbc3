//! What a manifest changes in the defaults: `SPILO_CONFIGURATION`.

use serde_json::{Map, Value};

use super::Environment;

/// The container ends with this.
#[derive(Debug, Eq, PartialEq)]
pub struct NotAMapping(pub String);

/// `SPILO_CONFIGURATION`, else `PATRONI_CONFIGURATION`: YAML or JSON, and a mapping. Nothing at
/// all is an empty one.
pub fn user_configuration(environment: &Environment) -> Result<Value, NotAMapping> {
    let names = ["SPILO_CONFIGURATION", "PATRONI_CONFIGURATION"];
    let given = names.iter().filter_map(|name| environment.get(*name));
    let Some(text) = given.into_iter().find(|text| !text.trim().is_empty()) else {
        return Ok(Value::Object(Map::new()));
    };
    // Every JSON text is YAML, too; this reader knows it better.
    let parsed = serde_json::from_str(text)
        .or_else(|_| serde_saphyr::from_str::<Value>(text).map_err(|error| error.to_string()));
    match parsed {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(other) => Err(NotAMapping(format!("the configuration is no mapping: {other}"))),
        Err(error) => Err(NotAMapping(format!("the configuration is no YAML: {error}"))),
    }
}

/// Fills what `user` leaves open. Its lists and scalars win whole; `null` leaves open.
pub fn merge(user: &mut Value, defaults: &Value) {
    match (user, defaults) {
        (Value::Object(user), Value::Object(defaults)) => {
            for (key, default) in defaults {
                merge(user.entry(key.clone()).or_insert(Value::Null), default);
            }
        }
        (user @ Value::Null, default) => *user = default.clone(),
        _ => {}
    }
}
