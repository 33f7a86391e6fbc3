use serde_json::{Value, json};

use super::*;

fn object(text: &str) -> Postgresql {
    serde_json::from_value(serde_saphyr::from_str(text).unwrap()).unwrap()
}

/// A list as the API server sends it.
#[test]
fn a_manifest_that_is_nested_too_deep_is_refused_by_itself() {
    let deep = format!("{}1{}", r#"{"x":"#.repeat(500), "}".repeat(500));
    let text = format!(
        r#"{{ "kind": "postgresqlList", "apiVersion": "acid.zalan.do/v1", "metadata": {{}}, "items": [
            {{ "metadata": {{ "name": "deep", "uid": "1", "managedFields": [{{ "manager": "kubectl", "fieldsV1": {deep} }}] }},
               "spec": {{ "teamId": "acid", "initdb": {deep} }}, "status": {deep} }},
            {{ "metadata": {{ "name": "other" }}, "spec": {{ "teamId": "acid", "volume": {{ "size": "1Gi" }},
               "numberOfInstances": 1, "postgresql": {{ "version": "17" }} }} }}
        ] }}"#
    );
    let list: kube::api::ObjectList<Postgresql> = serde_json::from_str(&text).unwrap();
    let [deep, other] = &list.items[..] else { panic!("{} items", list.items.len()) };
    let error = deep.parsed().unwrap_err();
    assert_eq!(error.to_string(), "spec: it is nested too deep: 127 levels at most");
    assert_eq!(
        (deep.metadata.name.as_deref(), deep.metadata.uid.as_deref()),
        (Some("deep"), Some("1"))
    );
    assert_eq!(deep.status.value(), Value::Null);
    assert!(serde_json::to_value(deep).is_ok());
    other.parsed().unwrap();
}

#[test]
fn the_minimal_manifest_is_understood() {
    let manifest = include_str!("../../../examples/minimal-postgres-manifest.yaml");
    let spec = object(manifest).parsed().unwrap();
    assert_eq!((spec.team_id.as_str(), spec.number_of_instances), ("ACID", 2));
    assert_eq!((spec.postgresql.version.as_str(), spec.volume.size.as_str()), ("15", "1Gi"));
    let flags = spec.users["zalando"].clone().unwrap_or_default();
    assert_eq!(flags, ["superuser", "createdb"]);
    assert_eq!(spec.users["foo_user"], None);
    assert_eq!(spec.databases["foo"], "zalando");
}

/// The names in a value that are fields, not names that users give.
fn fields(value: &Value, schema: &Value, at: &str, found: &mut Vec<String>) {
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        match value.get(name) {
            Some(value) => fields(value, below, &at, found),
            None => found.push(at),
        }
    }
}

#[test]
fn the_complete_manifest_has_every_field_of_the_schema_and_is_understood() {
    let manifest = object(include_str!("../../../examples/complete-postgres-manifest.yaml"));
    let crd = &crate::api::crds::all(&[]).unwrap()[0];
    let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
    let schema = &schema["openAPIV3Schema"]["properties"]["spec"];
    let mut missing = Vec::new();
    fields(&manifest.spec.value(), schema, "spec", &mut missing);
    missing.retain(|field| !field.contains("hugepages-1Gi"));
    assert_eq!(missing, [""; 0]);
    let spec = manifest.parsed().unwrap();
    assert_eq!(spec.additional_volumes[0].target_containers, ["all"]);
    assert!(spec.additional_volumes[0].volume_source.empty_dir.is_some());
    assert_eq!(spec.sidecars[0].ports[0].container_port, 9187);
    assert_eq!(spec.spilo_fs_group, Some(103));
    assert_eq!(spec.patroni.unwrap().slots["permanent_logical"]["plugin"], "pgoutput");
}

#[test]
fn the_status_object_of_2018_is_understood() {
    let found: Postgresql = serde_json::from_value(json!({
        "apiVersion": "acid.zalan.do/v1",
        "kind": "postgresql",
        "metadata": {
            "clusterName": "",
            "creationTimestamp": "2018-01-31T13:40:31Z",
            "deletionGracePeriodSeconds": null,
            "deletionTimestamp": null,
            "generation": 0,
            "initializers": null,
            "labels": {"team": "acid"},
            "name": "acid-fosdem-2018",
            "namespace": "default"
        },
        "spec": {
            "allowedSourceRanges": null,
            "numberOfInstances": 2,
            "postgresql": {"version": "10"},
            "resources": {
                "limits": {"cpu": "1000m", "memory": "1Gi"},
                "requests": {"cpu": "100m", "memory": "1Gi"}
            },
            "teamId": "acid",
            "users": null,
            "volume": {"size": "10Gi"}
        },
        "status": "Creating"
    }))
    .unwrap();
    let spec = found.parsed().unwrap();
    assert!(spec.allowed_source_ranges.is_empty());
    assert_eq!(spec.resources.unwrap().requests.cpu.as_deref(), Some("100m"));
    assert_eq!(found.status.value(), "Creating");
}

#[test]
fn numbers_where_text_is_meant_are_understood() {
    let spec = object(
        "spec: {teamId: a, numberOfInstances: 1, volume: {size: 1073741824}, \
         postgresql: {version: 15, parameters: {max_connections: 100, jit: false}}, \
         resources: {requests: {cpu: 0.5, memory: 100}}, standby: {standby_port: 5433}}",
    )
    .parsed()
    .unwrap();
    assert_eq!((spec.postgresql.version.as_str(), spec.volume.size.as_str()), ("15", "1073741824"));
    assert_eq!(spec.postgresql.parameters["max_connections"], "100");
    assert_eq!(spec.postgresql.parameters["jit"], "false");
    let requests = spec.resources.unwrap().requests;
    assert_eq!((requests.cpu.as_deref(), requests.memory.as_deref()), (Some("0.5"), Some("100")));
    assert_eq!(spec.standby.unwrap().standby_port.as_deref(), Some("5433"));
}

#[test]
fn an_error_names_the_field_from_the_root() {
    let error = object("spec: {teamId: a, numberOfInstances: 1, volume: {size: []}}").parsed();
    assert_eq!(error.unwrap_err().field, "spec.volume.size");
}

/// What kubectl 1.32 makes of the minimal manifest: a server that never saw `foo_user`.
fn applied(spec: Value, written: &Value) -> Postgresql {
    let annotation = json!({"apiVersion": "acid.zalan.do/v1", "spec": written}).to_string();
    serde_json::from_value(json!({
        "metadata": {"annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": annotation,
        }},
        "spec": spec,
    }))
    .unwrap()
}

fn minimal(more: Value) -> Value {
    let mut spec = json!({
        "teamId": "ACID",
        "volume": {"size": "1Gi"},
        "numberOfInstances": 2,
        "postgresql": {"version": "15"},
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

#[test]
fn a_user_without_flags_survives_kubectl_apply() {
    let written = minimal(json!({"users": {"zalando": ["superuser"], "foo_user": null}}));
    let sent = minimal(json!({"users": {"zalando": ["createdb"]}}));
    let users = applied(sent, &written).parsed().unwrap().users;
    assert_eq!(users["foo_user"], None);
    assert_eq!(users["zalando"], Some(vec!["createdb".to_owned()]), "the spec is what counts");
}

#[test]
fn users_of_whom_none_has_flags_survive_kubectl_apply() {
    let written = minimal(json!({"users": {"application_owner": null, "application_user": null}}));
    let users = applied(minimal(json!({})), &written).parsed().unwrap().users;
    assert_eq!(users.into_keys().collect::<Vec<_>>(), ["application_owner", "application_user"]);
}

#[test]
fn prepared_databases_and_schemas_survive_kubectl_apply() {
    let written = minimal(json!({"preparedDatabases": {
        "bar": null,
        "foo": {"defaultUsers": true, "schemas": {"data": null}},
    }}));
    let sent = minimal(json!({"preparedDatabases": {"foo": {"defaultUsers": true}}}));
    let databases = applied(sent, &written).parsed().unwrap().prepared_databases.unwrap();
    assert_eq!(databases["bar"], None);
    assert!(databases["foo"].as_ref().unwrap().schemas.contains_key("data"));
}

#[test]
fn nothing_else_of_the_annotation_counts() {
    let written = minimal(json!({
        "users": {"gone": ["superuser"]},
        "databases": {"gone": null},
        "teamId": null,
    }));
    let spec = applied(minimal(json!({})), &written).parsed().unwrap();
    assert!(spec.users.is_empty() && spec.databases.is_empty());
    assert_eq!(spec.team_id, "ACID");
    let broken = serde_json::from_value::<Postgresql>(json!({
        "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{"}},
        "spec": minimal(json!({})),
    }));
    assert_eq!(broken.unwrap().parsed().unwrap(), spec);
}
