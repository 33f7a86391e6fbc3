//! For tests: a context whose API server is a function, and what it was asked for.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Waker, Poll};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower_service::Service;

use crate::admin::{Board, Limits};
use crate::config::Config;
use crate::context::{Context, Parts};
use crate::identity::Identity;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Value,
}

impl Asked {
    /// `GET /api/v1/services`
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

type Answer = dyn Fn(&Asked) -> (u16, Value) + Send + Sync;

/// An API server.
#[derive(Clone)]
pub(crate) struct FakeApi {
    asked: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<Answer>,
}

impl FakeApi {
    pub(crate) fn new(answer: impl Fn(&Asked) -> (u16, Value) + Send + Sync + 'static) -> Self {
        Self { asked: Arc::default(), answer: Arc::new(answer) }
    }

    /// One in which there is nothing.
    pub(crate) fn empty() -> Self {
        Self::new(nothing)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.clone(), "default")
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was asked for and is no reading.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.asked().iter().filter(|one| one.method != "GET").map(Asked::line).collect()
    }

    /// A context of an operator that has this API server.
    pub(crate) fn context(&self, config: Config, controller_id: Option<&str>) -> Context {
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let limits = Limits { workers: 1, log_lines: 10, history_entries: 10 };
        let identity = Identity::new(&config).expect("randomness");
        Context::new(Parts {
            client: self.client(),
            config: Arc::new(config),
            identity,
            board: Arc::new(Board::new(limits)),
            controller_id: controller_id.map(str::to_owned),
            instance: "test".to_owned(),
        })
        .expect("a context")
    }
}

/// Lists are empty, and nothing else is there.
pub(crate) fn nothing(asked: &Asked) -> (u16, Value) {
    let last = asked.path.rsplit('/').next().unwrap_or_default();
    if asked.method == "GET" && last.ends_with('s') && !last.contains('-') {
        return (200, json!({ "kind": "List", "apiVersion": "v1", "metadata": {}, "items": [] }));
    }
    refusal(404)
}

pub(crate) fn refusal(code: u16) -> (u16, Value) {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        _ => "Refused",
    };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "refused",
        "reason": reason, "code": code,
    });
    (code, status)
}

impl Service<Request<Body>> for FakeApi {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Waker<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let asked = Asked {
                method: head.method.to_string(),
                path: head.uri.path().to_owned(),
                body: serde_json::from_slice(&body).unwrap_or_default(),
            };
            let (code, answer) = (this.answer)(&asked);
            this.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
            let mut response = Response::new(Full::new(Bytes::from(answer.to_string())));
            *response.status_mut() = code.try_into().expect("a status code");
            Ok(response)
        })
    }
}
