use serde_json::{Value, json};

use super::unused::notes;
use super::validate;
use crate::api::postgresql::Postgresql;
use crate::api::spec::PostgresSpec;
use crate::build::tests::config;

fn manifest(name: &str, spec: Value) -> Postgresql {
    let mut all = json!({
        "teamId": "acid", "numberOfInstances": 1,
        "volume": { "size": "1Gi" }, "postgresql": { "version": "15" },
    });
    all.as_object_mut().expect("an object").extend(spec.as_object().expect("one").clone());
    serde_json::from_value(json!({
        "metadata": { "name": name, "namespace": "default" }, "spec": all,
    }))
    .expect("a manifest")
}

/// The field that is wrong.
fn refused(name: &str, spec: Value) -> String {
    let error = validate(&manifest(name, spec), &config()).expect_err("it is refused");
    error.field
}

#[test]
fn the_least_that_there_has_to_be_is_accepted() {
    let accepted = validate(&manifest("acid-db", json!({})), &config()).expect("it is fine");
    assert_eq!(accepted.cluster.id.to_string(), "default/acid-db");
}

#[test]
fn a_name_that_no_service_can_have_is_refused() {
    for name in ["Acid", "1acid", "acid-", "acid.db", "", &"a".repeat(59)] {
        assert_eq!(refused(name, json!({})), "metadata.name", "{name}");
    }
    let longest = "a".repeat(58);
    assert!(validate(&manifest(&longest, json!({})), &config()).is_ok());
}

#[test]
fn a_name_begins_with_its_team_where_that_is_asked_for() {
    let mut config = config();
    config.operation.enable_team_id_clustername_prefix = true;
    assert!(validate(&manifest("acid-db", json!({})), &config).is_ok());
    for (name, team, field) in [
        ("other-db", "acid", "metadata.name"),
        ("acid", "acid", "metadata.name"),
        ("acid-db", "", "spec.teamId"),
    ] {
        let error = validate(&manifest(name, json!({ "teamId": team })), &config);
        assert_eq!(error.expect_err("it is refused").field, field, "{name} of {team}");
    }
}

#[test]
fn each_mistake_is_told_by_its_field() {
    for (spec, field) in [
        (json!({ "numberOfInstances": -1 }), "spec.numberOfInstances"),
        (json!({ "volume": { "size": "much" } }), "spec.volume.size"),
        (json!({ "allowedSourceRanges": ["10.0.0.0/99"] }), "spec.allowedSourceRanges[0]"),
        (
            json!({ "maintenanceWindows": ["01:00-06:00", "06:00-01:00"] }),
            "spec.maintenanceWindows[1]",
        ),
        (json!({ "databases": { "template1": "foo" } }), "spec.databases.template1"),
        (json!({ "databases": { "foo": "pg_foo" } }), "spec.databases.foo"),
        (json!({ "preparedDatabases": { "a-b": {} } }), "spec.preparedDatabases.a-b"),
        (
            json!({ "preparedDatabases": { "a": { "schemas": { "pg_x": {} } } } }),
            "spec.preparedDatabases.a.schemas.pg_x",
        ),
    ] {
        assert_eq!(refused("acid-db", spec.clone()), field, "{spec}");
    }
}

#[test]
fn what_a_manifest_asks_for_in_vain_is_said() {
    let spec = |more: Value| {
        let mut spec = json!({
            "teamId": "acid", "numberOfInstances": 1, "volume": { "size": "1Gi" },
            "postgresql": { "version": "15" },
        });
        spec.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("one"));
        serde_json::from_value::<PostgresSpec>(spec).expect("a spec")
    };
    assert_eq!(notes(&spec(json!({ "enableLogicalBackup": false }))), <[&str; 0]>::default());
    for (more, word) in [
        (json!({ "streams": [{}] }), "streams"),
        (json!({ "volume": { "size": "1Gi", "iops": 3000 } }), "volume.iops"),
    ] {
        let notes = notes(&spec(more));
        assert!(notes.len() == 1 && notes[0].contains(word), "{notes:?}");
    }
}
