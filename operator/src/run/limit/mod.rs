//! What holds for every request to the API server: it has a limit of time, it waits while the API
//! server wants to be left alone, and whoever does not lead writes nothing, however late it finds
//! out.

mod gate;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body as HttpBody, Bytes};
use hyper::{Method, Request, Response};
use kube::client::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::leader::Term;
use gate::Gate;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// From a request to the last byte of its answer, watches excepted. The queue comes again, and a
/// connection on which nothing comes must not hold a worker for as long as a watch may last.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// Why a request was not sent, or not waited for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Refused {
    #[error("the API server has not answered within {} seconds", PATIENCE.as_secs())]
    TooSlow,
    #[error("this operator does not lead any more, and writes nothing")]
    NotLeading,
}

/// Puts [`Limited`] around a client's way to the API server.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    term: Arc<Term>,
    gate: Arc<Gate>,
}

impl Limit {
    pub(super) fn new(term: Arc<Term>) -> Self {
        Self { term, gate: Arc::default() }
    }
}

impl<S> Layer<S> for Limit {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Limited<S> {
        let (term, gate) = (Arc::clone(&self.term), Arc::clone(&self.gate));
        Limited { inner: Arc::new(Mutex::new(inner)), term, gate }
    }
}

#[derive(Debug)]
pub(super) struct Limited<S> {
    /// A request that has to wait takes its turn later.
    inner: Arc<Mutex<S>>,
    term: Arc<Term>,
    gate: Arc<Gate>,
}

impl<S, B> Service<Request<Body>> for Limited<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Either<Full<Bytes>, B>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        lock(&self.inner).poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (inner, term, gate) =
            (Arc::clone(&self.inner), Arc::clone(&self.term), Arc::clone(&self.gate));
        Box::pin(async move {
            if !is_of_election(&request) {
                gate.passed().await;
            }
            if needs_term(&request) && !term.holds() {
                return Err(Refused::NotLeading.into());
            }
            let is_watch = is_watch(&request);
            let answer = send(&inner, request).await.map_err(Into::into)?;
            let answer = async {
                let answer = answer.await;
                if let Ok(answer) = &answer {
                    gate.heard(answer.status(), answer.headers());
                }
                answer
            };
            if is_watch {
                return Ok(answer.await.map_err(Into::into)?.map(Either::Right));
            }
            let whole = async {
                let (head, body) = answer.await.map_err(Into::into)?.into_parts();
                let bytes = body.collect().await.map_err(Into::into)?.to_bytes();
                Ok(Response::from_parts(head, Either::Left(Full::new(bytes))))
            };
            tokio::time::timeout(PATIENCE, whole).await.unwrap_or(Err(Refused::TooSlow.into()))
        })
    }
}

/// As soon as it can be sent.
async fn send<S: Service<Request<Body>>>(
    inner: &Mutex<S>,
    request: Request<Body>,
) -> Result<S::Future, S::Error> {
    let mut request = Some(request);
    std::future::poll_fn(|context| {
        let mut inner = lock(inner);
        std::task::ready!(inner.poll_ready(context))?;
        // It is ready once.
        request.take().map_or(Poll::Pending, |request| Poll::Ready(Ok(inner.call(request))))
    })
    .await
}

fn lock<S>(inner: &Mutex<S>) -> MutexGuard<'_, S> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whoever leads must not lose that because somebody else asks too much.
fn is_of_election(request: &Request<Body>) -> bool {
    request.uri().path().starts_with("/apis/coordination.k8s.io/")
}

fn is_watch(request: &Request<Body>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').any(|one| one == "watch=true" || one == "watch=1")
}

/// What is written by the leader alone: not the Lease, events, and kinds that are missing.
fn needs_term(request: &Request<Body>) -> bool {
    let path = request.uri().path();
    let is_free = path.starts_with("/apis/coordination.k8s.io/")
        || path.starts_with("/apis/events.k8s.io/")
        || path.starts_with("/apis/apiextensions.k8s.io/");
    // Whoever runs a command says GET as well.
    let is_command = path.starts_with("/api/") && path.ends_with("/exec");
    is_command || *request.method() != Method::GET && !is_free
}

#[cfg(test)]
mod tests;
