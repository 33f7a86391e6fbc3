//! One request on the calling thread, with one deadline over everything.
//!
//! In: a [`Request`], what to trust, a [`Deadline`]. Out: an [`Answer`], or why there is none.
//! Never: a thread, a redirect, a proxy, an environment variable, a body above
//! [`BODY_LIMIT`], or a wait beyond the deadline.
//!
//! `reqwest` runs on a current-thread runtime that lives only here. It gets addresses, not
//! names: its own resolver would start a thread that cannot be stopped in time.

mod race;
mod tls;

use std::cell::RefCell;
use std::error::Error as StdError;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    HeaderName, HeaderValue, IF_NONE_MATCH,
};
use reqwest::{Response, redirect, retry};
use rustls::ClientConfig;
use tokio::time::Instant;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::redact::Foreign;
use crate::resolver;

pub(crate) use tls::TrustFault;

/// A tokeninfo answer is well below 10 KiB.
pub(crate) const BODY_LIMIT: usize = 1024 * 1024;
/// The room that a body gets at first; most need no more.
const FIRST_ROOM: usize = 8 * 1024;
/// More header lines than this are an attack or an accident.
const HEADER_LINES: usize = 100;
/// A longer entity tag is not sent back.
const LONGEST_TAG: usize = 256;
const USER_AGENT: &str = concat!("pam-oauth2/", env!("CARGO_PKG_VERSION"));

/// When everything must be over, and how long that was in all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    total: Duration,
}

impl Deadline {
    pub(crate) fn after(total: Duration) -> Self {
        let now = Instant::now();
        Self { at: now.checked_add(total).unwrap_or(now), total }
    }

    /// The first half of what is left: for an attempt that something can still follow.
    pub(crate) fn half(self) -> Self {
        Self::after(self.left().checked_div(2).unwrap_or_default())
    }

    /// Most of what is left: for an attempt whose end others wait for, because they have to answer
    /// before their own deadlines.
    pub(crate) fn early(self) -> Self {
        let left = self.left();
        Self::after(left.saturating_sub(left.checked_div(16).unwrap_or_default()))
    }

    /// Until when to wait for a turn. With a `bridge`, something to fall back on, there has to be
    /// time left for it.
    pub(crate) fn of_turn(self, bridge: bool) -> Self {
        if bridge { self.half() } else { self }
    }

    /// For an attempt in a turn, beginning now, with or without a `bridge`.
    pub(crate) fn of_attempt(self, bridge: bool) -> Self {
        if bridge { self.half() } else { self.early() }
    }

    pub(crate) fn left(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// For waits that know nothing of the runtime.
    pub(crate) fn instant(self) -> std::time::Instant {
        self.at.into_std()
    }
}

/// What is asked. Nothing in it prints: URL, form and credentials may hold secrets.
pub(crate) struct Request<'a> {
    pub(crate) url: &'a Url,
    /// Posted as `application/x-www-form-urlencoded`; without it this is a GET request.
    pub(crate) form: Option<Zeroizing<String>>,
    /// The value of the header `Authorization`.
    pub(crate) authorization: Option<Zeroizing<String>>,
    /// The entity tag of what is known already (RFC 9110 section 13.1.2).
    pub(crate) known: Option<String>,
}

impl<'a> Request<'a> {
    pub(crate) fn get(url: &'a Url) -> Self {
        Self { url, form: None, authorization: None, known: None }
    }
}

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Empty unless the status is 200: no other body is read. Wiped when dropped, because
    /// some services repeat the token in it.
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// The header `ETag`, where it is visible ASCII of a sane length.
    pub(crate) tag: Option<String>,
    /// For how long the answer may be kept (RFC 9111 section 5.2.2): `max-age`, or zero for
    /// `no-store` and `no-cache`.
    pub(crate) max_age: Option<Duration>,
}

/// Who carries requests: [`Network`], or a test.
pub(crate) trait Carrier {
    fn send(&self, request: &Request<'_>, deadline: Deadline) -> Result<Answer, HttpFault>;
}

/// The real network, with what is trusted there: one CA file, or the system's bundle.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) ca_file: Option<PathBuf>,
}

impl Carrier for Network {
    fn send(&self, request: &Request<'_>, deadline: Deadline) -> Result<Answer, HttpFault> {
        send(request, self.ca_file.as_deref(), deadline)
    }
}

/// How far a request has come, for the message about a deadline.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Stage {
    /// Its host name is being looked up.
    Resolving,
    /// TCP and TLS.
    Connecting,
    /// The request is sent, the status line and headers are not here.
    Waiting,
    /// The body has begun.
    Reading,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum HttpFault {
    /// The deadline passed. What had failed by then, at other addresses, may be the reason.
    Late { stage: Stage, limit: Duration, earlier: Option<Foreign> },
    /// Something on the way failed.
    Failed { stage: Stage, cause: Foreign },
    /// The process lacks what a connection needs (file descriptors, memory).
    Starved { cause: String },
    /// The body is longer than [`BODY_LIMIT`].
    TooLarge,
    /// What to trust cannot be read.
    Trust(TrustFault),
}

/// Shared by the steps of one request.
#[derive(Clone, Debug)]
struct Progress(Arc<AtomicU8>);

impl Progress {
    fn new() -> Self {
        Self(Arc::new(AtomicU8::new(Stage::Resolving as u8)))
    }

    fn reach(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Relaxed);
    }

    fn stage(&self) -> Stage {
        match self.0.load(Ordering::Relaxed) {
            0 => Stage::Resolving,
            1 => Stage::Connecting,
            2 => Stage::Waiting,
            _ => Stage::Reading,
        }
    }
}

/// Everything that was opened is closed when this returns.
fn send(
    request: &Request<'_>,
    ca_file: Option<&Path>,
    deadline: Deadline,
) -> Result<Answer, HttpFault> {
    let tls =
        tls::client_config(request.url.scheme() == "https", ca_file).map_err(HttpFault::Trust)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|error| HttpFault::Starved { cause: error.to_string() })?;
    let progress = Progress::new();
    let failures = RefCell::new(Vec::new());
    let exchange = exchange(request, &tls, deadline, &progress, &failures);
    let answer = runtime.block_on(async { tokio::time::timeout_at(deadline.at, exchange).await });
    answer.unwrap_or_else(|_| {
        let earlier = all_causes(failures.take());
        Err(HttpFault::Late {
            stage: progress.stage(),
            limit: deadline.total,
            earlier: (!earlier.is_empty()).then(|| Foreign::new(earlier)),
        })
    })
}

type Failures = RefCell<Vec<race::Failed<reqwest::Error>>>;

async fn exchange(
    asked: &Request<'_>,
    tls: &ClientConfig,
    deadline: Deadline,
    progress: &Progress,
    failures: &Failures,
) -> Result<Answer, HttpFault> {
    let failed =
        |cause: String| HttpFault::Failed { stage: progress.stage(), cause: Foreign::new(cause) };
    let addresses =
        addresses(asked.url, deadline).await.map_err(|error| failed(error.to_string()))?;
    progress.reach(Stage::Connecting);
    let response = race::first_to_connect(addresses, failures, |address, gate| {
        attempt(asked, tls.clone(), address, gate, progress.clone())
    })
    .await
    .map_err(|race::NobodyLeft| failed(all_causes(failures.take())))?;
    let status = response.status().as_u16();
    let tag = text_of(&response, &ETAG).filter(|tag| tag.len() <= LONGEST_TAG);
    let max_age = text_of(&response, &CACHE_CONTROL).and_then(|text| max_age(&text));
    let body = if status == 200 { body(response, progress).await? } else { Zeroizing::default() };
    Ok(Answer { status, body, tag, max_age })
}

async fn addresses(url: &Url, deadline: Deadline) -> Result<Vec<SocketAddr>, resolver::Fault> {
    let port = url.port_or_known_default().unwrap_or(443);
    let addresses = match url.host() {
        Some(Host::Ipv4(address)) => vec![address.into()],
        Some(Host::Ipv6(address)) => vec![address.into()],
        Some(Host::Domain(name)) => resolver::lookup(name, deadline.at).await?,
        None => Vec::new(),
    };
    Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
}

/// One attempt, to one address.
async fn attempt(
    asked: &Request<'_>,
    tls: ClientConfig,
    address: SocketAddr,
    gate: race::Gate,
    progress: Progress,
) -> reqwest::Result<Response> {
    let mut client = reqwest::Client::builder()
        .connector_layer(race::GateLayer::new(gate, move || progress.reach(Stage::Waiting)))
        .http1_max_headers(HEADER_LINES)
        .https_only(asked.url.scheme() == "https")
        .no_proxy()
        .pool_max_idle_per_host(0)
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(retry::never())
        .tls_backend_preconfigured(tls)
        .user_agent(USER_AGENT);
    if let Some(Host::Domain(name)) = asked.url.host() {
        client = client.resolve(name, address);
    }
    let client = client.build()?;
    let mut request = match &asked.form {
        Some(form) => client
            .post(asked.url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.as_bytes().to_vec()),
        None => client.get(asked.url.clone()),
    };
    request = request.header(ACCEPT, "application/json").header(CONNECTION, "close");
    if let Some(credentials) = &asked.authorization {
        let mut value = HeaderValue::from_str(credentials).unwrap_or(HeaderValue::from_static(""));
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    if let Some(known) = &asked.known {
        request = request.header(IF_NONE_MATCH, known);
    }
    request.send().await
}

fn text_of(response: &Response, name: &HeaderName) -> Option<String> {
    let text = response.headers().get(name)?.to_str().ok()?;
    Some(text.to_owned())
}

/// The directives that matter to a private cache.
pub(crate) fn max_age(directives: &str) -> Option<Duration> {
    let mut found = None;
    for directive in directives.split(',').map(str::trim) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.to_ascii_lowercase().as_str() {
            "no-cache" | "no-store" => return Some(Duration::ZERO),
            "max-age" => found = value.trim_matches('"').parse().ok().map(Duration::from_secs),
            _ => {}
        }
    }
    found
}

async fn body(
    mut response: Response,
    progress: &Progress,
) -> Result<Zeroizing<Vec<u8>>, HttpFault> {
    progress.reach(Stage::Reading);
    let announced = response.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let announced = announced.and_then(|length| length.parse::<u64>().ok()).unwrap_or(0);
    if announced > BODY_LIMIT as u64 {
        return Err(HttpFault::TooLarge);
    }
    let mut body = Zeroizing::new(Vec::with_capacity(FIRST_ROOM));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if chunk.len() > BODY_LIMIT.saturating_sub(body.len()) => {
                return Err(HttpFault::TooLarge);
            }
            Ok(Some(chunk)) => append(&mut body, &chunk),
            Ok(None) => return Ok(body),
            Err(error) => {
                return Err(HttpFault::Failed {
                    stage: Stage::Reading,
                    cause: Foreign::new(causes(error)),
                });
            }
        }
    }
}

/// Appends, and wipes the old room where there has to be a larger one.
fn append(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    let length = body.len().saturating_add(chunk.len());
    if length > body.capacity() {
        let room = length.max(body.capacity().saturating_mul(2));
        let mut larger = Zeroizing::new(Vec::with_capacity(room));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(chunk);
}

/// One cause, or each with its address where they differ.
fn all_causes(mut failures: Vec<race::Failed<reqwest::Error>>) -> String {
    failures.sort_by_key(|failed| failed.number);
    let mut told: Vec<(SocketAddr, String)> = Vec::new();
    for race::Failed { address, error, .. } in failures {
        let cause = causes(error);
        if told.iter().all(|(_, known)| *known != cause) {
            told.push((address, cause));
        }
    }
    match told.as_slice() {
        [(_, cause)] => cause.clone(),
        several => {
            let named = several.iter().map(|(address, cause)| format!("{}: {cause}", address.ip()));
            named.collect::<Vec<_>>().join("; ")
        }
    }
}

/// The chain of causes without the outermost sentence, which only says that a request
/// failed, and without the URL, which holds the token.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut texts: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        // Some levels say no more than that it failed, or repeat the text of the level below.
        let empty = text.starts_with("client error (") && cause.source().is_some();
        if !empty && texts.last().is_none_or(|above| !above.contains(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    if texts.is_empty() {
        texts.push(error.to_string());
    }
    texts.join(": ")
}
