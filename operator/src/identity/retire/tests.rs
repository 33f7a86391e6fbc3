//! What happens on a server that a stranger runs.

use std::time::Duration;

use teams_sync::connect::Dsn;
use teams_sync::password::Checked;
use teams_sync::sync::{Engine, Identities};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::*;
use crate::roles::{of_manifest, vectors};

fn engine(limit: Duration) -> Engine {
    Engine {
        database: "postgres".to_owned(),
        guard: vectors::config().identity.guard,
        connect_limit: Duration::from_secs(10),
        turns: Semaphore::new(1),
        lock_limit: limit,
        pass_limit: limit,
        checked: Checked::new().unwrap(),
        identities: Identities::default(),
    }
}

/// AuthenticationOk and ReadyForQuery for whoever comes, and then nothing.
async fn lets_in_and_is_silent(listener: TcpListener) {
    let mut all: Vec<TcpStream> = Vec::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut startup = [0; 512];
        let _begins = stream.read(&mut startup).await;
        let _lets_in = stream.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").await;
        all.push(stream);
    }
}

#[tokio::test]
async fn a_server_that_lets_in_and_says_nothing_more_holds_nobody_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(lets_in_and_is_silent(listener));
    let text = format!("host=127.0.0.1 port={port} user=postgres sslmode=disable");
    let dsn = Dsn::parse(&text, &|_| None).unwrap();
    let mut config = vectors::config();
    config.secrets.enable_password_rotation = true;
    let mut cluster = vectors::cluster();
    cluster.spec.users.insert("foo_user".to_owned(), None);
    let roles = of_manifest(&cluster, &config).unwrap();
    let engine = engine(Duration::from_millis(50));
    let desired = Desired::default();
    let retired = retire(&dsn, &engine, &config, &roles, &desired, false);
    let retired = tokio::time::timeout(Duration::from_secs(30), retired).await.unwrap();
    assert!(retired.problems[0].contains("did not say within 50ms"), "{retired:?}");
    server.abort();
}
