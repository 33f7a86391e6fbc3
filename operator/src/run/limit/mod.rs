//! What holds for every request to the API server: it has a limit of time, and whoever does not
//! lead writes nothing, however late it finds out.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body as HttpBody, Bytes};
use hyper::{Method, Request, Response};
use kube::client::Body;
use tower_layer::Layer;
use tower_service::Service;

use crate::leader::Term;

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
    pub(super) term: Arc<Term>,
}

impl<S> Layer<S> for Limit {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Limited<S> {
        Limited { inner, term: Arc::clone(&self.term) }
    }
}

#[derive(Debug)]
pub(super) struct Limited<S> {
    inner: S,
    term: Arc<Term>,
}

impl<S, B> Service<Request<Body>> for Limited<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Either<Full<Bytes>, B>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if needs_term(&request) && !self.term.holds() {
            return Box::pin(async { Err(Refused::NotLeading.into()) });
        }
        let is_watch = is_watch(&request);
        let answer = self.inner.call(request);
        Box::pin(async move {
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
