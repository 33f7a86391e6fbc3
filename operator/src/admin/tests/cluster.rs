use serde_json::{Value, json};

use super::{admin, board, facts, get, id, shown, text, value};
use crate::admin::rings::LogLine;
use crate::admin::{ClusterFacts, Objects};

#[test]
fn a_cluster_is_told_with_its_objects_in_the_shape_of_the_reference() {
    let board = board();
    let cluster = id("default/acid-minimal-cluster");
    board.cluster_seen(
        &cluster,
        ClusterFacts {
            objects: Objects {
                master_service: Some(shown(json!({"kind": "Service"}))),
                ..Objects::default()
            },
            ..facts("acid")
        },
    );
    let admin = admin(&board);
    let path = "/clusters/default/acid-minimal-cluster";
    let with = |process: &str, error: &str| {
        [
            r#"{"Team":"acid","Cluster":"acid-minimal-cluster","Namespace":"default","#,
            r#""MasterService":{"kind":"Service"},"ReplicaService":null,"MasterEndpoint":null,"#,
            r#""ReplicaEndpoint":null,"StatefulSet":null,"PrimaryPodDisruptionBudget":null,"#,
            r#""CriticalOpPodDisruptionBudget":null,"CurrentProcess":"#,
            process,
            r#","Worker":0,"Status":{"PostgresClusterStatus":"Running"},"#,
            r#""Spec":{"numberOfInstances":2,"teamId":"acid"},"Error":"#,
            error,
            "}",
        ]
        .concat()
    };
    let none = r#"{"Name":"","StartTime":"0001-01-01T00:00:00Z"}"#;
    assert_eq!(text(&admin, path), with(none, "{}"));
    board.worker_begins(0, &cluster, "secrets");
    let error = Some("no route to host".to_owned());
    board.cluster_seen(
        &cluster,
        ClusterFacts {
            error,
            objects: Objects {
                master_service: Some(shown(json!({"kind": "Service"}))),
                ..Objects::default()
            },
            ..facts("acid")
        },
    );
    assert_eq!(
        text(&admin, path),
        with(
            r#"{"Name":"secrets","StartTime":"2026-01-02T12:00:00.5Z"}"#,
            r#"{"Message":"no route to host"}"#
        )
    );
}

#[test]
fn clusters_are_listed_by_team_in_lower_case() {
    let board = board();
    let admin = admin(&board);
    assert_eq!(text(&admin, "/clusters"), "{}");
    board.cluster_seen(&id("default/acid-b"), facts("ACID"));
    board.cluster_seen(&id("default/acid-a"), facts("acid"));
    board.cluster_seen(&id("test/other"), facts("Other"));
    assert_eq!(text(&admin, "/clusters"), r#"{"acid":["acid-a","acid-b"],"other":["other"]}"#);
    assert_eq!(text(&admin, "/clusters/acid"), r#"["acid-a","acid-b"]"#);
    assert_eq!(text(&admin, "/clusters/Other"), r#"["other"]"#);
}

#[test]
fn databases_of_clusters_of_one_name_are_all_told() {
    let board = board();
    let with = |databases: &[&str]| ClusterFacts {
        databases: databases.iter().map(|&name| name.to_owned()).collect(),
        ..facts("acid")
    };
    board.cluster_seen(&id("default/a"), with(&["foo", "bar"]));
    board.cluster_seen(&id("test/a"), with(&["bar", "zoo"]));
    board.cluster_seen(&id("test/b"), with(&[]));
    assert_eq!(text(&admin(&board), "/databases"), r#"{"a":["bar","foo","zoo"],"b":[]}"#);
}

#[test]
fn nothing_is_left_of_a_cluster_that_is_gone() {
    let board = board();
    let cluster = id("default/a");
    board.worker_begins(0, &cluster, "resources");
    board.cluster_seen(&cluster, facts("acid"));
    board.history(&cluster, vec!["numberOfInstances: 1 -> 2".to_owned()]);
    board.cluster_gone(&cluster);
    board.history(&cluster, vec!["late".to_owned()]);
    board.logged(line("late"));
    board.worker_idle(0);
    let admin = admin(&board);
    for path in ["/clusters/default/a", "/clusters/default/a/logs", "/clusters/default/a/history"] {
        assert_eq!(get(&admin, path).0, 500, "{path}");
    }
    assert_eq!(text(&admin, "/clusters"), "{}");
    assert_eq!(text(&admin, "/databases"), "{}");
    assert!(!get(&admin, "/metrics").1.contains("default/a"));
}

fn line(message: &str) -> LogLine {
    LogLine {
        time: super::time("2026-01-02T12:00:01Z"),
        level: tracing::Level::WARN,
        cluster: Some(id("default/a")),
        worker: Some(0),
        message: message.to_owned(),
    }
}

#[test]
fn the_history_keeps_the_latest_changes_from_when_the_work_on_them_began() {
    let board = board();
    let cluster = id("default/a");
    board.cluster_seen(&cluster, facts("acid"));
    for diff in ["one", "two", "three"] {
        board.history(&cluster, vec![diff.to_owned()]);
    }
    board.history(&cluster, Vec::new());
    assert_eq!(
        text(&admin(&board), "/clusters/default/a/history"),
        concat!(
            r#"[{"EventTime":"2026-01-02T12:00:00.5Z","ProcessTime":"2026-01-02T12:00:00.5Z","#,
            r#""Diff":["two"]},{"EventTime":"2026-01-02T12:00:00.5Z","#,
            r#""ProcessTime":"2026-01-02T12:00:00.5Z","Diff":["three"]}]"#
        )
    );
}

#[test]
fn logs_of_a_cluster_name_the_worker_and_logs_of_a_worker_the_cluster() {
    let board = board();
    board.cluster_seen(&id("default/a"), facts("acid"));
    let admin = admin(&board);
    assert_eq!(text(&admin, "/clusters/default/a/logs"), "[]");
    assert_eq!(text(&admin, "/workers/0/logs"), "[]");
    board.logged(line("it was scaled"));
    assert_eq!(
        text(&admin, "/clusters/default/a/logs"),
        r#"[{"Time":"2026-01-02T12:00:01Z","Level":"warning","Worker":0,"Message":"it was scaled"}]"#
    );
    assert_eq!(
        text(&admin, "/workers/0/logs"),
        r#"[{"Time":"2026-01-02T12:00:01Z","Level":"warning","ClusterName":"default/a","Message":"it was scaled"}]"#
    );
    for number in 0..10 {
        board.logged(line(&number.to_string()));
    }
    for path in ["/clusters/default/a/logs", "/workers/0/logs"] {
        let lines = value(&admin, path);
        let lines = lines.as_array().unwrap();
        let messages: Vec<&Value> = lines.iter().map(|line| &line["Message"]).collect();
        assert_eq!(messages, ["7", "8", "9"], "{path}");
    }
}
