//! A proxy in front of the API server, at HTTP: every request can be answered, delayed, lost, or
//! done with its answer lost, as a test likes; watches can be cut. Only for programs in the network
//! of the control plane. What came is in its records, and what the API server itself saw is in
//! [`ControlPlane::requests`].
//!
//! It speaks HTTP/1.1 and takes one request per connection.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::eventually::pause;
use crate::http_server::{Connection, HttpServer, Request, server_config};
use crate::network::Network;
use crate::wire;

/// What happens to a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// The API server never sees it, and the answer is this HTTP status with its reason, like
    /// `(409, "Conflict")`.
    Status(u16, &'static str),
    /// The same with 429 and `Retry-After` in seconds.
    TooManyRequests(u32),
    /// It comes so much later.
    Delay(Duration),
    /// Nothing happens until [`ApiProxy::behave`]; then it goes on.
    BlackHole,
    /// The API server never sees it, and the connection breaks.
    Lost,
    /// The API server does it, and the connection breaks instead of the answer.
    AnswerLost,
    /// The API server does it, and the answer comes so much later.
    AnswerLater(Duration),
    /// The API server never sees it, and the answer is a watch that ends at once, because what it
    /// should begin with was forgotten.
    Expired,
}

type Plan = Arc<dyn Fn(&Request) -> Option<Fault> + Send + Sync>;

/// Ends with its connections when it is dropped.
pub struct ApiProxy {
    server: HttpServer,
    shared: Arc<Shared>,
    network: Arc<Network>,
}

struct Shared {
    upstream: SocketAddr,
    tls: Arc<ClientConfig>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    plan: Option<Plan>,
    /// Counts how often there was a new plan.
    era: usize,
    /// Requests that are under way, with whether they are watches.
    open: BTreeMap<usize, (TcpStream, bool)>,
    /// Watches that say nothing more.
    silent: BTreeSet<usize>,
    next: usize,
    faults: usize,
    over: bool,
}

impl ApiProxy {
    pub fn start(plane: &ControlPlane) -> Self {
        let shared = Arc::new(Shared {
            upstream: plane.socket_address(),
            tls: Arc::new(client_config(&plane.authority().pem())),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let identity = plane.authority().server();
        let network = Arc::clone(plane.network());
        let serving = Arc::clone(&shared);
        let server = network.enter(|| {
            let place = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            HttpServer::at(place, Some(server_config(&identity)), move |client, request| {
                serving.serve(client, request)
            })
        });
        Self { server, shared, network }
    }

    /// For who is in the network.
    pub fn url(&self) -> String {
        self.server.origin("127.0.0.1")
    }

    /// From now on each request is asked about; `None` lets it through.
    pub fn plan(&self, plan: impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static) {
        self.shared.replace(Some(Arc::new(plan)));
    }

    /// The next so many requests like this suffer it.
    pub fn fail_next(
        &self,
        times: usize,
        fault: Fault,
        like: impl Fn(&Request) -> bool + Send + Sync + 'static,
    ) {
        let left = Mutex::new(times);
        self.plan(move |request| {
            let mut left = left.lock().unwrap_or_else(PoisonError::into_inner);
            let hit = *left > 0 && like(request);
            *left -= usize::from(hit);
            hit.then(|| fault.clone())
        });
    }

    /// Everything gets through again, what was held back included.
    pub fn behave(&self) {
        self.shared.replace(None);
    }

    /// How many requests suffered something.
    pub fn faults(&self) -> usize {
        self.shared.state().faults
    }

    /// Breaks the watches that are open now; how many there were.
    pub fn cut_watches(&self) -> usize {
        self.shared.cut(|is_watch| is_watch)
    }

    /// From now on the watches that are open say nothing, and do not end, as if the network had
    /// forgotten them; how many there are. New ones are as before.
    pub fn silence_watches(&self) -> usize {
        let mut state = self.shared.state();
        let watches = state.open.iter().filter(|(_, (_, is_watch))| *is_watch);
        state.silent = watches.map(|(own, _)| *own).collect();
        state.silent.len()
    }

    /// Breaks all requests that are under way.
    pub fn cut_all(&self) -> usize {
        self.shared.cut(|_| true)
    }

    /// How many watches are open. One whose client has gone counts until the API server has
    /// something to tell it.
    pub fn watches(&self) -> usize {
        self.shared.state().open.values().filter(|(_, is_watch)| *is_watch).count()
    }

    /// All that came so far, with their bodies.
    pub fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }
}

impl Drop for ApiProxy {
    fn drop(&mut self) {
        self.shared.state().over = true;
        self.behave();
        self.cut_all();
        self.network.enter(|| self.server.stop());
    }
}

impl fmt::Debug for ApiProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url())
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, plan: Option<Plan>) {
        let mut state = self.state();
        state.plan = plan;
        state.era += 1;
        self.changed.notify_all();
    }

    fn cut(&self, which: impl Fn(bool) -> bool) -> usize {
        let state = self.state();
        let streams = state.open.values().filter(|(_, is_watch)| which(*is_watch));
        // One that has just ended by itself is not cut.
        streams.filter(|(stream, _)| stream.shutdown(Shutdown::Both).is_ok()).count()
    }

    /// What is to happen to a request. The plan runs without the lock: it is the test's.
    fn fault(&self, request: &Request) -> (Option<Fault>, usize) {
        let (plan, era) = {
            let state = self.state();
            (state.plan.clone(), state.era)
        };
        let fault = plan.and_then(|plan| plan(request));
        self.state().faults += usize::from(fault.is_some());
        (fault, era)
    }

    fn serve(&self, client: &mut dyn Connection, request: &Request) -> io::Result<()> {
        let (fault, era) = self.fault(request);
        match fault {
            None => self.forward(client, request),
            Some(Fault::Status(code, reason)) => client
                .write_all(&wire::http_answer(&format!("{code} {reason}"), &status(code, reason))),
            Some(Fault::TooManyRequests(seconds)) => {
                let status_line = format!("429 Too Many Requests\r\nRetry-After: {seconds}");
                client.write_all(&wire::http_answer(&status_line, &status(429, "TooManyRequests")))
            }
            Some(Fault::Delay(time)) => {
                pause(time);
                self.forward(client, request)
            }
            Some(Fault::BlackHole) => {
                let stuck = |state: &mut State| state.era == era;
                drop(self.changed.wait_while(self.state(), stuck));
                self.forward(client, request)
            }
            Some(Fault::Lost) => Err(io::ErrorKind::ConnectionAborted.into()),
            Some(Fault::AnswerLost) => {
                self.forward(&mut Nowhere, request)?;
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            Some(Fault::AnswerLater(time)) => {
                let mut answer = Vec::new();
                self.forward(&mut answer, request)?;
                pause(time);
                client.write_all(&answer)
            }
            Some(Fault::Expired) => {
                let event = json!({ "type": "ERROR", "object": failure(410, "Expired") });
                client.write_all(&wire::http_answer("200 OK", event.to_string().as_bytes()))
            }
        }
    }

    fn forward(&self, client: &mut (impl Write + ?Sized), request: &Request) -> io::Result<()> {
        let stream = TcpStream::connect(self.upstream)?;
        stream.set_nodelay(true)?;
        let own = {
            let mut state = self.state();
            if state.over {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            state.next += 1;
            let is_watch =
                request.query("watch").is_some_and(|watch| watch != "false" && watch != "0");
            let own = state.next;
            state.open.insert(own, (stream.try_clone()?, is_watch));
            own
        };
        let result = self.exchange(own, stream, client, request);
        self.state().open.remove(&own);
        result
    }

    fn exchange(
        &self,
        own: usize,
        stream: TcpStream,
        client: &mut (impl Write + ?Sized),
        request: &Request,
    ) -> io::Result<()> {
        let name = ServerName::from(self.upstream.ip());
        let connection =
            ClientConnection::new(Arc::clone(&self.tls), name).map_err(io::Error::other)?;
        let mut server = StreamOwned::new(connection, stream);
        server.write_all(&[closing(&request.head).as_bytes(), &request.body].concat())?;
        server.flush()?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = server.read(&mut buffer)?;
            let silent = |state: &mut State| !state.over && state.silent.contains(&own);
            drop(self.changed.wait_while(self.state(), silent));
            match read {
                0 => return Ok(()),
                // A watch is read as it comes.
                length => {
                    client.write_all(&buffer[..length])?;
                    client.flush()?;
                }
            }
        }
    }
}

/// Takes what nobody gets.
struct Nowhere;

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The head of a request which says that there is no other behind it. The answer says the same.
fn closing(head: &str) -> String {
    let of_connection = |line: &&str| line.to_ascii_lowercase().starts_with("connection:");
    let lines = head.trim_end().lines().filter(|line| !of_connection(line));
    let lines: String = lines.map(|line| format!("{line}\r\n")).collect();
    format!("{lines}Connection: close\r\n\r\n")
}

/// What the API server would say.
fn status(code: u16, reason: &str) -> Vec<u8> {
    failure(code, reason).to_string().into_bytes()
}

fn failure(code: u16, reason: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "a test wants it so", "reason": reason, "code": code,
    })
}

fn client_config(authority: &str) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(authority.as_bytes()).expect("a certificate");
    roots.add(certificate).expect("an authority");
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
