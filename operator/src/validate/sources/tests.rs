use serde_json::{Value, json};

use super::{check, notes};
use crate::api::spec::PostgresSpec;
use crate::build::tests::config;

fn spec(more: &Value) -> PostgresSpec {
    let mut spec = json!({
        "teamId": "acid", "numberOfInstances": 1, "volume": { "size": "1Gi" },
        "postgresql": { "version": "15" },
    });
    spec.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("one"));
    serde_json::from_value(spec).expect("a spec")
}

fn refused(more: &Value) -> String {
    check(&spec(more)).expect_err("it is refused").field
}

#[test]
fn a_clone_names_a_cluster_and_a_time_with_a_zone() {
    for timestamp in [
        "2017-12-19T12:40:33+01:00",
        "1996-12-19T16:39:57-08:00",
        "2026-11-25T12:40:33.5+00:00",
        "2026-11-25T12:40:33Z",
        "",
    ] {
        let clone = json!({ "clone": { "cluster": "acid-old", "timestamp": timestamp } });
        check(&spec(&clone)).unwrap_or_else(|error| panic!("{timestamp}: {error}"));
    }
    for timestamp in [
        "yesterday",
        "2026-11-25",
        "2026-11-25T12:40:33",
        "2026-11-25 12:40:33+01:00",
        "2026-11-25T12:40:33+0100",
        "2026-11-25T12:40:33+01:00[Europe/Berlin]",
        "2026-13-25T12:40:33+01:00",
        "2026-11-25T12:40+01:00",
        "20261125T124033+01:00",
    ] {
        let clone = json!({ "clone": { "cluster": "acid-old", "timestamp": timestamp } });
        assert_eq!(refused(&clone), "spec.clone.timestamp", "{timestamp}");
    }
    for cluster in ["Acid", "acid_old", "1acid", "acid-", "other.acid-old", &"a".repeat(64)] {
        assert_eq!(refused(&json!({ "clone": { "cluster": cluster } })), "spec.clone.cluster");
    }
    check(&spec(&json!({ "clone": { "cluster": "" } }))).expect("no clone");
    let uid = json!({ "clone": { "cluster": "acid-old", "uid": "../other" } });
    assert_eq!(refused(&uid), "spec.clone.uid");
}

#[test]
fn a_standby_follows_a_host_or_one_archive_or_both() {
    for standby in [
        json!({ "standby_host": "acid-old.default" }),
        json!({ "standby_host": "acid-old", "standby_port": 5433, "s3_wal_path": "s3://a/b" }),
        json!({ "gs_wal_path": "gs://a/b" }),
    ] {
        let spec = spec(&json!({ "standby": standby }));
        check(&spec).unwrap_or_else(|error| panic!("{standby}: {error}"));
    }
    for (standby, field) in [
        (json!({}), "spec.standby"),
        (json!({ "standby_port": "5432" }), "spec.standby"),
        (json!({ "s3_wal_path": "s3://a/b", "gs_wal_path": "gs://a/b" }), "spec.standby"),
        (json!({ "standby_host": "a", "standby_port": "high" }), "spec.standby.standby_port"),
    ] {
        assert_eq!(refused(&json!({ "standby": standby })), field, "{standby}");
    }
}

#[test]
fn what_is_odd_is_said_and_no_reason_to_refuse() {
    let time = "2026-11-25T12:40:33+01:00";
    let said = |more: &Value| notes("acid-new", &spec(more), &config()).join("; ");
    for (more, word) in [
        (json!({ "clone": { "cluster": "acid-new" } }), "from itself"),
        (json!({ "clone": { "cluster": "acid-old", "uid": "efd12e58" } }), "running cluster"),
        (json!({ "clone": { "cluster": "acid-old", "timestamp": time } }), "where the archive is"),
        (
            json!({ "clone": { "cluster": "acid-old" }, "standby": { "standby_host": "a" } }),
            "no effect beside standby",
        ),
        (
            json!({ "standby": { "s3_wal_path": "s3://a/b", "standby_port": "5432" } }),
            "without standby_host",
        ),
    ] {
        assert!(said(&more).contains(word), "{more}: {}", said(&more));
    }
    for more in [
        json!({}),
        json!({ "clone": { "cluster": "acid-old" } }),
        json!({ "clone": { "cluster": "acid-new", "timestamp": time, "s3_wal_path": "s3://a" } }),
        json!({ "clone": { "cluster": "acid-old", "timestamp": time },
            "env": [{ "name": "CLONE_WAL_S3_BUCKET", "value": "wal" }] }),
    ] {
        assert_eq!(said(&more), "", "{more}");
    }
}

#[test]
fn no_key_of_a_clone_is_told() {
    let clone = json!({ "clone": {
        "cluster": "Acid", "s3_access_key_id": "hunter2", "s3_secret_access_key": "hunter2",
    } });
    let spec = spec(&clone);
    let error = check(&spec).expect_err("a bad name").to_string();
    let told = format!("{error} {:?} {:?}", spec.clone, notes("a", &spec, &config()));
    assert!(!told.contains("hunter2"), "{told}");
    assert!(told.contains("Acid"), "{told}");
}
