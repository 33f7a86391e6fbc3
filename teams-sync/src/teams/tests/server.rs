//! An HTTP server that answers whatever a test wants, byte by byte.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) target: String,
    headers: Vec<(String, String)>,
}

impl Asked {
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub(super) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.into_iter().find(|(given, _)| *given == name)?;
        Some(percent_decode_str(value).decode_utf8().unwrap().into_owned())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(given, _)| given == name)?;
        Some(value)
    }
}

/// What comes back.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// Nothing, and the connection stays open.
    Silence,
}

impl Reply {
    pub(super) fn json(value: &Value) -> Self {
        Self::whole("200 OK", "Content-Type: application/json\r\n", &value.to_string())
    }

    pub(super) fn scim(value: &Value) -> Self {
        Self::whole("200 OK", "Content-Type: application/scim+json\r\n", &value.to_string())
    }

    pub(super) fn whole(status: &str, headers: &str, body: &str) -> Self {
        Self::announced(status, headers, body, body.len())
    }

    pub(super) fn announced(status: &str, headers: &str, body: &str, length: usize) -> Self {
        let head = format!(
            "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        Self::Bytes([head.as_bytes(), body.as_bytes()].concat())
    }
}

/// Ends with the test.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen) = (Arc::new(answer), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                tokio::spawn(serve(stream, move |request| {
                    let reply = answer(&request);
                    seen.lock().unwrap().push(request);
                    reply
                }));
            }
        });
        Self { url, asked, task }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The paths that were asked for.
    pub(super) fn paths(&self) -> Vec<String> {
        self.asked().iter().map(|asked| asked.path().to_owned()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, answer: impl FnOnce(Asked) -> Reply) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let target = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    match answer(Asked { target, headers: headers.collect() }) {
        Reply::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Reply::Silence => tokio::time::sleep(Duration::from_secs(60)).await,
    }
}
