//! For tests: a context whose API server is a function, and what it was asked for.

use std::collections::BTreeMap;
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
use crate::controller::lasting::Lasting;
use crate::identity::Identity;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    /// As it was sent, encoded.
    pub(crate) query: String,
    pub(crate) body: Value,
}

impl Asked {
    /// `GET /api/v1/services`
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The label selector.
    fn labels(&self) -> impl Iterator<Item = (String, String)> {
        let selector = self.query.split('&').find_map(|one| one.strip_prefix("labelSelector="));
        let selector = selector.unwrap_or_default().replace("%3D", "=").replace("%2C", ",");
        let pairs = selector.split(',').filter_map(|one| one.split_once('='));
        let pairs: Vec<_> = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        pairs.into_iter()
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
        self.context_with(config, controller_id, Arc::default())
    }

    /// The same, with what lasts.
    pub(crate) fn context_with(
        &self,
        config: Config,
        controller_id: Option<&str>,
        lasting: Arc<Lasting>,
    ) -> Context {
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let limits = Limits { workers: 1, log_lines: 10, history_entries: 10 };
        let identity = Identity::new(&config).expect("randomness");
        Context::new(Parts {
            client: self.client(),
            config: Arc::new(config),
            identity,
            board: Arc::new(Board::new(limits)),
            lasting,
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
                query: head.uri.query().unwrap_or_default().to_owned(),
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

/// An API server that keeps objects by their paths. Deleting one that has finalizers keeps it.
#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Mutex<BTreeMap<String, Value>>>);

impl Store {
    pub(crate) fn new(objects: impl IntoIterator<Item = (String, Value)>) -> Self {
        Self(Arc::new(Mutex::new(objects.into_iter().collect())))
    }

    pub(crate) fn api(&self) -> FakeApi {
        let this = self.clone();
        FakeApi::new(move |asked| this.answer(asked))
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.objects().keys().cloned().collect()
    }

    fn objects(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, asked: &Asked) -> (u16, Value) {
        let mut objects = self.objects();
        if asked.method == "POST" {
            let name = asked.body["metadata"]["name"].as_str().unwrap_or_default();
            objects.insert(format!("{}/{name}", asked.path), asked.body.clone());
            return (201, asked.body.clone());
        }
        let Some(known) = objects.get_mut(&asked.path) else {
            let items: Vec<&Value> = objects
                .iter()
                .filter(|(path, _)| path.rsplit_once('/').is_some_and(|(of, _)| of == asked.path))
                .map(|(_, object)| object)
                .filter(|object| {
                    asked.labels().all(|(key, value)| object["metadata"]["labels"][key] == value)
                })
                .collect();
            let list =
                json!({ "kind": "List", "apiVersion": "v1", "metadata": {}, "items": items });
            return if asked.method == "GET" && (!items.is_empty() || nothing(asked).0 == 200) {
                (200, list)
            } else {
                refusal(404)
            };
        };
        match asked.method.as_str() {
            "DELETE" if known["metadata"]["finalizers"].is_array() => {
                known["metadata"]["deletionTimestamp"] = json!("2026-11-25T12:00:00Z");
                (200, known.clone())
            }
            "DELETE" => (200, objects.remove(&asked.path).unwrap_or_default()),
            "PATCH" => {
                let annotations = &asked.body["metadata"]["annotations"];
                for (key, value) in annotations.as_object().into_iter().flatten() {
                    known["metadata"]["annotations"][key] = value.clone();
                }
                (200, known.clone())
            }
            _ => (200, known.clone()),
        }
    }
}
