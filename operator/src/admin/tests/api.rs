use serde_json::{Value, json};

use super::{LIMITS, admin, ask, board, facts, get, id, text, time, value};
use crate::admin::{ControllerFacts, InfrastructureRole, Limits, QueueEntry};

#[test]
fn an_idle_worker_is_what_every_test_of_the_reference_waits_for() {
    let admin = admin(&board());
    assert_eq!(text(&admin, "/workers/all/status"), r#"{"0":"idle"}"#);
    assert_eq!(text(&admin, "/workers/0/status"), r#""idle""#);
}

#[test]
fn a_busy_worker_says_where_it_is_and_since_when() {
    let board = board();
    let admin = admin(&board);
    let busy = |step: &str| {
        format!(
            r#"{{"CurrentCluster":{{"Namespace":"default","Name":"acid-minimal-cluster"}},"CurrentProcess":{{"Name":"{step}","StartTime":"2026-01-02T12:00:00.5Z"}}}}"#
        )
    };
    board.worker_begins(0, &id("default/acid-minimal-cluster"), "resources");
    assert_eq!(text(&admin, "/workers/0/status"), busy("resources"));
    board.worker_step(0, "roles");
    assert_eq!(text(&admin, "/workers/0/status"), busy("roles"));
    assert_eq!(text(&admin, "/workers/all/status"), format!(r#"{{"0":{}}}"#, busy("roles")));
    board.worker_idle(0);
    assert_eq!(text(&admin, "/workers/all/status"), r#"{"0":"idle"}"#);
    board.worker_step(0, "roles");
    assert_eq!(text(&admin, "/workers/0/status"), r#""idle""#);
}

#[test]
fn workers_that_are_too_many_go_when_they_are_idle() {
    let board = board();
    let admin = admin(&board);
    board.limit(Limits { workers: 3, ..LIMITS });
    board.worker_begins(2, &id("default/a"), "resources");
    board.limit(LIMITS);
    assert_eq!(value(&admin, "/workers/all/status").as_object().unwrap().len(), 2);
    board.worker_idle(2);
    assert_eq!(text(&admin, "/workers/all/status"), r#"{"0":"idle"}"#);
}

#[test]
fn the_status_counts_clusters_and_what_waits() {
    let board = board();
    let admin = admin(&board);
    let empty = r#"{"LastSyncTime":0,"Clusters":0,"WorkerQueueSize":{"0":0}}"#;
    assert_eq!(text(&admin, "/status"), empty);
    board.limit(Limits { workers: 2, ..LIMITS });
    board.cluster_seen(&id("default/a"), facts("acid"));
    // Begun with, and perhaps not there at all.
    board.worker_begins(1, &id("default/b"), "resources");
    board.synced();
    let entry = |name: &str| QueueEntry {
        cluster: id(name),
        why: "resync".to_owned(),
        since: time("2026-01-02T11:59:59Z"),
    };
    board.queue_changed(vec![entry("default/a"), entry("default/c")]);
    assert_eq!(
        text(&admin, "/status"),
        r#"{"LastSyncTime":1767355200,"Clusters":1,"WorkerQueueSize":{"0":2,"1":0}}"#
    );
    let queue = r#"{"Keys":["default/a","default/c"],"List":[{"EventTime":"2026-01-02T11:59:59Z","UID":"8f6a","EventType":"RESYNC","OldSpec":null,"NewSpec":null,"WorkerID":0},{"EventTime":"2026-01-02T11:59:59Z","UID":"","EventType":"RESYNC","OldSpec":null,"NewSpec":null,"WorkerID":0}]}"#;
    let none = r#"{"Keys":[],"List":[]}"#;
    assert_eq!(text(&admin, "/workers/0/queue"), queue);
    assert_eq!(text(&admin, "/workers/1/queue"), none);
    assert_eq!(text(&admin, "/workers/all/queue"), format!(r#"{{"0":{queue},"1":{none}}}"#));
}

#[test]
fn the_configuration_has_the_infrastructure_roles_without_passwords() {
    let board = board();
    let admin = admin(&board);
    assert_eq!(get(&admin, "/config").0, 500);
    let controller = ControllerFacts {
        crd_ready_wait_interval: 4_000_000_000,
        crd_ready_wait_timeout: 30_000_000_000,
        config_map_name: "default/postgres-operator".to_owned(),
        namespace: "default".to_owned(),
        kube_qps: 10,
        kube_burst: 20,
        ..ControllerFacts::default()
    };
    let operator = json!({"ResyncPeriod": "30m0s", "WatchedNamespace": "*"});
    board.configured(controller, operator);
    board.infrastructure_roles(vec![InfrastructureRole {
        name: "robot_zmon_acid_monitoring_new".to_owned(),
        member_of: Some(vec!["robot_zmon".to_owned()]),
        ..InfrastructureRole::default()
    }]);
    assert_eq!(
        text(&admin, "/config"),
        concat!(
            r#"{"controller":{"InfrastructureRoles":{"robot_zmon_acid_monitoring_new":{"Origin":2,"#,
            r#""Name":"robot_zmon_acid_monitoring_new","Namespace":"","Password":"[redacted]","#,
            r#""Flags":null,"MemberOf":["robot_zmon"],"Parameters":null,"AdminRole":"","#,
            r#""IsDbOwner":false,"Deleted":false,"Rotated":false,"Degraded":false}},"#,
            r#""NoDatabaseAccess":false,"NoTeamsAPI":false,"CRDReadyWaitInterval":4000000000,"#,
            r#""CRDReadyWaitTimeout":30000000000,"ConfigMapName":"default/postgres-operator","#,
            r#""Namespace":"default","IgnoredAnnotations":null,"EnableJsonLogging":false,"#,
            r#""KubeQPS":10,"KubeBurst":20},"#,
            r#""operator":{"ResyncPeriod":"30m0s","WatchedNamespace":"*"}}"#,
        )
    );
}

#[test]
fn what_cannot_be_answered_is_an_error_of_the_server_with_words() {
    let board = board();
    board.cluster_seen(&id("default/a"), facts("acid"));
    let admin = admin(&board);
    for path in [
        "/",
        "/nonsense",
        "/status/more",
        "//status",
        "/clusters/nobody/",
        "/clusters/default/nothing/",
        "/clusters/default/nothing/logs/",
        "/clusters/default/a/nonsense/",
        "/clusters/default/a/logs/more/",
        "/workers/1/status/",
        "/workers/-1/status/",
        "/workers/x/logs/",
        "/workers/all/logs/",
        "/workers/0/nonsense/",
        "/workers/0/",
        "/debug/pprof/heap",
    ] {
        let (status, headers, body) = ask(&admin, "GET", path, None);
        assert_eq!(status, 500, "{path}: {body}");
        assert!(headers.contains(r#""content-type": "application/json""#), "{headers}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert!(!body["error"].as_str().unwrap().is_empty(), "{path}");
        assert_eq!(body.as_object().unwrap().len(), 1, "{path}");
    }
}

#[test]
fn answers_are_json_and_nothing_but_reading_is_possible() {
    let admin = admin(&board());
    let (_, headers, _) = ask(&admin, "GET", "/status/?x=y", None);
    assert!(headers.contains(r#""content-type": "application/json""#), "{headers}");
    assert_eq!(ask(&admin, "HEAD", "/status/", None).0, 200);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        for path in ["/status/", "/healthz", "/metrics", "/nonsense"] {
            let (status, headers, body) = ask(&admin, method, path, None);
            assert_eq!(status, 405, "{method} {path}");
            assert!(headers.contains(r#""allow": "GET, HEAD""#), "{headers}");
            assert_eq!(body, r#"{"error":"GET or HEAD"}"#);
        }
    }
}

#[test]
fn ready_is_who_has_a_configuration_and_full_caches_or_stands_by() {
    let board = board();
    let admin = admin(&board);
    let no_caches = (503, r#"{"error":"the caches are not filled yet"}"#.to_owned());
    assert_eq!(
        get(&admin, "/readyz"),
        (503, r#"{"error":"no configuration is loaded yet"}"#.to_owned())
    );
    board.configured(ControllerFacts::default(), json!({}));
    assert_eq!(get(&admin, "/readyz"), no_caches);
    board.leads(false);
    assert_eq!(text(&admin, "/readyz"), r#""OK""#);
    board.leads(true);
    assert_eq!(get(&admin, "/readyz/"), no_caches);
    board.not_listed(vec!["Secret", "Pod"]);
    let named = r#"{"error":"the caches are not filled yet: Secret, Pod"}"#.to_owned();
    assert_eq!(get(&admin, "/readyz/"), (503, named));
    board.in_sync(true);
    assert_eq!(text(&admin, "/readyz"), r#""OK""#);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_began_to_beat_is_not_healthy_without() {
    let board = board();
    assert!(board.is_alive());
    tokio::time::advance(std::time::Duration::from_secs(60)).await;
    assert!(board.is_alive());
    board.beat();
    tokio::time::advance(std::time::Duration::from_secs(15)).await;
    assert!(!board.is_alive());
    board.beat();
    assert!(board.is_alive());
}

#[test]
fn health_is_told_without_more() {
    assert_eq!(text(&admin(&board()), "/healthz"), r#""OK""#);
}
