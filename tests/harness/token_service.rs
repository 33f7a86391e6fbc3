//! A tokeninfo endpoint, on loopback, with or without TLS; it answers well until a test
//! tells it to misbehave.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use percent_encoding::percent_decode_str;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::certificates::Identity;
use crate::{eventually, wire};

/// What a client sent.
#[derive(Clone, Debug)]
pub struct Request {
    /// The request line and the headers, as they came.
    pub head: String,
    /// The value of `access_token`, decoded.
    pub token: String,
}

/// A plain or encrypted connection.
pub trait Connection: Read + Write + Send {}
impl<T: Read + Write + Send> Connection for T {}

type OnAccept = Arc<dyn Fn(TcpStream) + Send + Sync>;
type OnRequest = Arc<dyn Fn(&mut dyn Connection, &Request) -> io::Result<()> + Send + Sync>;

#[derive(Default)]
struct State {
    answers: HashMap<String, String>,
    on_accept: Option<OnAccept>,
    on_request: Option<OnRequest>,
    requests: Vec<Request>,
    connections: usize,
    stopped: bool,
}

pub struct TokenService {
    address: SocketAddr,
    encrypted: bool,
    state: Arc<Mutex<State>>,
}

impl TokenService {
    /// Plain http.
    pub fn plain() -> Self {
        Self::start(None, (Ipv4Addr::LOCALHOST, 0).into())
    }

    /// https with this identity.
    pub fn encrypted(identity: &Identity) -> Self {
        Self::with_config(server_config(identity))
    }

    /// https with a configuration of the test's own.
    pub fn with_config(config: ServerConfig) -> Self {
        Self::start(Some(Arc::new(config)), (Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Plain http on a given loopback address.
    pub fn at(address: SocketAddr) -> Self {
        Self::start(None, address)
    }

    fn start(tls: Option<Arc<ServerConfig>>, address: SocketAddr) -> Self {
        assert!(address.ip().is_loopback(), "servers of tests listen on loopback");
        // The backlog of std is 128; 200 clients may come at once.
        let listener = wire::listen(address, 1024);
        let address = listener.local_addr().expect("an address");
        let encrypted = tls.is_some();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || accept(listener, tls.as_ref(), &shared));
        Self { address, encrypted, state }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The URL for a PAM line, with this host.
    pub fn url_for(&self, host: &str) -> String {
        let scheme = if self.encrypted { "https" } else { "http" };
        format!("{scheme}://{host}:{}/oauth2/tokeninfo?access_token=", self.port())
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
        self.state.lock().unwrap().on_accept = Some(Arc::new(conduct));
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
        let mut state = self.state.lock().unwrap();
        state.on_accept = None;
        state.on_request = None;
    }

    /// Stops for good: nobody listens at its port any more.
    pub fn stop(&self) {
        self.state.lock().unwrap().stopped = true;
        // Wakes the thread that accepts, which then goes.
        let _last = TcpStream::connect(self.address);
        eventually("the port is closed", || match TcpStream::connect(self.address) {
            Err(_) => Ok(()),
            Ok(_) => Err("still open"),
        });
    }

    pub fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }
}

impl fmt::Debug for TokenService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenService({})", self.address)
    }
}

/// A configuration with one certificate and no demands on clients.
pub fn server_config(identity: &Identity) -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(identity.chain.clone(), identity.key.clone_key())
        .expect("a certificate with its key")
}

fn accept(listener: TcpListener, tls: Option<&Arc<ServerConfig>>, state: &Arc<Mutex<State>>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        let on_accept = {
            let mut state = state.lock().unwrap();
            if state.stopped {
                return;
            }
            state.connections += 1;
            state.on_accept.clone()
        };
        let (tls, state) = (tls.cloned(), Arc::clone(state));
        thread::spawn(move || match on_accept {
            Some(conduct) => conduct(stream),
            // A client that goes away is the client's affair.
            None => drop(serve(stream, tls, &state)),
        });
    }
}

fn serve(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    state: &Mutex<State>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match tls {
        None => converse(&mut { stream }, state),
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(connection, stream);
            converse(&mut stream, state)?;
            stream.conn.send_close_notify();
            stream.flush()
        }
    }
}

fn converse(connection: &mut dyn Connection, state: &Mutex<State>) -> io::Result<()> {
    let head = read_head(connection)?;
    let request = Request { token: token_of(&head), head };
    let (conduct, known) = {
        let mut state = state.lock().unwrap();
        state.requests.push(request.clone());
        (state.on_request.clone(), state.answers.get(&request.token).cloned())
    };
    match (conduct, known) {
        (Some(conduct), _) => conduct(connection, &request),
        (None, Some(json)) => connection.write_all(&wire::http_answer("200 OK", json.as_bytes())),
        (None, None) => {
            let body =
                br#"{"error":"invalid_request","error_description":"Access Token not valid"}"#;
            connection.write_all(&wire::http_answer("400 Bad Request", body))
        }
    }?;
    connection.flush()
}

fn read_head(connection: &mut dyn Connection) -> io::Result<String> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|part| part == b"\r\n\r\n") {
        match connection.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => head.extend_from_slice(&buffer[..length]),
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

fn token_of(head: &str) -> String {
    let target = head.split(' ').nth(1).unwrap_or_default();
    let value = target.split_once("access_token=").map_or("", |(_, value)| value);
    percent_decode_str(value).decode_utf8_lossy().into_owned()
}
