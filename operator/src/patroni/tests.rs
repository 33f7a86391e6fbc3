use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Meant, Patroni, leader, pauses};

#[test]
fn the_leader_is_who_the_annotation_names() {
    let named = BTreeMap::from([("leader".to_owned(), "acid-0".to_owned())]);
    assert_eq!(leader(&named), Some("acid-0"));
    assert_eq!(leader(&BTreeMap::from([("leader".to_owned(), String::new())])), None);
    assert_eq!(leader(&BTreeMap::new()), None);
}

#[test]
fn whether_patroni_is_paused_stands_in_its_settings() {
    let of = |config: &str| pauses(&BTreeMap::from([("config".to_owned(), config.to_owned())]));
    assert!(of(r#"{"pause":true,"ttl":30}"#));
    for config in [r#"{"pause":false}"#, r#"{"ttl":30}"#, "", "{"] {
        assert!(!of(config), "{config}");
    }
    assert!(!pauses(&BTreeMap::new()));
}

/// Who answers one request with this status; the request, once it is there.
async fn answering(status: &'static str) -> (Patroni, tokio::task::JoinHandle<String>) {
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("somebody asks");
        let mut read = vec![0; 4096];
        let length = stream.read(&mut read).await.expect("a request");
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.expect("it listens");
        String::from_utf8_lossy(&read[..length]).into_owned()
    });
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let meant = Meant::new("acid-0", None);
    (Patroni { port, ..Patroni::new(http, address, Duration::from_secs(10), meant) }, asked)
}

#[tokio::test]
async fn a_switchover_to_come_is_withdrawn_and_none_is_no_error() {
    for (status, is_well) in [("200 OK", true), ("404 Not Found", true), ("409 Conflict", false)] {
        let (patroni, asked) = answering(status).await;
        assert_eq!(patroni.withdraw_switchover().await.is_ok(), is_well, "{status}");
        let asked = asked.await.expect("it ended");
        assert!(asked.starts_with("DELETE /switchover "), "{asked}");
    }
}
