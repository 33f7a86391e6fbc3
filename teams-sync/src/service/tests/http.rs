use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{fine, setup};
use crate::apply::Failure;
use crate::fleet::Facts;
use crate::infrastructure::Infrastructure;
use crate::service::board::Board;
use crate::service::health::Heartbeat;
use crate::service::http::Endpoints;
use crate::service::listen::Listening;
use crate::sync::{Ended, Report};
use crate::teams::SourceError;
use crate::teams::fetch::Answer;

async fn listening() -> (Listening, Arc<Endpoints>) {
    let board = Arc::new(Board::default());
    let heartbeat = Arc::new(Heartbeat::new());
    let endpoints = Arc::new(Endpoints { board, heartbeat });
    let listening = Listening::start("127.0.0.1:0".parse().unwrap(), &endpoints).await.unwrap();
    (listening, endpoints)
}

/// Everything that comes back until the connection ends.
async fn answer(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be closed before all of it is sent.
    let _cut_off = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn get(address: SocketAddr, path: &str) -> String {
    answer(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await
}

#[tokio::test]
async fn what_there_is_can_be_read_and_nothing_else() {
    let (listening, _) = listening().await;
    let address = listening.address();
    for (request, status) in [
        ("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK"),
        ("GET /healthz?verbose HTTP/1.0\r\n\r\n", "200 OK"),
        ("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", "503 Service Unavailable"),
        ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK"),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "404 Not Found"),
        ("GET /metrics/ HTTP/1.1\r\nHost: x\r\n\r\n", "404 Not Found"),
        ("GET /%2e%2e/metrics HTTP/1.1\r\nHost: x\r\n\r\n", "404 Not Found"),
        ("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", "405 "),
        ("DELETE /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "405 "),
        ("OPTIONS /readyz HTTP/1.1\r\nHost: x\r\n\r\n", "405 "),
        ("nonsense\r\n\r\n", "400 Bad Request"),
    ] {
        let answer = answer(address, request).await;
        let line = answer.lines().next().unwrap_or_default();
        assert!(line.contains(status), "{request:?} gave {answer:?}");
    }
}

#[tokio::test]
async fn head_is_get_without_the_text() {
    let (listening, _) = listening().await;
    let answer = answer(listening.address(), "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("content-length: 6"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_connection_is_for_one_request() {
    let (listening, _) = listening().await;
    let twice = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2);
    let answer = answer(listening.address(), &twice).await;
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn an_endless_head_is_cut_off() {
    let (listening, _) = listening().await;
    let long = format!("GET /healthz HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert!(!answer(listening.address(), &long).await.contains("200 OK"));
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(100));
    assert!(!answer(listening.address(), &many).await.contains("200 OK"));
}

#[tokio::test(start_paused = true)]
async fn who_sends_slowly_is_cut_off_and_holds_up_nobody_for_long() {
    let (listening, _) = listening().await;
    let mut slow = Vec::new();
    for _ in 0..80 {
        let mut stream = TcpStream::connect(listening.address()).await.unwrap();
        stream.write_all(b"GET /hea").await.unwrap();
        slow.push(stream);
    }
    let start = Instant::now();
    assert!(get(listening.address(), "/healthz").await.contains("200 OK"));
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_stuck_loop_is_not_healthy() {
    let (_listening, endpoints) = listening().await;
    let status = |path| endpoints.answer(&hyper::Method::GET, path).status().as_u16();
    endpoints.heartbeat.beat();
    tokio::time::advance(Duration::from_secs(14)).await;
    assert_eq!(status("/healthz"), 200);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(status("/healthz"), 503);
    endpoints.heartbeat.beat();
    assert_eq!(status("/healthz"), 200);
}

#[tokio::test]
async fn metrics_say_what_came_of_passes_and_fetches() {
    let (listening, endpoints) = listening().await;
    let board = &endpoints.board;
    let setup = setup(&["a", "b", "c \"\\\n"]).unwrap();
    let now = Instant::now();
    board.expect(&setup, now);
    let members = [("alice".to_owned(), ["file"].into()), ("bob".to_owned(), ["file"].into())];
    let frozen =
        Answer::Frozen { source: "file", error: SourceError::Status(500, "500".to_owned()) };
    let facts = Facts {
        answers: [
            ("team of a".to_owned(), Answer::Team(members.into())),
            ("team of b".to_owned(), frozen),
        ]
        .into(),
        robots: Infrastructure::default(),
    };
    board.fetched(&setup.config, &facts, Duration::from_millis(1500), now);
    let failure = Failure {
        role: super::role("alice"),
        change: "grant".to_owned(),
        sqlstate: "42501".to_owned(),
        message: "permission denied".to_owned(),
    };
    let ended = [
        Ended { on: "a".to_owned(), sessions: 3, error: None },
        Ended { on: "s".to_owned(), sessions: 0, error: Some("it does not answer".to_owned()) },
    ];
    let report = Report {
        failures: vec![failure.clone(), failure],
        ended: ended.into(),
        elapsed: Duration::from_millis(250),
        ..fine("a")
    };
    board.passed(&report, Timestamp::from_second(1_700_000_000).unwrap());
    board.passed(&Report::broken("b", "it"), Timestamp::UNIX_EPOCH);
    board.passed(&fine("of nobody"), Timestamp::UNIX_EPOCH);

    let text = get(listening.address(), "/metrics").await;
    assert!(text.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{text}");
    for line in [
        concat!("teams_sync_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "teams_sync_fetch_duration_seconds 1.5",
        "# TYPE teams_sync_config_reloads_total counter",
        "teams_sync_config_reload_failures_total 0",
        "teams_sync_source_up{team=\"team of a\"} 1.0",
        "teams_sync_source_up{team=\"team of b\"} 0.0",
        "teams_sync_team_members{team=\"team of a\"} 2.0",
        "teams_sync_server_up{server=\"a\"} 1.0",
        "teams_sync_server_up{server=\"b\"} 0.0",
        "teams_sync_server_last_success_timestamp_seconds{server=\"a\"} 1700000000.0",
        "teams_sync_server_duration_seconds{server=\"a\"} 0.25",
        "teams_sync_people{server=\"a\"} 7.0",
        "teams_sync_held{server=\"a\"} 0.0",
        "teams_sync_problems{server=\"a\"} 0.0",
        "teams_sync_failures_total{server=\"a\",kind=\"refused\"} 2",
        "teams_sync_failures_total{server=\"a\",kind=\"session\"} 1",
        "teams_sync_failures_total{server=\"b\",kind=\"bug\"} 1",
        "teams_sync_sessions_ended_total{server=\"a\"} 3",
        "teams_sync_passes_total{server=\"a\"} 1",
        "teams_sync_passes_total{server=\"c \\\"\\\\\\n\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line:?} in {text}");
    }
    assert!(!text.contains("of nobody"), "{text}");
    for name in ["server_last_success_timestamp_seconds", "people", "held", "problems"] {
        assert!(!text.contains(&format!("teams_sync_{name}{{server=\"b\"}}")), "{text}");
    }
    assert!(text.contains("teams_sync_source_age_seconds{team=\"team of b\"}"), "{text}");
}

#[tokio::test]
async fn connections_that_say_nothing_keep_nobody_out() {
    let (listening, _) = listening().await;
    let address = listening.address();
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let start = Instant::now();
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    drop(silent);
}
