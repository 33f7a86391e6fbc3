use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use reference::Document;

use super::{admin, ask, board, facts, id, text};
use crate::admin::{Board, ClusterFacts, Orphan, PassResult, RoleSync};

/// Samples, by their whole name; fails on what Prometheus would not read.
fn samples(page: &str) -> BTreeSet<&str> {
    let mut families = BTreeSet::new();
    let mut samples = BTreeSet::new();
    for line in page.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let (kind, rest) = comment.split_once(' ').unwrap();
            let (name, _) = rest.split_once(' ').unwrap();
            assert!(["HELP", "TYPE", "UNIT"].contains(&kind), "{line}");
            assert!(kind != "TYPE" || families.insert(name), "{name} is there twice");
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap();
        let name = sample.split('{').next().unwrap();
        assert!(families.iter().any(|family| name.starts_with(family)), "{line}");
        assert!(samples.insert(line), "{line} is there twice");
    }
    samples
}

/// Something of everything has happened.
fn busy() -> Arc<Board> {
    let board = board();
    board.passed(PassResult::Done, Duration::from_millis(300));
    board.passed(PassResult::Failed, Duration::from_secs(100));
    board.stage_failed("RolesSynced");
    board.wrote("StatefulSet", "apply");
    board.wrote("StatefulSet", "apply");
    board.watch_restarted("Pod");
    board.reloaded(true);
    board.reloaded(false);
    board.leads(true);
    board.in_sync(true);
    board.worker_begins(0, &id("default/a"), "roles");
    board.cluster_seen(&id("default/a"), facts("acid"));
    let odd = ClusterFacts { phase: "My\"own".to_owned(), ..facts("acid") };
    board.cluster_seen(&id("test/b"), odd);
    let synced = RoleSync { people: 7, held_plans: 1, frozen_teams: 2 };
    board.people_synced(&id("default/a"), synced);
    board.people_synced(&id("test/b"), synced);
    board.people_synced(&id("test/gone"), synced);
    let orphan = |name: &str| Orphan {
        kind: "Service",
        namespace: "default".to_owned(),
        name: name.to_owned(),
    };
    board.orphans(vec![orphan("x"), orphan("y")]);
    board
}

#[test]
fn the_table_of_the_reference_has_every_metric() {
    let page = text(&admin(&busy()), "/metrics");
    Document::read("metrics.md").generated("operator", &reference::metrics(&page));
}

#[test]
fn what_happened_can_be_read_by_prometheus() {
    let admin = admin(&busy());
    let page = text(&admin, "/metrics");
    let samples = samples(&page);
    for wanted in [
        r#"postgres_operator_reconciles_total{result="done"} 1"#,
        r#"postgres_operator_reconciles_total{result="waiting"} 0"#,
        r#"postgres_operator_reconciles_total{result="failed"} 1"#,
        r#"postgres_operator_reconciles_total{result="refused"} 0"#,
        "postgres_operator_reconcile_duration_seconds_sum 100.3",
        "postgres_operator_reconcile_duration_seconds_count 2",
        r#"postgres_operator_reconcile_duration_seconds_bucket{le="0.25"} 0"#,
        r#"postgres_operator_reconcile_duration_seconds_bucket{le="0.5"} 1"#,
        r#"postgres_operator_reconcile_duration_seconds_bucket{le="60"} 1"#,
        r#"postgres_operator_reconcile_duration_seconds_bucket{le="+Inf"} 2"#,
        r#"postgres_operator_stage_failures_total{stage="RolesSynced"} 1"#,
        r#"postgres_operator_api_writes_total{kind="StatefulSet",verb="apply"} 2"#,
        r#"postgres_operator_watch_restarts_total{kind="Pod"} 1"#,
        "postgres_operator_config_reloads_total 2",
        "postgres_operator_config_reload_failures_total 1",
        "postgres_operator_leader 1.0",
        "postgres_operator_in_sync 1.0",
        "postgres_operator_queue_length 0.0",
        "postgres_operator_workers 1.0",
        "postgres_operator_workers_busy 1.0",
        r#"postgres_operator_clusters{phase="Running"} 1"#,
        r#"postgres_operator_clusters{phase="Unknown"} 1"#,
        r#"postgres_operator_cluster_phase{cluster="default/a",phase="Running"} 1"#,
        r#"postgres_operator_cluster_phase{cluster="test/b",phase="Unknown"} 1"#,
        r#"postgres_operator_orphaned_objects{kind="Service"} 2"#,
        "postgres_operator_people 14.0",
        "postgres_operator_held_plans 2.0",
        "postgres_operator_frozen_teams 4.0",
    ] {
        assert!(samples.contains(wanted), "{wanted} is not in\n{page}");
    }
    let (_, headers, _) = ask(&admin, "GET", "/metrics", None);
    assert!(headers.contains("text/plain; version=0.0.4"), "{headers}");
}

#[test]
fn a_page_is_there_before_anything_happened() {
    samples(&text(&admin(&board()), "/metrics"));
}

#[test]
fn a_cluster_that_is_gone_has_no_samples_and_no_people() {
    let board = board();
    board.cluster_seen(&id("default/a"), facts("acid"));
    let people = RoleSync { people: 7, ..RoleSync::default() };
    board.people_synced(&id("default/a"), people);
    board.cluster_gone(&id("default/a"));
    let page = text(&admin(&board), "/metrics");
    assert!(!page.contains("default/a"), "{page}");
    assert!(page.contains("postgres_operator_people 0.0"), "{page}");
}
