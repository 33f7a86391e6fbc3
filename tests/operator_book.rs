//! The manifests of the book are accepted: by a real API server, and by the operator.

use std::collections::BTreeMap;

use harness::{Platform, book};
use operator::api::postgresql::Postgresql;
use operator::config::{Config, Environment, from_config_map};
use operator::report::Stage;
use operator::validate::validate;
use serde_json::{Value, json};

/// Each document, with where it stands.
fn documents() -> Vec<(String, Value)> {
    let fences = book::fences("yaml").into_iter();
    let all = fences.flat_map(|fence| {
        let documents: Vec<Value> = serde_saphyr::from_multiple(&fence.text)
            .unwrap_or_else(|error| panic!("{}: {error}", fence.place()));
        documents.into_iter().map(move |document| (fence.place(), document))
    });
    all.filter(|(_, document)| document.get("kind").is_some()).collect()
}

fn environment() -> Environment {
    Environment {
        operator_namespace: "default".to_owned(),
        watched_namespace: None,
        controller_id: None,
    }
}

fn config() -> Config {
    from_config_map(&BTreeMap::new(), &environment()).expect("nothing is wrong").config
}

#[test]
fn operator_and_api_server_take_every_manifest_of_the_book() {
    let kube = Platform::new().kube;
    let mut seen = BTreeMap::<String, usize>::new();
    for (place, mut object) in documents() {
        let namespace = kube.namespace();
        object["metadata"]["namespace"] = json!(namespace);
        kube.try_apply(&object).unwrap_or_else(|refusal| panic!("{place}: {refusal}"));
        let kind = object["kind"].as_str().unwrap().to_owned();
        if kind == "postgresql" {
            let manifest: Postgresql = serde_json::from_value(object).unwrap();
            let accepted = validate(&manifest, &config());
            accepted.unwrap_or_else(|error| panic!("{place}: {error}"));
        } else if object["metadata"]["name"] == "postgres-operator" && kind == "ConfigMap" {
            let data: BTreeMap<String, String> =
                serde_json::from_value(object["data"].clone()).unwrap();
            let loaded = from_config_map(&data, &environment());
            let loaded = loaded.unwrap_or_else(|errors| panic!("{place}: {errors}"));
            assert_eq!(loaded.warnings, <[&str; 0]>::default(), "{place}");
        }
        *seen.entry(kind).or_default() += 1;
    }
    for kind in ["ConfigMap", "Job", "Pod", "Secret", "postgresql"] {
        assert!(seen.contains_key(kind), "{seen:?}");
    }
}

/// In commands, as `condition=NAME` of a cluster and in paths.
#[test]
fn operator_conditions_that_a_command_waits_for_are_there() {
    let all = Stage::ALL.map(Stage::condition);
    let mut seen = 0;
    for fence in book::fences("sh") {
        for line in fence.text.lines().filter(|line| line.contains("postgresql")) {
            let waits = line.split("condition=").skip(1);
            let looks = line.split("@.type==\"").skip(1);
            for name in waits.chain(looks) {
                let name = name.split([' ', '"']).next().unwrap();
                assert!(all.contains(&name), "{}: no condition {name}", fence.place());
                seen += 1;
            }
        }
    }
    assert!(seen >= 6, "{seen}");
}
