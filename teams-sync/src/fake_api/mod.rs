//! A Teams API for demos and tests, with faults on demand.
//!
//! In: teams (from options, a file, or by HTTP while it runs), faults by team. Out: what a Teams
//! API answers, right or wrong as asked. Never: anything of production; it speaks plain HTTP and
//! lets whoever reaches it change every team, so it listens on loopback unless told otherwise.
//!
//! | request | effect |
//! |---|---|
//! | `GET /teams/{team}` | the team, or its fault |
//! | `PUT /control/teams/{team}` | a JSON array becomes its members |
//! | `DELETE /control/teams/{team}` | there is no such team any more |
//! | `PUT /control/faults/{team}` | the body names the fault of the team, or of all where it is `*` |
//! | `DELETE /control/faults/{team}` | no fault of its own |
//! | `GET /control/requests` | how often each team was asked for |

mod answer;
mod arguments;
mod control;
mod fault;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;
use zeroize::Zeroizing;

pub use self::arguments::{FakeApiArguments, run};
pub use self::fault::Fault;
use crate::teams::ConfigError;
use crate::teams::file::{FileConfig, TeamsFile};

/// Teams that requests are counted for.
const MOST_COUNTED: usize = 10_000;
/// The pause after a connection that could not be accepted.
const AFTER_FAILURE: Duration = Duration::from_millis(20);

type Body = UnsyncBoxBody<Bytes, io::Error>;
type Reply = Result<Response<Body>, Closed>;

/// What a fake Teams API has to offer.
#[derive(Clone, Default)]
pub struct FakeApiOptions {
    /// Teams with their members. Where there are none, and no file, every team exists.
    pub teams: BTreeMap<String, Vec<String>>,
    /// A file of teams, as the source `file` reads it, read anew for each request.
    pub file: Option<PathBuf>,
    /// The token without which `/teams/` answers 401. Control needs none.
    pub token: Option<Zeroizing<String>>,
    /// Faults by team; `*` is every team.
    pub faults: BTreeMap<String, Fault>,
    /// Serve on an address that others can reach.
    pub allow_remote: bool,
}

impl fmt::Debug for FakeApiOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { teams, file, token, faults, allow_remote } = self;
        f.debug_struct("FakeApiOptions")
            .field("teams", teams)
            .field("file", file)
            .field("token", &token.as_ref().map(|_| "[redacted]"))
            .field("faults", faults)
            .field("allow_remote", allow_remote)
            .finish()
    }
}

/// A fake Teams API. Its clones share everything.
#[derive(Clone, Debug)]
pub struct FakeApi {
    allow_remote: bool,
    /// Without teams of its own every team exists.
    every_team_exists: bool,
    file: Option<TeamsFile>,
    state: Arc<Mutex<State>>,
    token: Option<Arc<Secret>>,
}

struct Secret(Zeroizing<String>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

/// What can change while it runs.
#[derive(Debug, Default)]
struct State {
    faults: BTreeMap<String, Fault>,
    requests: BTreeMap<String, u64>,
    /// Nothing is a team that was deleted.
    teams: BTreeMap<String, Option<Vec<String>>>,
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed on demand")]
struct Closed;

impl FakeApi {
    /// Reads nothing yet.
    ///
    /// # Errors
    ///
    /// A file whose ending says of no format.
    pub fn new(options: FakeApiOptions) -> Result<Self, ConfigError> {
        let FakeApiOptions { teams, file, token, faults, allow_remote } = options;
        let every_team_exists = teams.is_empty() && file.is_none();
        let file = file.map(|path| FileConfig { path }.build()).transpose()?;
        let teams = teams.into_iter().map(|(team, members)| (team, Some(members))).collect();
        let state = State { faults, requests: BTreeMap::new(), teams };
        Ok(Self {
            allow_remote,
            every_team_exists,
            file,
            state: Arc::new(Mutex::new(state)),
            token: token.map(|token| Arc::new(Secret(token))),
        })
    }

    /// Makes a team, or gives it other members.
    pub fn set_team(&self, team: &str, members: Vec<String>) {
        self.state().teams.insert(team.to_owned(), Some(members));
    }

    /// Takes a team away: it is answered by 404 from now on.
    pub fn delete_team(&self, team: &str) {
        self.state().teams.insert(team.to_owned(), None);
    }

    /// Gives a team a fault; `*` gives it to every team that has none of its own.
    pub fn set_fault(&self, team: &str, fault: Fault) {
        self.state().faults.insert(team.to_owned(), fault);
    }

    /// Takes the fault of a team away.
    pub fn clear_fault(&self, team: &str) {
        self.state().faults.remove(team);
    }

    /// How often each team was asked for, whatever the answer.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.state().requests.clone()
    }

    /// Serves until `shutdown`; then what is under way is cut off.
    ///
    /// # Errors
    ///
    /// A listener that others can reach, where that was not allowed.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let address = listener.local_addr()?;
        if !self.allow_remote && !address.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "{address} can be reached by others, and whoever reaches a fake Teams API can \
                     change its teams: listen on 127.0.0.1, or allow it with --allow-remote"
                ),
            ));
        }
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return Ok(()),
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else {
                        // Out of file descriptors, mostly: others have to end first.
                        sleep(AFTER_FAILURE).await;
                        continue;
                    };
                    let api = self.clone();
                    let service = service_fn(move |request| {
                        let api = api.clone();
                        async move { api.answer(request).await }
                    });
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    connections.spawn(connection);
                }
                // A connection that ends badly is no fault of the server.
                Some(_) = connections.join_next() => {}
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Reply {
        let path = request.uri().path().to_owned();
        let Some(segments) = path.strip_prefix('/').and_then(segments) else {
            return Ok(error(StatusCode::BAD_REQUEST, "the path is no UTF-8"));
        };
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (request.method(), segments.as_slice()) {
            (&Method::GET, ["teams", team]) if !team.is_empty() => {
                self.count(team);
                if !self.admits(&request) {
                    return Ok(error(StatusCode::UNAUTHORIZED, "Access Token not valid"));
                }
                self.team(team, request.headers()).await
            }
            (_, ["control", rest @ ..]) => Ok(self.control(rest, request).await),
            _ => Ok(error(StatusCode::NOT_FOUND, "there is GET /teams/{team}, and /control/")),
        }
    }

    fn count(&self, team: &str) {
        let mut state = self.state();
        if state.requests.len() < MOST_COUNTED || state.requests.contains_key(team) {
            let count = state.requests.entry(team.to_owned()).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn admits(&self, request: &Request<Incoming>) -> bool {
        let Some(token) = &self.token else { return true };
        let given = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes());
        given.and_then(|given| given.strip_prefix(b"Bearer ")) == Some(token.0.as_bytes())
    }
}

/// Serves a fake Teams API until `shutdown`.
///
/// # Errors
///
/// As [`FakeApi::new`] and [`FakeApi::serve`].
pub async fn serve(
    listener: TcpListener,
    options: FakeApiOptions,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let api = FakeApi::new(options).map_err(io::Error::other)?;
    api.serve(listener, shutdown).await
}

fn segments(path: &str) -> Option<Vec<String>> {
    let decoded = path.split('/').map(|part| percent_decode_str(part).decode_utf8());
    decoded.map(|part| Some(part.ok()?.into_owned())).collect()
}

fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

fn json_answer(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(whole(value.to_string()));
    *response.status_mut() = status;
    let json = hyper::header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn error(status: StatusCode, text: &str) -> Response<Body> {
    json_answer(status, &json!({ "error": text }))
}

#[cfg(test)]
mod tests;
