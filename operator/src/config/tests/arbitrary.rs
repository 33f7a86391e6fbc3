//! Whatever is written, there is an answer, and no secret is in it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::environment;
use crate::config::keys::{Key, Slot, all};
use crate::config::{changes, from_config_map, from_operator_configuration, redacted};

const SECRET: &str = "hunter2hunter2";

fn names() -> Vec<&'static str> {
    all().map(|key| key.name).collect()
}

/// Keys whose value may hold a secret.
fn hidden() -> Vec<&'static Key> {
    let structured = |slot| matches!(slot, Slot::Containers(_) | Slot::Probe(_) | Slot::Object(_));
    all().filter(|key| key.is_secret() || structured(key.slot)).collect()
}

/// Texts that are nearly right, and others.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,40}",
        "[a-z0-9:,'\"{}\\[\\]/%#\\\\ \n.-]{0,40}",
        "https://[a-z@:/?= \\[\\]#\\\\%é]{0,40}",
        "[0-9.]{0,6}(ns|us|µs|ms|s|m|h|Gi|){1,2}",
        "\\PC{0,20}",
    ]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_config_map_has_an_answer(
        data in prop::collection::btree_map(prop::sample::select(names()), text(), 0..6),
    ) {
        let data: BTreeMap<String, String> =
            data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        match from_config_map(&data, &environment()) {
            Ok(loaded) => {
                redacted(&loaded.config);
                changes(&loaded.config, &super::config(&[]));
            }
            Err(errors) => {
                prop_assert!(!errors.0.is_empty());
                prop_assert!(!errors.to_string().chars().any(char::is_control), "{errors}");
            }
        }
    }

    #[test]
    fn any_operator_configuration_has_an_answer(
        name in prop::sample::select(names()),
        value in json_value(),
        whole in json_value(),
    ) {
        let key = all().find(|key| key.name == name).unwrap();
        let object = match key.group {
            None | Some("") => json!({"configuration": {name: value}}),
            Some(group) => json!({"configuration": {group: {name: value}}}),
        };
        for object in [object, whole.clone(), json!({"configuration": whole})] {
            if let Err(errors) = from_operator_configuration(&object, &environment()) {
                prop_assert!(!errors.to_string().chars().any(char::is_control), "{errors}");
            }
        }
    }

    /// Also where it stands in the middle of something that cannot be read.
    #[test]
    fn no_error_has_a_secret(
        key in prop::sample::select(hidden()),
        before in text(),
        after in text(),
    ) {
        let value = format!("{before}{SECRET}{after}");
        let values = [json!(value), json!([value, {"name": value, "env": value}]), json!({"name": [value]})];
        for value in values {
            let object = json!({"configuration": match key.group {
                None | Some("") => json!({key.name: value}),
                Some(group) => json!({group: {key.name: value}}),
            }});
            let told = match from_operator_configuration(&object, &environment()) {
                Ok(loaded) => loaded.warnings.join("\n"),
                Err(errors) => format!("{errors} {errors:?}"),
            };
            prop_assert!(!told.contains(SECRET), "{told}");
        }
    }

    #[test]
    fn credentials_of_a_url_are_in_no_error(
        name in prop::sample::select(names()),
        scheme in "[a-z]{2,6}",
        after in "[a-z/?#]{0,10}",
    ) {
        let value = format!("{scheme}://user:{SECRET}@host{after} uid");
        let data = BTreeMap::from([(name.to_owned(), value)]);
        if let Err(errors) = from_config_map(&data, &environment()) {
            let told = format!("{errors:?} {errors}");
            prop_assert!(!told.contains(SECRET), "{name}: {told}");
        }
    }
}
