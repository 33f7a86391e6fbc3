//! `/healthz`, `/readyz` and `/metrics`: GET and HEAD go in, text comes out.
//!
//! Whoever can reach the port may read, and can do nothing else.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};

use super::board::Board;
use super::health::Heartbeat;
use super::listen::{Respond, typed};
use super::metrics;

const PLAIN: &str = "text/plain; charset=utf-8";

/// What there is to be told.
#[derive(Debug)]
pub(super) struct Endpoints {
    pub(super) board: Arc<Board>,
    pub(super) heartbeat: Arc<Heartbeat>,
}

impl Respond for Endpoints {
    fn respond(&self, head: &Parts) -> Response<Full<Bytes>> {
        self.answer(&head.method, head.uri.path())
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
