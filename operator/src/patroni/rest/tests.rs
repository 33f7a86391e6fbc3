use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::patroni::{Meant, Patroni};

const PATIENCE: Duration = Duration::from_secs(5);

/// A Patroni that gives the same answer to everybody; what it was asked for last comes back.
struct Fake {
    port: u16,
    asked: tokio::sync::watch::Receiver<String>,
}

impl Fake {
    async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (tell, asked) = tokio::sync::watch::channel(String::new());
        let answer = answer.into();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut read = vec![0; 4096];
                let length = stream.read(&mut read).await.unwrap_or(0);
                let text = String::from_utf8_lossy(read.get(..length).unwrap_or_default());
                tell.send_replace(text.into_owned());
                let _may_be_gone = stream.write_all(&answer).await;
                let _may_be_gone = stream.shutdown().await;
            }
        });
        Self { port, asked }
    }

    async fn saying(status: &str, body: &str) -> Self {
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
        Self::answering(format!("{head}{body}")).await
    }

    fn client(&self, patience: Duration) -> Patroni {
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let meant = Meant::new("acid-1", Some("7".to_owned()));
        Patroni { port: self.port, ..Patroni::new(http, address, patience, meant) }
    }
}

#[tokio::test]
async fn settings_are_an_object_whatever_is_in_it() {
    let fake = Fake::saying("200 OK", r#"{"ttl":"30","postgresql":{"parameters":null}}"#).await;
    let found = fake.client(PATIENCE).config().await.expect("settings");
    assert_eq!(json!(found), json!({ "ttl": "30", "postgresql": { "parameters": null } }));
    for body in ["", "[]", "null", "<html>", r#"{"ttl":"#] {
        let fake = Fake::saying("200 OK", body).await;
        let error = fake.client(PATIENCE).config().await.expect_err(body);
        assert!(error.reason.contains("cannot be understood"), "{error}");
    }
}

#[tokio::test]
async fn whatever_is_no_success_is_an_error_with_the_words_that_came_with_it() {
    for status in ["503 Service Unavailable", "502 Bad Gateway", "409 Conflict", "301 Moved"] {
        let fake = Fake::saying(status, "no \u{1b}[31mconfig\r\n").await;
        let client = fake.client(PATIENCE);
        let code = status.get(..3).expect("a code");
        let errors = [
            client.config().await.expect_err(status),
            client.members().await.expect_err(status),
            client.instance().await.expect_err(status),
            client.change_config(&json!({ "ttl": 30 })).await.expect_err(status),
            client.restart_pending().await.expect_err(status),
        ];
        for error in errors {
            let reason = error.reason;
            assert!(reason.contains(code) && reason.contains("no \\u{1b}[31mconfig"), "{reason}");
        }
    }
}

#[tokio::test]
async fn words_that_come_with_an_error_are_shortened() {
    let fake = Fake::saying("500 Internal Server Error", &"x".repeat(10_000)).await;
    let error = fake.client(PATIENCE).config().await.expect_err("an error");
    assert!(error.reason.len() <= 300, "{}", error.reason.len());
}

#[tokio::test]
async fn an_answer_without_an_end_is_given_up() {
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "[".repeat(1 << 20));
    let fake = Fake::answering(endless).await;
    let error = fake.client(PATIENCE).config().await.expect_err("an error");
    assert!(error.reason.contains("no end"), "{error}");
}

#[tokio::test]
async fn a_patroni_that_does_not_answer_is_given_up() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (_tell, asked) = tokio::sync::watch::channel(String::new());
    let start = Instant::now();
    let client = Fake { port, asked }.client(Duration::from_millis(200));
    assert!(client.config().await.is_err());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_patch_is_sent_as_it_is_and_what_holds_then_comes_back() {
    let fake = Fake::saying("200 OK", r#"{"ttl":20}"#).await;
    let patch = json!({ "ttl": 20, "pause": null });
    let now = fake.client(PATIENCE).change_config(&patch).await.expect("it is done");
    assert_eq!(now.get("ttl"), Some(&json!(20)));
    let asked = fake.asked.borrow().clone();
    assert!(asked.starts_with("PATCH /config HTTP/1.1\r\n"), "{asked}");
    assert!(asked.ends_with(r#"{"pause":null,"ttl":20}"#), "{asked}");
}

#[tokio::test]
async fn only_a_restart_that_is_pending_is_asked_for() {
    let fake = Fake::saying("200 OK", "restarted successfully").await;
    fake.client(PATIENCE).restart_pending().await.expect("it is done");
    let asked = fake.asked.borrow().clone();
    assert!(asked.starts_with("POST /restart HTTP/1.1\r\n"), "{asked}");
    assert!(asked.ends_with(r#"{"restart_pending":true}"#), "{asked}");
}

#[tokio::test]
async fn patroni_may_be_asked_to_compare_again() {
    let fake = Fake::saying("202 Accepted", "reload scheduled").await;
    fake.client(PATIENCE).reload().await.expect("it is done");
    let asked = fake.asked.borrow().clone();
    assert!(asked.starts_with("POST /reload HTTP/1.1\r\n"), "{asked}");
}

#[tokio::test]
async fn an_instance_says_what_a_restart_would_change() {
    // As Patroni 4.0.4 has it.
    let body = r#"{"state":"running","postmaster_start_time":"2026-11-25 12:00:00+00:00","role":"replica",
        "server_version":150020,"xlog":{"received_location":1},"timeline":1,"replication_state":"streaming",
        "dcs_last_seen":1,"database_system_identifier":"7","pending_restart":true,
        "pending_restart_reason":{"max_connections":{"old_value":"100","new_value":"120"}},
        "patroni":{"version":"4.0.4","scope":"acid","name":"acid-1"}}"#;
    let instance = Fake::saying("200 OK", body).await.client(PATIENCE).instance().await;
    let instance = instance.expect("an instance");
    let turn = instance.pending_restart_reason.get("max_connections").expect("it is there");
    assert_eq!((&turn.old_value, &turn.new_value), (&json!("100"), &json!("120")));
    assert!(instance.tells_streaming());
    // And 3.0.2.
    let body =
        r#"{"state":"running","role":"master","patroni":{"version":"3.0.2","scope":"acid"}}"#;
    let instance = Fake::saying("200 OK", body).await.client(PATIENCE).instance().await;
    let instance = instance.expect("an instance");
    assert!(!instance.tells_streaming() && !instance.pending_restart);
}

#[tokio::test]
async fn what_another_clusters_patroni_says_is_no_answer() {
    let body = r#"{"state":"running","role":"primary","database_system_identifier":"7",
        "patroni":{"version":"4.0.4","scope":"other","name":"other-1"}}"#;
    let error = Fake::saying("200 OK", body).await.client(PATIENCE).instance().await;
    let error = error.expect_err("of another cluster");
    assert!(error.reason.contains("not acid-1"), "{error}");
    let body = r#"{"members":[{"name":"other-1","role":"leader"}]}"#;
    let fake = Fake::saying("200 OK", body).await;
    assert!(fake.client(PATIENCE).members().await.is_err());
    assert!(fake.client(PATIENCE).view().await.is_err());
}

#[tokio::test]
async fn what_was_refused_was_not_done_and_what_was_not_answered_may_have_been() {
    for (status, may_be_done) in
        [("401 Unauthorized", false), ("403 Forbidden", false), ("503 Service Unavailable", true)]
    {
        let fake = Fake::saying(status, "no").await;
        let error = fake.client(PATIENCE).restart_pending().await.expect_err(status);
        assert_eq!(error.may_be_done, may_be_done, "{error}");
    }
    let lost = Fake::answering("").await.client(PATIENCE).restart_pending().await;
    assert!(lost.is_err_and(|error| error.may_be_done));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let (_tell, asked) = tokio::sync::watch::channel(String::new());
    let nobody = Fake { port, asked }.client(PATIENCE).restart_pending().await;
    assert!(nobody.is_err_and(|error| !error.may_be_done));
}
