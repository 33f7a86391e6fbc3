//! The paths of the HTTP API: a request goes in, JSON or metrics come out.
//!
//! A slash at the end does not matter. What cannot be answered is status 500 with
//! `{"error": ".."}`, as tools that poll expect it; not alive and not ready are 503, a missing
//! token 401, another method than GET and HEAD 405, each with such a body.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{ALLOW, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde::Serialize;
use serde_json::json;
use teams_sync::service::listen::{Respond, typed};
use tokio::sync::watch;

use super::access::Access;
use super::board::{Board, Known, State, Worker};
use super::metrics;
use super::shapes::{self, Cluster, Config, History, Log, Queue, Status, WorkerStatus};
use crate::cluster::ClusterId;

type Answer = Response<http_body_util::Full<Bytes>>;

const JSON: &str = "application/json";

/// Answers from a board.
#[derive(Debug)]
pub struct Admin {
    board: Arc<Board>,
    access: watch::Receiver<Access>,
}

impl Admin {
    /// `access` counts as it is at each request; its last value stays if nobody sends another.
    pub fn new(board: Arc<Board>, access: watch::Receiver<Access>) -> Arc<Self> {
        Arc::new(Self { board, access })
    }
}

impl Respond for Admin {
    fn respond(&self, head: &Parts) -> Answer {
        let path = head.uri.path();
        let path = path.strip_suffix('/').unwrap_or(path);
        let is_open = matches!(path, "/healthz" | "/readyz");
        if !is_open && !self.access.borrow().permits(&head.headers) {
            let answer = error(StatusCode::UNAUTHORIZED, "a token is needed that is valid");
            return with(answer, WWW_AUTHENTICATE, "Bearer realm=\"postgres-operator\"");
        }
        if head.method != Method::GET && head.method != Method::HEAD {
            let answer = error(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD");
            return with(answer, ALLOW, "GET, HEAD");
        }
        self.answer(path)
    }
}

impl Admin {
    fn answer(&self, path: &str) -> Answer {
        match path {
            "/healthz" if self.board.is_alive() => ok("OK"),
            "/healthz" => error(StatusCode::SERVICE_UNAVAILABLE, "the main loop is stuck"),
            "/readyz" => match self.board.awaited() {
                None => ok("OK"),
                Some(what) => error(StatusCode::SERVICE_UNAVAILABLE, &what),
            },
            "/metrics" => match metrics::text(&self.board) {
                Ok(text) => typed(StatusCode::OK, text, metrics::CONTENT_TYPE),
                Err(problem) => failed(&problem.to_string()),
            },
            _ => self.board.state().answer(path),
        }
    }
}

impl State {
    fn answer(&self, path: &str) -> Answer {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match *segments.as_slice() {
            ["status"] => ok(Status::of(self)),
            ["config"] => or("no configuration is loaded yet", Config::of(self)),
            ["clusters"] => ok(shapes::teams(self)),
            ["clusters", team] => {
                let mut teams = shapes::teams(self);
                or("no cluster of this team is known", teams.remove(&team.to_lowercase()))
            }
            ["clusters", namespace, name] => {
                let id = ClusterId { namespace: namespace.to_owned(), name: name.to_owned() };
                or(UNKNOWN_CLUSTER, Cluster::of(self, &id))
            }
            ["clusters", namespace, name, what] => {
                let id = ClusterId { namespace: namespace.to_owned(), name: name.to_owned() };
                match self.clusters.get(&id) {
                    Some(known) => of_cluster(known, what),
                    None => failed(UNKNOWN_CLUSTER),
                }
            }
            ["workers", "all", "status"] => {
                let statuses = self.workers.iter().map(|(id, of)| (id, WorkerStatus::from(of)));
                ok(statuses.collect::<std::collections::BTreeMap<_, _>>())
            }
            ["workers", "all", "queue"] => {
                let queues = self.workers.keys().map(|id| (id, Queue::of(self, *id)));
                ok(queues.collect::<std::collections::BTreeMap<_, _>>())
            }
            ["workers", id, what] => {
                let found = id.parse().ok().and_then(|id| Some((id, self.workers.get(&id)?)));
                match found {
                    Some((id, worker)) => self.of_worker(id, worker, what),
                    None => failed("there is no worker of this number"),
                }
            }
            ["databases"] => ok(shapes::databases(self)),
            _ => failed(UNKNOWN_PATH),
        }
    }

    fn of_worker(&self, id: usize, worker: &Worker, what: &str) -> Answer {
        match what {
            "logs" => ok(worker.logs.iter().map(Log::of_worker).collect::<Vec<_>>()),
            "queue" => ok(Queue::of(self, id)),
            "status" => ok(WorkerStatus::from(worker)),
            _ => failed(UNKNOWN_PATH),
        }
    }
}

fn of_cluster(known: &Known, what: &str) -> Answer {
    match what {
        "logs" => ok(known.logs.iter().map(Log::of_cluster).collect::<Vec<_>>()),
        "history" => ok(known.history.iter().map(History::from).collect::<Vec<_>>()),
        _ => failed(UNKNOWN_PATH),
    }
}

const UNKNOWN_CLUSTER: &str = "no cluster of this namespace and name is known";
const UNKNOWN_PATH: &str = "nothing is told at this path";

fn ok(value: impl Serialize) -> Answer {
    match serde_json::to_vec(&value) {
        Ok(text) => typed(StatusCode::OK, text, JSON),
        Err(problem) => failed(&problem.to_string()),
    }
}

fn or(missing: &str, value: Option<impl Serialize>) -> Answer {
    value.map_or_else(|| failed(missing), ok)
}

fn failed(text: &str) -> Answer {
    error(StatusCode::INTERNAL_SERVER_ERROR, text)
}

fn error(status: StatusCode, text: &str) -> Answer {
    typed(status, json!({ "error": text }).to_string(), JSON)
}

fn with(mut answer: Answer, name: HeaderName, value: &'static str) -> Answer {
    answer.headers_mut().insert(name, HeaderValue::from_static(value));
    answer
}
