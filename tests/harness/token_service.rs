//! A tokeninfo endpoint, on loopback, with or without TLS; it answers well until a test
//! tells it to misbehave.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;

use crate::certificates::Identity;
pub use crate::http_server::{Connection, Request, server_config};
use crate::http_server::{HttpServer, OnRequest};
use crate::wire;

#[derive(Default)]
struct State {
    answers: HashMap<String, String>,
    on_request: Option<OnRequest>,
}

pub struct TokenService {
    server: HttpServer,
    state: Arc<Mutex<State>>,
}

impl TokenService {
    /// Plain http.
    pub fn plain() -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// https with this identity.
    pub fn encrypted(identity: &Identity) -> Self {
        Self::with_config(server_config(identity))
    }

    /// https with a configuration of the test's own.
    pub fn with_config(config: ServerConfig) -> Self {
        Self::start(Some(config), (Ipv4Addr::LOCALHOST, 0).into())
    }

    /// https with this identity, on a given address.
    pub fn encrypted_at(identity: &Identity, address: SocketAddr) -> Self {
        Self::start(Some(server_config(identity)), address)
    }

    /// Plain http on a given loopback address.
    pub fn at(address: SocketAddr) -> Self {
        Self::start(None, address)
    }

    fn start(tls: Option<ServerConfig>, address: SocketAddr) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let own = Arc::clone(&state);
        let server = HttpServer::at(address, tls, move |connection, request| {
            answer(&own, connection, request)
        });
        Self { server, state }
    }

    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The URL for a PAM line, with this host.
    pub fn url_for(&self, host: &str) -> String {
        format!("{}/oauth2/tokeninfo?access_token=", self.server.origin(host))
    }

    pub fn url(&self) -> String {
        self.url_for("localhost")
    }

    /// From now on `token` is answered with `json`.
    pub fn know(&self, token: &str, json: impl Into<String>) {
        self.state.lock().unwrap().answers.insert(token.to_owned(), json.into());
    }

    /// From now on every connection is handled by `conduct`, before TLS.
    pub fn on_accept(&self, conduct: impl Fn(TcpStream) + Send + Sync + 'static) {
        self.server.on_accept(conduct);
    }

    /// From now on every request is answered by `conduct`.
    pub fn on_request(
        &self,
        conduct: impl Fn(&mut dyn Connection, &Request) -> io::Result<()> + Send + Sync + 'static,
    ) {
        self.state.lock().unwrap().on_request = Some(Arc::new(conduct));
    }

    /// From now on every request is answered with these bytes.
    pub fn answer_raw(&self, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        self.on_request(move |connection, _| connection.write_all(&bytes));
    }

    /// From now on every request is answered with status 200 and this body.
    pub fn answer_body(&self, body: impl AsRef<[u8]>) {
        self.answer_raw(wire::http_answer("200 OK", body.as_ref()));
    }

    /// Good again.
    pub fn behave(&self) {
        self.server.behave();
        self.state.lock().unwrap().on_request = None;
    }

    /// Stops for good: nobody listens at its port any more.
    pub fn stop(&self) {
        self.server.stop();
    }

    pub fn requests(&self) -> Vec<Request> {
        self.server.requests()
    }

    pub fn connections(&self) -> usize {
        self.server.connections()
    }
}

impl fmt::Debug for TokenService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenService({:?})", self.server)
    }
}

fn answer(
    state: &Mutex<State>,
    connection: &mut dyn Connection,
    request: &Request,
) -> io::Result<()> {
    let token = request.query("access_token").unwrap_or_default();
    let (conduct, known) = {
        let state = state.lock().unwrap();
        (state.on_request.clone(), state.answers.get(&token).cloned())
    };
    match (conduct, known) {
        (Some(conduct), _) => conduct(connection, request),
        (None, Some(json)) => connection.write_all(&wire::http_answer("200 OK", json.as_bytes())),
        (None, None) => connection.write_all(&wire::unknown_token()),
    }
}
