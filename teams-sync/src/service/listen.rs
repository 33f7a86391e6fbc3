//! A port on which questions are answered over HTTP/1.1: heads of requests go in, answers come out.
//!
//! One request per connection, few connections, little time, no bodies: whoever sends slowly or
//! endlessly is cut off, and whoever says nothing makes room for those who ask. What is answered is decided elsewhere.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

const MOST_CONNECTIONS: usize = 64;
const MOST_HEADERS: usize = 64;
/// For the head of a request; nothing else is read.
const BUFFER: usize = 16 * 1024;
const HEAD_LIMIT: Duration = Duration::from_secs(5);
/// For a request and its answer.
const LIMIT: Duration = Duration::from_secs(10);
/// When the system has no room for another connection, asking at once again does not help.
const FULL: Duration = Duration::from_millis(200);

/// Who knows the answers. It is asked on the runtime, so it must not block.
pub trait Respond: Send + Sync + 'static {
    /// Answers a request by its head; its body, if any, is never read.
    fn respond(&self, head: &Parts) -> Response<Full<Bytes>>;
}

/// A port that is listened on until this is dropped.
#[derive(Debug)]
pub struct Listening {
    wanted: SocketAddr,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Listening {
    /// Listens from now on; it fails where the system does not give the port.
    pub async fn start<R: Respond>(wanted: SocketAddr, respond: &Arc<R>) -> io::Result<Self> {
        let listener = TcpListener::bind(wanted).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(listen(listener, Arc::clone(respond)));
        Ok(Self { wanted, address, task })
    }

    /// The address as it was asked for: with port 0, the system chose another.
    pub fn wanted(&self) -> SocketAddr {
        self.wanted
    }

    /// The address that can be connected to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen<R: Respond>(listener: TcpListener, respond: Arc<R>) {
    let heads = Arc::new(Heads::default());
    let mut connections = JoinSet::new();
    for number in 0_u64.. {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "connection not accepted");
                tokio::time::sleep(FULL).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        while connections.len() >= MOST_CONNECTIONS {
            heads.cut_off_first();
            connections.join_next().await;
        }
        let (respond, own) = (Arc::clone(&respond), Arc::clone(&heads));
        let task = connections.spawn(async move {
            let read = || own.is_read(number);
            let _too_slow = tokio::time::timeout(LIMIT, serve(stream, respond, read)).await;
            own.is_read(number);
        });
        heads.waits(number, task);
    }
}

/// Connections that have not sent a request yet, the oldest first. Whoever holds all places
/// without a word must not keep out those who have something to ask.
#[derive(Debug, Default)]
struct Heads(Mutex<BTreeMap<u64, AbortHandle>>);

impl Heads {
    fn waits(&self, number: u64, task: AbortHandle) {
        let mut all = self.all();
        // Some were quicker than their entry.
        all.retain(|_, known| !known.is_finished());
        all.insert(number, task);
    }

    fn is_read(&self, number: u64) {
        self.all().remove(&number);
    }

    /// Where nobody waits, all have asked, and end by themselves.
    fn cut_off_first(&self) {
        let mut all = self.all();
        all.retain(|_, known| !known.is_finished());
        if let Some((_, task)) = all.pop_first() {
            task.abort();
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, AbortHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve<R: Respond>(stream: TcpStream, respond: Arc<R>, read: impl Fn()) {
    let answer = service_fn(|request: Request<Incoming>| {
        read();
        let response = respond.respond(&request.into_parts().0);
        async { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_headers(MOST_HEADERS)
        .max_buf_size(BUFFER)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "request not understood");
    }
}

/// An answer of a content type. Nobody keeps it, and nobody guesses what it is.
pub fn typed(
    status: StatusCode,
    text: impl Into<Bytes>,
    kind: &'static str,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
