use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{admin, board, facts, id, text, value};
use crate::admin::log::subscriber;
use crate::admin::{Board, LogControl, LogFormat};

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn logged(board: &Arc<Board>, format: LogFormat, tell: impl FnOnce(LogControl)) -> String {
    let output = Output::default();
    let (subscriber, control) = subscriber(format, false, Arc::clone(board), output.clone());
    tracing::subscriber::with_default(subscriber, || tell(control));
    let bytes = output.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn lines_are_text_with_fields() {
    let lines = logged(&board(), LogFormat::Text, |_| {
        tracing::warn!(cluster = "default/a", number = 3, empty = "", "two words");
        tracing::error!(error = %"a \"quoted\" one", is_final = true, "failed");
    });
    let lines: Vec<&str> = lines.lines().map(|line| line.split_once("Z ").unwrap().1).collect();
    assert_eq!(
        lines,
        [
            r#" WARN two words cluster=default/a number=3 empty="""#,
            r#"ERROR failed error="a \"quoted\" one" is_final=true"#,
        ]
    );
}

#[test]
fn lines_are_json_where_that_is_wanted() {
    let line = logged(&board(), LogFormat::Json, |_| {
        tracing::warn!(cluster = "default/a", number = 3, level = "mine", "it \"is\"\n{}", 1);
    });
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.starts_with("{\"time\":\"20"), "{line}");
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "warning");
    assert_eq!(line["msg"], "it \"is\"\\n1");
    assert_eq!(line["cluster"], "default/a");
    assert_eq!(line["number"], 3);
    assert_eq!(line["field.level"], "mine");
}

#[test]
fn json_is_what_the_variable_asks_for() {
    assert_eq!(LogFormat::by_variable(Some("true")), LogFormat::Json);
    for other in [None, Some("false"), Some("")] {
        assert_eq!(LogFormat::by_variable(other), LogFormat::Text);
    }
}

#[test]
fn debug_lines_come_and_go_while_it_runs_and_libraries_say_nothing() {
    let lines = logged(&board(), LogFormat::Text, |control| {
        tracing::debug!("one");
        control.debug(true);
        tracing::debug!("two");
        tracing::debug!(target: "teams_sync::sync", "three");
        tracing::error!(target: "hyper::proto", "Bearer of a library");
        control.debug(false);
        tracing::debug!("four");
        tracing::info!("five");
    });
    let words: Vec<&str> = lines.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(words, ["two", "three", "five"]);
}

#[test]
fn what_has_a_cluster_or_a_worker_is_kept_on_the_board() {
    let board = board();
    board.cluster_seen(&id("default/a"), facts("acid"));
    logged(&board, LogFormat::Text, |_| {
        tracing::info!("of nobody");
        tracing::info!(cluster = %id("default/a"), worker = 0_u64, changes = 2, "of both");
        tracing::info!(cluster = "default/stranger", "of a stranger");
        tracing::info!(cluster = "nonsense", "of nothing");
        tracing::info!(worker = 0, "of a worker");
        tracing::info!(worker = 7, "of a worker that is not there");
    });
    let admin = admin(&board);
    let lines = value(&admin, "/clusters/default/a/logs");
    assert_eq!(lines.as_array().unwrap().len(), 1, "{lines}");
    assert_eq!(lines[0]["Message"], "of both changes=2");
    assert_eq!((&lines[0]["Worker"], &lines[0]["Level"]), (&0.into(), &"info".into()));
    let lines = value(&admin, "/workers/0/logs");
    assert_eq!(lines.as_array().unwrap().len(), 2, "{lines}");
    assert_eq!(lines[0]["ClusterName"], "default/a");
    assert_eq!(lines[1]["Message"], "of a worker");
    assert_eq!(lines[1].get("ClusterName"), None);
}

#[test]
fn spans_say_whose_line_it_is_and_the_inner_one_counts() {
    let board = board();
    board.cluster_seen(&id("default/a"), facts("acid"));
    let lines = logged(&board, LogFormat::Text, |_| {
        let worker = tracing::info_span!("worker", worker = 0, stage = "none");
        let _worker = worker.enter();
        let pass =
            tracing::info_span!("pass", cluster = "default/a", stage = tracing::field::Empty);
        pass.record("stage", "roles");
        let _pass = pass.enter();
        tracing::info!("done");
    });
    assert!(lines.ends_with("INFO done worker=0 stage=roles cluster=default/a\n"), "{lines}");
    let line = &value(&admin(&board), "/clusters/default/a/logs")[0];
    assert_eq!((&line["Message"], &line["Worker"]), (&"done stage=roles".into(), &0.into()));
}

#[test]
fn what_others_wrote_is_neither_a_line_nor_a_command_nor_endless() {
    let board = board();
    board.cluster_seen(&id("default/a"), facts("acid"));
    let foreign = "x\nERROR forged \u{1b}[31m\u{9b}\u{202e}\u{2028}";
    for format in [LogFormat::Text, LogFormat::Json] {
        let lines = logged(&board, format, |_| {
            tracing::info!(cluster = "default/a", error = foreign, "{foreign}");
            tracing::info!(cluster = "default/a", error = "é".repeat(100_000), "{:9999}", "x");
        });
        assert_eq!(lines.lines().count(), 2, "{lines}");
        assert!(lines.chars().all(|c| c == '\n' || !c.is_control()), "{lines}");
        assert!(!lines.contains(['\u{202e}', '\u{2028}']), "{lines}");
        assert!(lines.lines().all(|line| line.len() < 3000), "{lines}");
    }
    let lines = value(&admin(&board), "/clusters/default/a/logs");
    for line in lines.as_array().unwrap() {
        let message = line["Message"].as_str().unwrap();
        assert!(message.len() < 1100 && !message.contains(char::is_control), "{message}");
    }
}

#[test]
fn a_secret_in_a_foreign_text_is_not_logged() {
    let board = board();
    board.cluster_seen(&id("default/a"), facts("acid"));
    let canary = "c4nary-in-a-log";
    let lines = logged(&board, LogFormat::Text, |_| {
        tracing::info!(
            cluster = "default/a",
            error = %format!("ALTER ROLE x PASSWORD '{canary}'"),
            "cannot reach postgres://u:{canary}@db:5432/x"
        );
    });
    let ring = text(&admin(&board), "/clusters/default/a/logs");
    for text in [lines, ring] {
        assert!(text.contains("[redacted]") && !text.contains(canary), "{text}");
    }
}
