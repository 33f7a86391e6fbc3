use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response};
use kube::client::Body;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use super::{Limit, PATIENCE, Refused};
use crate::leader::Term;

/// Answers after a day.
#[derive(Clone, Copy)]
struct Slow;

impl Service<Request<Body>> for Slow {
    type Response = Response<Full<Bytes>>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(86_400)).await;
            Ok(Response::default())
        })
    }
}

async fn ask(term: &Arc<Term>, method: &str, uri: &str) -> Result<(), Option<Refused>> {
    let mut service = Limit::new(Arc::clone(term)).layer(Slow);
    let request = Request::builder().method(method).uri(uri).body(Body::empty());
    let answer = service.call(request.expect("a request")).await;
    answer.map(drop).map_err(|error| error.downcast_ref::<Refused>().copied())
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_answered_is_given_up_and_a_watch_is_not() {
    let term = Arc::new(Term::default());
    let start = Instant::now();
    let list = ask(&term, "GET", "/api/v1/pods?limit=500").await;
    assert_eq!((list, start.elapsed()), (Err(Some(Refused::TooSlow)), PATIENCE));
    assert_eq!(ask(&term, "GET", "/api/v1/pods?&watch=true&timeoutSeconds=290").await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_lead_any_more_writes_nothing_even_if_nobody_told_it() {
    let term = Arc::new(Term::default());
    let write = "/apis/apps/v1/namespaces/a/statefulsets/acid-main";
    for method in ["PATCH", "DELETE", "POST", "PUT"] {
        assert_eq!(ask(&term, method, write).await, Err(Some(Refused::NotLeading)), "{method}");
    }
    // A command in a pod is a write, whatever it is called.
    let command = "/api/v1/namespaces/a/pods/acid-main-0/exec?command=id";
    assert_eq!(ask(&term, "GET", command).await, Err(Some(Refused::NotLeading)));
    term.until(Some(Instant::now() + Duration::from_secs(10)));
    assert_eq!(ask(&term, "PATCH", write).await, Err(Some(Refused::TooSlow)), "it was sent");
    // Ten seconds are over, and no task has run that would say so.
    assert_eq!(ask(&term, "PATCH", write).await, Err(Some(Refused::NotLeading)));
    for free in [
        "/apis/coordination.k8s.io/v1/namespaces/a/leases/postgres-operator",
        "/apis/events.k8s.io/v1/namespaces/a/events",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/postgresqls.acid.zalan.do",
    ] {
        assert_eq!(ask(&term, "POST", free).await, Err(Some(Refused::TooSlow)), "{free}");
    }
}

/// Has too much to do, and says for how long.
#[derive(Clone, Copy)]
struct Busy(u16, Option<&'static str>);

impl Service<Request<Body>> for Busy {
    type Response = Response<Full<Bytes>>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let mut answer = Response::builder().status(self.0);
        if let Some(pause) = self.1 {
            answer = answer.header("retry-after", pause);
        }
        std::future::ready(Ok(answer.body(Full::default()).expect("an answer")))
    }
}

#[tokio::test(start_paused = true)]
async fn all_requests_wait_for_as_long_as_the_api_server_asks_and_the_lease_does_not() {
    let lease = "/apis/coordination.k8s.io/v1/namespaces/a/leases/postgres-operator";
    for (status, said, least) in [
        (429, Some("4"), 4),
        (429, None, 1),
        (503, Some("4"), 4),
        (503, None, 0),
        (429, Some("86400"), 10),
        (200, Some("4"), 0),
    ] {
        let limit = Limit::new(Arc::new(Term::default()));
        let waits = async |uri: &str| {
            let start = Instant::now();
            let request = Request::builder().uri(uri).body(Body::empty());
            let answer = limit.layer(Busy(status, said)).call(request.expect("a request")).await;
            assert_eq!(answer.expect("an answer").status().as_u16(), status);
            start.elapsed()
        };
        assert_eq!(waits("/api/v1/pods").await, Duration::ZERO, "nobody has said anything yet");
        assert_eq!(waits(lease).await, Duration::ZERO);
        let waited = waits("/api/v1/services").await;
        let least = Duration::from_secs(least);
        assert!(waited >= least && waited <= least + least / 2, "{status} {said:?}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_waited_do_not_all_come_at_the_same_moment() {
    let limit = Limit::new(Arc::new(Term::default()));
    let ask = || {
        let mut service = limit.layer(Busy(429, Some("8")));
        async move {
            let request = Request::builder().uri("/api/v1/pods").body(Body::empty());
            let _refused = service.call(request.expect("a request")).await;
            Instant::now()
        }
    };
    ask().await;
    let ended = futures_util::future::join_all((0..20).map(|_| ask())).await;
    assert!(ended.iter().any(|at| *at != ended[0]), "{ended:?}");
}
