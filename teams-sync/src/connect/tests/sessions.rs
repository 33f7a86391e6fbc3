//! Warnings in the order of the wire, and how sessions end.

use super::super::{MOST_WARNINGS, Session, Warning};
use super::fake_server::{FakeServer, done, error, notice, ready, row, welcome};
use super::try_connect;
use std::time::{Duration, Instant};

/// A session with a server that says `answers` to one statement after the other.
async fn session(answers: &[Vec<u8>]) -> Session {
    let server = FakeServer::start(None, &[&[welcome()], answers, &[vec![]]].concat());
    try_connect(&format!("host=127.0.0.1 port={}", server.port)).await.unwrap()
}

fn warning(sqlstate: &str, message: &str) -> Warning {
    Warning { sqlstate: sqlstate.into(), message: message.into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn warnings_are_there_when_the_answer_is() {
    let answer = [
        notice("WARNING", "01006", "not revoked"),
        notice("NOTICE", "00000", "only a notice"),
        done(),
        notice("WARNING", "01007", "not granted"),
        notice("INFO", "00000", "only information"),
        done(),
        ready(),
    ]
    .concat();
    let answers: Vec<_> = std::iter::repeat_n(answer, 200).collect();
    let session = session(&answers).await;
    for _ in &answers {
        assert_eq!(session.batch("REVOKE; GRANT").await.unwrap().len(), 2);
        assert_eq!(
            session.take_warnings(),
            [warning("01006", "not revoked"), warning("01007", "not granted")]
        );
        assert_eq!(session.take_warnings(), []);
    }
    session.close(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn warnings_before_an_error_are_kept() {
    let failing =
        [notice("WARNING", "01000", "careful"), error("22012", "division by zero"), ready()]
            .concat();
    let session = session(&[failing, [done(), ready()].concat()]).await;
    let error = session.batch("SELECT 1/0").await.unwrap_err();
    assert_eq!(super::super::describe(&error), "division by zero (SQLSTATE 22012)");
    assert_eq!(session.take_warnings(), [warning("01000", "careful")]);
    assert!(session.batch("SELECT 1").await.is_ok());
}

#[tokio::test]
async fn what_is_said_before_the_first_statement_belongs_to_none() {
    let collation = notice("WARNING", "01000", "collation version mismatch");
    let server = FakeServer::start(
        None,
        &[
            [&welcome()[..9], &collation, &welcome()[9..]].concat(),
            [done(), ready()].concat(),
            vec![],
        ],
    );
    let session = try_connect(&format!("host=127.0.0.1 port={}", server.port)).await.unwrap();
    session.batch("SELECT 1").await.unwrap();
    assert_eq!(session.take_warnings(), []);
}

#[tokio::test]
async fn too_many_warnings_are_told_and_not_kept() {
    let mut flood = notice("WARNING", "01000", "again").repeat(MOST_WARNINGS + 5);
    flood.extend([done(), ready()].concat());
    let session = session(&[flood]).await;
    session.batch("SELECT 1").await.unwrap();
    let warnings = session.take_warnings();
    assert_eq!(warnings.len(), MOST_WARNINGS);
    assert_eq!(warnings[MOST_WARNINGS - 2], warning("01000", "again"));
    assert_eq!(
        warnings[MOST_WARNINGS - 1].message,
        format!("teams-sync kept {} warnings and no more", MOST_WARNINGS - 1)
    );
}

#[tokio::test]
async fn a_session_tells_why_it_ended() {
    let session = session(&[error("57P01", "terminating\nconnection")]).await;
    assert_eq!(session.end(), None);
    assert!(session.batch("SELECT 1").await.is_err());
    let server = FakeServer::start(None, &[[welcome(), error("57P01", "going down")].concat()]);
    let opened = try_connect(&format!("host=127.0.0.1 port={}", server.port)).await;
    // Said before or after the first look at the connection.
    match opened {
        Ok(session) => {
            let error = session.batch("SELECT 1").await.unwrap_err();
            let said = session.end().unwrap_or_else(|| super::super::describe(&error));
            assert!(said.contains("going down (SQLSTATE 57P01)"), "{said}");
        }
        Err(error) => assert!(error.to_string().contains("going down"), "{error}"),
    }
}

/// Callers open several at once, each in a task.
#[tokio::test]
async fn sessions_can_be_opened_in_tasks() {
    let server = FakeServer::start(None, &[welcome(), vec![]]);
    let text = format!("host=127.0.0.1 port={}", server.port);
    let opened = tokio::spawn(async move { try_connect(&text).await }).await.unwrap();
    tokio::spawn(opened.unwrap().close(Duration::from_secs(5))).await.unwrap();
}

#[tokio::test]
async fn closing_waits_no_longer_than_it_may() {
    let session = session(&[vec![]]).await;
    // A statement without an answer keeps the connection from ending by itself.
    let waited = tokio::time::timeout(Duration::from_millis(50), session.batch("SELECT")).await;
    assert!(waited.is_err());
    let start = Instant::now();
    session.close(Duration::from_millis(100)).await;
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn dropping_closes_the_socket() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text =
        format!("host=127.0.0.1 port={} sslmode=disable", listener.local_addr().unwrap().port());
    let accept = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut startup = [0; 1024];
        assert!(stream.read(&mut startup).await.unwrap() > 8);
        stream.write_all(&welcome()).await.unwrap();
        stream
    };
    let (session, mut stream) = tokio::join!(try_connect(&text), accept);
    let session = session.unwrap();
    assert_eq!(format!("{session:?}"), format!("Session {{ server: {:?}, .. }}", session.server()));
    // Even while the server still works on a statement.
    let waited = tokio::time::timeout(Duration::from_millis(50), session.batch("SELECT")).await;
    assert!(waited.is_err());
    drop(session);
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
    assert!(closed.is_ok());
}

#[tokio::test]
async fn an_answer_without_an_end_ends_the_session() {
    let mut mebibyte = row(&"x".repeat(1024 * 1024));
    mebibyte.truncate(mebibyte.len() - ready().len());
    let fine = [mebibyte.repeat(40), ready()].concat();
    let endless = [mebibyte.repeat(80), ready()].concat();
    let session = session(&[fine, endless]).await;
    assert_eq!(session.batch("SELECT 1").await.unwrap().len(), 120);
    let too_much = tokio::time::timeout(Duration::from_secs(60), session.batch("SELECT 1")).await;
    assert!(too_much.unwrap().is_err());
    assert!(session.end().is_some_and(|end| end.contains("for one answer")), "{:?}", session.end());
}
