//! `/healthz`, `/readyz` and `/metrics` over HTTP/1.1: GET and HEAD go in, text comes out.
//!
//! Whoever can reach the port may read, and can do nothing else. One request per connection, few
//! connections, little time: whoever sends slowly or endlessly is cut off.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::board::Board;
use super::health::Heartbeat;
use super::metrics;

const MOST_CONNECTIONS: usize = 64;
const MOST_HEADERS: usize = 64;
/// For the head of a request; nothing else is read.
const BUFFER: usize = 16 * 1024;
const HEAD_LIMIT: Duration = Duration::from_secs(5);
/// For a request and its answer.
const LIMIT: Duration = Duration::from_secs(10);
/// When the system has no room for another connection, asking at once again does not help.
const FULL: Duration = Duration::from_millis(200);

const PLAIN: &str = "text/plain; charset=utf-8";

/// What there is to be told.
#[derive(Debug)]
pub(super) struct Endpoints {
    pub(super) board: Arc<Board>,
    pub(super) heartbeat: Arc<Heartbeat>,
}

/// A port that is listened on until this is dropped.
#[derive(Debug)]
pub(super) struct Listening {
    /// As it was asked for: with port 0, the system chose another.
    pub(super) wanted: SocketAddr,
    pub(super) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Listening {
    pub(super) async fn start(wanted: SocketAddr, endpoints: &Arc<Endpoints>) -> io::Result<Self> {
        let listener = TcpListener::bind(wanted).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(listen(listener, Arc::clone(endpoints)));
        Ok(Self { wanted, address, task })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: TcpListener, endpoints: Arc<Endpoints>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let endpoints = Arc::clone(&endpoints);
                tokio::spawn(async move {
                    let _too_slow = tokio::time::timeout(LIMIT, serve(stream, endpoints)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "connection not accepted");
                tokio::time::sleep(FULL).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, endpoints: Arc<Endpoints>) {
    let answer = service_fn(|request: Request<Incoming>| {
        let response = endpoints.answer(request.method(), request.uri().path());
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

impl Endpoints {
    pub(super) fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let is_known = matches!(path, "/healthz" | "/readyz" | "/metrics");
        if is_known && *method != Method::GET && *method != Method::HEAD {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match path {
            "/healthz" if self.heartbeat.is_fresh() => plain(StatusCode::OK, "alive\n"),
            "/healthz" => plain(StatusCode::SERVICE_UNAVAILABLE, "the scheduler is stuck\n"),
            "/readyz" => match self.board.awaited() {
                None => plain(StatusCode::OK, "ready\n"),
                Some(what) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{what}\n")),
            },
            "/metrics" => match metrics::text(&self.board) {
                Ok(text) => typed(StatusCode::OK, text, metrics::CONTENT_TYPE),
                Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            },
            _ => plain(StatusCode::NOT_FOUND, "/healthz, /readyz or /metrics\n"),
        }
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    typed(status, text, PLAIN)
}

fn typed(status: StatusCode, text: impl Into<Bytes>, kind: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
