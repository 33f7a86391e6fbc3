mod access;
mod api;
mod cluster;
mod http;
mod log;
mod metrics;
mod redact;

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::Request;
use jiff::Timestamp;
use serde_json::{Value, json};
use teams_sync::service::listen::Respond;
use tokio::sync::watch;

use super::{Access, Admin, Board, ClusterFacts, Limits, Shown};
use crate::cluster::ClusterId;

const LIMITS: Limits = Limits { workers: 1, log_lines: 3, history_entries: 2 };

/// A board at noon.
fn board() -> Arc<Board> {
    let clock = || "2026-01-02T12:00:00.5Z".parse().unwrap();
    Arc::new(Board::with_clock(LIMITS, clock))
}

fn admin(board: &Arc<Board>) -> Arc<Admin> {
    Admin::new(Arc::clone(board), watch::channel(Access::open()).1)
}

fn id(text: &str) -> ClusterId {
    let (namespace, name) = text.split_once('/').unwrap();
    ClusterId { namespace: namespace.to_owned(), name: name.to_owned() }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn shown(value: Value) -> Shown {
    Shown::of(Arc::new(value))
}

fn facts(team: &str) -> ClusterFacts {
    ClusterFacts {
        team: team.to_owned(),
        uid: "8f6a".to_owned(),
        spec: shown(json!({"teamId": team, "numberOfInstances": 2})),
        databases: vec!["foo".to_owned()],
        phase: "Running".to_owned(),
        ..ClusterFacts::default()
    }
}

/// Status, headers, body.
fn ask(admin: &Admin, method: &str, path: &str, token: Option<&str>) -> (u16, String, String) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("Authorization", token);
    }
    let answer = admin.respond(&request.body(()).unwrap().into_parts().0);
    let (head, body) = answer.into_parts();
    let body = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(body.collect())
        .unwrap()
        .to_bytes();
    let headers = format!("{:?}", head.headers);
    (head.status.as_u16(), headers, String::from_utf8(body.to_vec()).unwrap())
}

fn get(admin: &Admin, path: &str) -> (u16, String) {
    let (status, _, body) = ask(admin, "GET", path, None);
    (status, body)
}

/// The text of an answer that has to be there, with and without a slash at the end.
#[track_caller]
fn text(admin: &Admin, path: &str) -> String {
    let (status, body) = get(admin, path);
    assert_eq!(status, 200, "{path}: {body}");
    assert_eq!(get(admin, &format!("{path}/")), (200, body.clone()), "{path}/");
    body
}

#[track_caller]
fn value(admin: &Admin, path: &str) -> Value {
    serde_json::from_str(&text(admin, path)).unwrap()
}
