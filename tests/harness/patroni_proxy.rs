//! A proxy in front of Patroni's REST API of all pods, at HTTP, for programs in an [`Annex`]: a
//! question can be answered, changed or lost before Patroni sees it, as a test likes. Pods, which
//! are outside, ask each other as ever.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::annex::Annex;
use crate::http_server::{Connection, HttpServer, Request};
use crate::network::Network;
use crate::{patroni, wire};

/// What happens to a question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Patroni never sees it, and the answer is this status line and body.
    Says(&'static str, &'static str),
    /// Patroni is asked with another body.
    Asks(String),
    /// Patroni never sees it, and the connection breaks.
    Lost,
}

type Plan = Arc<dyn Fn(&Request) -> Option<Fault> + Send + Sync>;

/// Ends when it is dropped.
pub struct PatroniProxy {
    server: HttpServer,
    plan: Arc<Mutex<Plan>>,
    annex: Arc<Annex>,
}

impl PatroniProxy {
    /// Between who is in the annex and the pods of the network beside it.
    pub fn between(annex: Annex, network: &Arc<Network>) -> Self {
        annex.intercept(patroni::PORT);
        let nothing: Plan = Arc::new(|_| None);
        let plan = Arc::new(Mutex::new(nothing));
        let (asked, pods) = (Arc::clone(&plan), Arc::clone(network));
        let server = annex.enter(|| {
            let listener = wire::listen_for_others(patroni::PORT);
            HttpServer::on(listener, None, move |client, request| {
                // It runs without the lock: it is the test's.
                let plan = Arc::clone(&asked.lock().unwrap_or_else(PoisonError::into_inner));
                match plan(request) {
                    None => forward(&pods, client, request, &request.body),
                    Some(Fault::Asks(body)) => forward(&pods, client, request, body.as_bytes()),
                    Some(Fault::Says(status, body)) => {
                        client.write_all(&wire::http_answer(status, body.as_bytes()))
                    }
                    Some(Fault::Lost) => Err(io::ErrorKind::ConnectionAborted.into()),
                }
            })
        });
        Self { server, plan, annex: Arc::new(annex) }
    }

    /// Where programs are that it is in front of.
    pub fn annex(&self) -> &Arc<Annex> {
        &self.annex
    }

    /// From now on each question is asked about; `None` lets it through.
    pub fn plan(&self, plan: impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan);
    }

    /// Everything gets through again.
    pub fn behave(&self) {
        self.plan(|_| None);
    }

    /// How often somebody asked for a switchover so far.
    pub fn switchovers(&self) -> usize {
        self.server.count(is_switchover)
    }
}

/// Whether somebody is to take over.
pub fn is_switchover(request: &Request) -> bool {
    request.method() == "POST" && request.path() == "/switchover"
}

/// Whose Patroni is meant.
pub fn address(request: &Request) -> Option<Ipv4Addr> {
    let place: SocketAddr = request.header("host")?.parse().ok()?;
    match place {
        SocketAddr::V4(place) => Some(*place.ip()),
        SocketAddr::V6(_) => None,
    }
}

fn forward(
    network: &Network,
    client: &mut dyn Connection,
    request: &Request,
    body: &[u8],
) -> io::Result<()> {
    let address = address(request).ok_or(io::ErrorKind::InvalidData)?;
    let own = ["connection:", "content-length:"];
    let is_own = |line: &&str| own.iter().any(|name| line.to_ascii_lowercase().starts_with(name));
    let lines = request.head.trim_end().lines().filter(|line| !is_own(line));
    let head: String = lines.map(|line| format!("{line}\r\n")).collect();
    let head = format!("{head}connection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut pod = network.enter(|| TcpStream::connect((address, patroni::PORT)))?;
    pod.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = Vec::new();
    pod.read_to_end(&mut answer)?;
    // It is one answer to each connection, whatever version of HTTP Patroni speaks.
    client.write_all(&answer)
}

impl Drop for PatroniProxy {
    fn drop(&mut self) {
        self.annex.enter(|| self.server.stop());
    }
}

impl fmt::Debug for PatroniProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PatroniProxy").field(&self.server).finish()
    }
}
