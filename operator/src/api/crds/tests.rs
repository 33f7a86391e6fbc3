use kube::Resource;
use serde_json::{Value, json};

use super::*;
use crate::api::operator_configuration::OperatorConfiguration;
use crate::api::postgres_team::PostgresTeam;
use crate::api::postgresql::Postgresql;

fn definitions() -> Vec<Value> {
    let all = all(&["all".to_owned()]).unwrap();
    all.iter().map(|crd| serde_json::to_value(crd).unwrap()).collect()
}

/// What an API server asks of a structural schema: nodes say what they are, and lists of what.
fn not_structural(path: &str, node: &Value, found: &mut Vec<String>) {
    let anything = node["x-kubernetes-preserve-unknown-fields"] == true;
    let number_or_text = node["x-kubernetes-int-or-string"] == true;
    let kind = node["type"].as_str().unwrap_or_default();
    if kind.is_empty() != (number_or_text || (anything && kind.is_empty())) {
        found.push(format!("{path}: a type, or a reason to have none"));
    }
    if (kind == "array") != node["items"].is_object() {
        found.push(format!("{path}: lists, and only they, have items"));
    }
    let closed = node["properties"].is_object() || node["additionalProperties"].is_object();
    if kind == "object" && !closed && !anything && path != ".metadata" {
        found.push(format!("{path}: everything in it would be removed"));
    }
    for (name, child) in node["properties"].as_object().into_iter().flatten() {
        not_structural(&format!("{path}.{name}"), child, found);
    }
    for child in ["items", "additionalProperties"] {
        if node[child].is_object() {
            not_structural(&format!("{path}[]"), &node[child], found);
        }
    }
}

#[test]
fn schemas_are_structural() {
    for crd in definitions() {
        let mut found = Vec::new();
        not_structural("", &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], &mut found);
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn names_are_those_of_the_types() {
    fn names<T: Resource<DynamicType = ()>>() -> Value {
        json!([
            format!("{}.{}", T::plural(&()), T::group(&())),
            T::kind(&()),
            T::plural(&()),
            T::version(&())
        ])
    }
    let found: Vec<_> = definitions()
        .iter()
        .map(|crd| {
            let names = &crd["spec"]["names"];
            let version = &crd["spec"]["versions"][0]["name"];
            json!([crd["metadata"]["name"], names["kind"], names["plural"], version])
        })
        .collect();
    let wanted = [names::<Postgresql>(), names::<OperatorConfiguration>(), names::<PostgresTeam>()];
    assert_eq!(found, wanted);
}

#[test]
fn short_names_and_subresources_are_those_of_the_reference() {
    let all = definitions();
    let short: Vec<_> = all.iter().map(|crd| &crd["spec"]["names"]["shortNames"][0]).collect();
    assert_eq!(short, ["pg", "opconfig", "pgteam"]);
    for crd in &all {
        assert_eq!(crd["spec"]["scope"], "Namespaced");
        assert!(crd["spec"]["versions"][0]["subresources"]["status"].is_object());
    }
}

#[test]
fn kubectl_shows_the_columns_of_the_reference_in_its_order() {
    let columns = &definitions()[0]["spec"]["versions"][0]["additionalPrinterColumns"];
    let found: Vec<_> = columns
        .as_array()
        .unwrap()
        .iter()
        .map(|column| (column["name"].as_str().unwrap(), column["jsonPath"].as_str().unwrap()))
        .collect();
    let wanted = [
        ("Team", ".spec.teamId"),
        ("Version", ".spec.postgresql.version"),
        ("Pods", ".spec.numberOfInstances"),
        ("Volume", ".spec.volume.size"),
        ("CPU-Request", ".spec.resources.requests.cpu"),
        ("Memory-Request", ".spec.resources.requests.memory"),
        ("Age", ".metadata.creationTimestamp"),
        ("Status", ".status.PostgresClusterStatus"),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn four_fields_of_a_cluster_are_required_and_the_version_is_anything() {
    let crd = &definitions()[0];
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    assert_eq!(spec["required"], json!(["numberOfInstances", "postgresql", "teamId", "volume"]));
    assert_eq!(spec["properties"]["postgresql"]["required"], json!(["version"]));
    assert!(spec["properties"]["postgresql"]["properties"]["version"]["enum"].is_null());
}

#[test]
fn every_field_of_the_type_is_in_the_schema() {
    let crd = &definitions()[0];
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    fn missing(path: &str, value: &Value, schema: &Value, found: &mut Vec<String>) {
        for (name, value) in value.as_object().into_iter().flatten() {
            let child = &schema["properties"][name];
            if child.is_null() {
                found.push(format!("{path}.{name}"));
            }
            missing(&format!("{path}.{name}"), value, child, found);
        }
    }
    let spec = crate::api::spec::PostgresSpec {
        resources: Some(Default::default()),
        patroni: Some(Default::default()),
        tls: Some(Default::default()),
        clone: Some(Default::default()),
        standby: Some(Default::default()),
        ..Default::default()
    };
    let mut found = Vec::new();
    missing("spec", &serde_json::to_value(spec).unwrap(), schema, &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn categories_are_as_configured() {
    let crds = all(&["databases".to_owned(), "all".to_owned()]).unwrap();
    for crd in &crds {
        let categories = crd.spec.names.categories.clone().unwrap_or_default();
        assert_eq!(categories, ["databases", "all"]);
    }
    assert!(all(&[]).unwrap().iter().all(|crd| crd.spec.names.categories.is_none()));
}

#[test]
fn the_stream_has_three_documents_and_says_the_same() {
    let text = yaml();
    let documents: Vec<CustomResourceDefinition> =
        text.split("---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect();
    assert_eq!(documents, all(&["all".to_owned()]).unwrap());
    assert!(text.starts_with("apiVersion: "), "{text}");
}
