use std::net::SocketAddr;
use std::time::Duration;

use teams_sync::service::listen::Listening;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{admin, board};
use crate::admin::{everywhere, listen};

async fn listening() -> Listening {
    listen("127.0.0.1:0".parse().unwrap(), &admin(&board())).await.unwrap()
}

async fn answer(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be closed before all of it is sent.
    let _cut_off = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn the_port_answers_once_and_reads_no_body() {
    let listening = listening().await;
    assert_ne!(listening.address().port(), 0);
    let all = "GET /workers/all/status/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx";
    let answer = answer(listening.address(), all).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n{\"0\":\"idle\"}"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn who_sends_slowly_is_cut_off_after_five_seconds() {
    let listening = listening().await;
    let mut stream = TcpStream::connect(listening.address()).await.unwrap();
    stream.write_all(b"GET /status").await.unwrap();
    let start = Instant::now();
    let mut answer = Vec::new();
    let _reset = stream.read_to_end(&mut answer).await;
    assert!(start.elapsed() <= Duration::from_secs(6), "{:?}", start.elapsed());
    assert!(!String::from_utf8_lossy(&answer).contains("200 OK"));
}

#[tokio::test]
async fn a_head_that_is_too_long_is_not_read() {
    let listening = listening().await;
    let long = format!("GET /healthz HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert!(!answer(listening.address(), &long).await.contains("200 OK"));
}

#[tokio::test]
async fn a_port_that_is_taken_is_one_line() {
    let first = listening().await;
    let address = first.address();
    let error = listen(address, &admin(&board())).await.unwrap_err().to_string();
    let start = format!("the port {} of api_port is taken: ", address.port());
    assert!(error.starts_with(&start), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[tokio::test]
async fn an_address_of_somebody_else_is_an_error_too() {
    let address = "192.0.2.1:8080".parse().unwrap();
    let error = listen(address, &admin(&board())).await.unwrap_err().to_string();
    assert!(error.starts_with("api_port 8080 cannot be listened on: "), "{error}");
}

#[tokio::test]
async fn what_is_dropped_is_closed() {
    let first = listening().await;
    let address = first.address();
    drop(first);
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(listen(address, &admin(&board())).await.is_ok());
}

#[test]
fn a_port_alone_is_every_address() {
    assert_eq!(everywhere(8080).to_string(), "[::]:8080");
}
