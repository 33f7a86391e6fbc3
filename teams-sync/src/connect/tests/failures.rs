//! What each way to fail is called, and what is said about it.

use super::super::ConnectErrorKind::{self, *};
use super::fake_server::{FakeServer, error, row, want_password, welcome};
use super::files::Folder;
use super::{parse, try_connect};
use std::net::TcpListener;
use std::time::Duration;

fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn failure(text: &str) -> (ConnectErrorKind, Option<String>, String) {
    let error = try_connect(text).await.expect_err(text);
    (error.kind(), error.sqlstate().map(str::to_owned), error.to_string())
}

#[tokio::test]
async fn a_server_that_refuses_says_which_kind_it_is() {
    for (code, expected, transient) in [
        ("28P01", Authentication, false),
        ("28000", Authentication, false),
        ("57P03", Busy, true),
        ("57P01", Busy, true),
        ("53300", Busy, true),
        ("53200", Busy, true),
        ("3D000", Refused, false),
        ("42501", Refused, false),
    ] {
        let server = FakeServer::start(None, &[error(code, "no \"way\"\nback\u{1b}[2J")]);
        let (kind, sqlstate, said) = failure(&format!("host=127.0.0.1 port={}", server.port)).await;
        assert_eq!((kind, kind.is_transient()), (expected, transient), "{code}");
        assert_eq!(sqlstate.as_deref(), Some(code));
        let start = format!(
            "cannot connect to database \"app\" at 127.0.0.1:{}: no \"way\"\\nback\\u{{1b}}[2J \
             (SQLSTATE {code}); ",
            server.port
        );
        assert!(said.starts_with(&start), "{said}");
    }
}

#[tokio::test]
async fn what_is_no_server_is_unreachable() {
    let closed = closed_port();
    let gone = FakeServer::start(None, &[]);
    for (text, expected) in [
        (format!("host=127.0.0.1 port={closed}"), "Connection refused"),
        ("host=/no/such/folder".to_owned(), "/no/such/folder/.s.PGSQL.5432: error connecting"),
        (format!("host=127.0.0.1 port={}", gone.port), "connection closed"),
        ("host=no-such-host.invalid".to_owned(), "the host name cannot be resolved"),
    ] {
        let (kind, _, said) = failure(&text).await;
        assert_eq!(kind, Unreachable, "{said}");
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn what_speaks_something_else_is_refused() {
    let server = FakeServer::start(None, &[b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()]);
    let (kind, _, said) = failure(&format!("host=127.0.0.1 port={}", server.port)).await;
    assert!(matches!(kind, Refused | Unreachable), "{said}");
}

#[tokio::test]
async fn a_password_that_is_missing_is_asked_for() {
    let server = FakeServer::start(None, &[want_password(), vec![]]);
    let (kind, _, said) = failure(&format!("host=127.0.0.1 port={}", server.port)).await;
    assert_eq!(kind, Authentication);
    assert!(said.contains("the server asks for a password"), "{said}");
    assert!(said.contains("neither passfile nor HOME"), "{said}");
    let text = format!("host=127.0.0.1 port={} passfile=/no/such", server.port);
    let (_, _, said) = failure(&text).await;
    assert!(said.contains("there is no password file \"/no/such\""), "{said}");
}

/// By the name in the connection string, the port and the database of this very attempt.
#[tokio::test]
async fn a_password_comes_from_the_file_for_this_server() {
    let folder = Folder::new();
    let server = FakeServer::start(None, &[want_password(), welcome(), vec![]]);
    let port = server.port;
    for (line, fits) in [
        (format!("127.0.0.1:{port}:app:u:p"), true),
        (format!("127.0.0.1:{port}:other:u:p"), false),
        (format!("127.0.0.1:{port}:app:v:p"), false),
        ("127.0.0.1:1:app:u:p".to_owned(), false),
        (format!("localhost:{port}:app:u:p"), false),
    ] {
        let file = folder.write("pgpass", &line, 0o600).display().to_string();
        let text = format!("host=127.0.0.1 port={port} user=u passfile={file}");
        assert_eq!(try_connect(&text).await.is_ok(), fits, "{line}");
    }
    let file = folder.write("pgpass", "db:*:*:*:p", 0o600).display().to_string();
    let text = format!("host=db hostaddr=127.0.0.1 port={port} user=u passfile={file}");
    assert!(try_connect(&text).await.is_ok());
    let text = format!("host=127.0.0.1 port={port} user=u password=p passfile={file}");
    assert!(try_connect(&text).await.is_ok());
}

#[tokio::test]
async fn a_password_that_the_server_repeats_is_not_shown() {
    let answer = error("28P01", "hunter2\n is wrong");
    let server = FakeServer::start(None, &[want_password(), answer]);
    let text = format!("host=127.0.0.1 port={} password='hunter2\n'", server.port);
    let (kind, _, said) = failure(&text).await;
    assert_eq!(kind, Authentication);
    assert!(said.contains("*** is wrong") && !said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn channel_binding_can_be_required() {
    let server = FakeServer::start(None, &[welcome(), vec![]]);
    let text = format!("host=127.0.0.1 port={} channel_binding=require", server.port);
    let (kind, _, said) = failure(&text).await;
    assert_eq!(kind, Authentication);
    assert!(said.contains("server did not use channel binding"), "{said}");
}

#[tokio::test]
async fn the_server_that_can_be_written_to_is_found() {
    let standby = FakeServer::start(None, &[welcome(), row("on"), vec![]]);
    let primary = FakeServer::start(None, &[welcome(), row("off"), vec![]]);
    let starting = FakeServer::start(None, &[error("57P03", "starting up")]);
    let (closed, standby, primary, starting) =
        (closed_port(), standby.port, primary.port, starting.port);
    let text = format!(
        "host=127.0.0.1,127.0.0.1,127.0.0.1,127.0.0.1 port={closed},{starting},{standby},{primary}"
    );
    let session = try_connect(&text).await.unwrap();
    assert_eq!(session.server(), format!("127.0.0.1:{primary}"));

    let text = format!("host=127.0.0.1,127.0.0.1 port={standby},{closed}");
    let (kind, _, said) = failure(&text).await;
    assert!(kind == ReadOnly && kind.is_transient(), "{said}");
    assert!(said.contains("does not allow writes; at 127.0.0.1"), "{said}");
    assert!(said.contains("Connection refused"), "{said}");
    let text = format!("host=127.0.0.1,127.0.0.1 port={standby},{starting}");
    assert_eq!(failure(&text).await.0, Busy);
    let text = format!("host=127.0.0.1 port={primary} target_session_attrs=read-only");
    assert_eq!(failure(&text).await.0, ReadOnly);
}

#[tokio::test]
async fn a_login_that_is_refused_is_not_tried_elsewhere() {
    let refusing = FakeServer::start(None, &[error("28P01", "no")]);
    let other = FakeServer::start(None, &[welcome(), vec![]]);
    let text = format!(
        "host=127.0.0.1,127.0.0.1 port={},{} target_session_attrs=any sslmode=disable",
        refusing.port, other.port
    );
    assert_eq!(failure(&text).await.0, Authentication);
    assert_eq!((refusing.connections(), other.connections()), (1, 0));
}

#[tokio::test]
async fn one_limit_is_for_everything() {
    let mute = FakeServer::start(None, &[vec![]]);
    let text = format!("host=127.0.0.1,127.0.0.1 port={},{}", closed_port(), mute.port);
    let dsn = parse(&text).unwrap();
    let error = super::connect(&dsn, "app", Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.kind(), Unreachable);
    let said = error.to_string();
    assert!(said.contains("Connection refused"), "{said}");
    // What is left, after the one that refused at once.
    let expected = format!("127.0.0.1:{}: no connection within 2", mute.port);
    assert!(said.contains(&expected), "{said}");
}

/// Login included: a server that accepts and says nothing is passed over.
#[tokio::test]
async fn connect_timeout_is_per_server() {
    let mute = FakeServer::start(None, &[vec![]]);
    let good = FakeServer::start(None, &[welcome(), row("off"), vec![]]);
    let text =
        format!("host=127.0.0.1,127.0.0.1 port={},{} connect_timeout=1", mute.port, good.port);
    assert!(try_connect(&text).await.unwrap().server().ends_with(&good.port.to_string()));
    let (kind, _, said) =
        failure(&format!("host=127.0.0.1 port={} connect_timeout=1", mute.port)).await;
    assert_eq!(kind, Unreachable);
    assert!(said.contains("no connection within 1.0s"), "{said}");
}

/// Without a time limit of their own, servers share the one that all have together.
#[tokio::test]
async fn a_server_that_says_nothing_leaves_time_for_the_next_one() {
    let mute = FakeServer::start(None, &[vec![]]);
    let good = FakeServer::start(None, &[welcome(), row("off"), vec![]]);
    let text = format!("host=127.0.0.1,127.0.0.1 port={},{} sslmode=disable", mute.port, good.port);
    let session = super::connect(&parse(&text).unwrap(), "app", Duration::from_secs(4)).await;
    assert!(session.unwrap().server().ends_with(&good.port.to_string()));
}

#[tokio::test]
async fn hosts_can_be_tried_in_random_order() {
    let a = FakeServer::start(None, &[welcome(), vec![]]);
    let b = FakeServer::start(None, &[welcome(), vec![]]);
    let text = format!(
        "host=127.0.0.1,127.0.0.1 port={},{} target_session_attrs=any load_balance_hosts=random",
        a.port, b.port
    );
    // All the same 64 times: once in 2^63 runs.
    for _ in 0..64 {
        try_connect(&text).await.unwrap();
    }
    assert!(a.connections() > 0 && b.connections() > 0);
}
