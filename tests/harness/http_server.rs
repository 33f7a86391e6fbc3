//! An HTTP server on loopback, with or without TLS: a thread for each connection, one request
//! on each. What it answers is the affair of whoever starts it.

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
    pub body: Vec<u8>,
}

/// A plain or encrypted connection.
pub trait Connection: Read + Write + Send {}
impl<T: Read + Write + Send> Connection for T {}

/// Answers a request, or does something else to the client.
pub type OnRequest = Arc<dyn Fn(&mut dyn Connection, &Request) -> io::Result<()> + Send + Sync>;
type OnAccept = Arc<dyn Fn(TcpStream) + Send + Sync>;

#[derive(Default)]
struct State {
    on_accept: Option<OnAccept>,
    requests: Vec<Request>,
    connections: usize,
    stopped: bool,
}

struct Shared {
    tls: Option<Arc<ServerConfig>>,
    on_request: OnRequest,
    state: Mutex<State>,
}

pub struct HttpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl HttpServer {
    /// Plain http, or https with this configuration, on any port.
    pub fn start(
        tls: Option<ServerConfig>,
        on_request: impl Fn(&mut dyn Connection, &Request) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::at((Ipv4Addr::LOCALHOST, 0).into(), tls, on_request)
    }

    /// On a given address: loopback, or one that the [`crate::Network`] of this thread has.
    pub fn at(
        address: SocketAddr,
        tls: Option<ServerConfig>,
        on_request: impl Fn(&mut dyn Connection, &Request) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let own = address.ip().is_loopback() || address.ip().to_string().starts_with("10.88.");
        assert!(own, "servers of tests listen on loopback, or in a network of their own");
        // The backlog of std is 128; 500 clients may come at once.
        Self::on(wire::listen(address, 1024), tls, on_request)
    }

    /// For whoever comes to a listener.
    pub fn on(
        listener: TcpListener,
        tls: Option<ServerConfig>,
        on_request: impl Fn(&mut dyn Connection, &Request) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            tls: tls.map(Arc::new),
            on_request: Arc::new(on_request),
            state: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accept(listener, &accepting));
        Self { address, shared }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Scheme, host and port, with this host.
    pub fn origin(&self, host: &str) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{host}:{}", self.port())
    }

    /// From now on every connection is handled by `conduct`, before TLS.
    pub fn on_accept(&self, conduct: impl Fn(TcpStream) + Send + Sync + 'static) {
        self.state().on_accept = Some(Arc::new(conduct));
    }

    /// Connections become requests again.
    pub fn behave(&self) {
        self.state().on_accept = None;
    }

    /// Stops for good: nobody listens at its port any more.
    pub fn stop(&self) {
        self.state().stopped = true;
        // Wakes the thread that accepts, which then goes.
        let _last = TcpStream::connect(self.address);
        eventually("the port is closed", || match TcpStream::connect(self.address) {
            Err(_) => Ok(()),
            Ok(_) => Err("still open"),
        });
    }

    /// All requests so far that could be read.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// How many of them there are like this.
    pub fn count(&self, like: impl Fn(&Request) -> bool) -> usize {
        self.state().requests.iter().filter(|request| like(request)).count()
    }

    pub fn connections(&self) -> usize {
        self.state().connections
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }
}

impl fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin("localhost"))
    }
}

impl Request {
    pub fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    /// Path and query, as they came.
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// The path, as it came.
    pub fn path(&self) -> &str {
        self.target().split('?').next().unwrap_or_default()
    }

    /// The first header of this name, in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut values =
            fields.filter(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
        values.next()
    }

    /// The first parameter of this name in the query, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        // A `+` is itself there (RFC 3986 section 3.4).
        let (_, query) = self.target().split_once('?')?;
        parameter(query, name).map(|value| percent_decode_str(value).decode_utf8_lossy().into())
    }

    /// The first parameter of this name in a form, decoded.
    pub fn form(&self, name: &str) -> Option<String> {
        parameter(std::str::from_utf8(&self.body).ok()?, name).map(form_decode)
    }
}

fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(own, _)| *own == name)
        .map(|(_, value)| value)
}

/// application/x-www-form-urlencoded (RFC 6749 appendix B).
pub fn form_decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
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

fn accept(listener: TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        let on_accept = {
            let mut state = shared.state.lock().unwrap();
            if state.stopped {
                return;
            }
            state.connections += 1;
            state.on_accept.clone()
        };
        let shared = Arc::clone(shared);
        thread::spawn(move || match on_accept {
            Some(conduct) => conduct(stream),
            // A client that goes away is the client's affair.
            None => drop(serve(stream, &shared)),
        });
    }
}

fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match &shared.tls {
        None => converse(&mut { stream }, shared),
        Some(config) => {
            let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(connection, stream);
            converse(&mut stream, shared)?;
            stream.conn.send_close_notify();
            stream.flush()
        }
    }
}

fn converse(connection: &mut dyn Connection, shared: &Shared) -> io::Result<()> {
    let request = read_request(connection)?;
    shared.state.lock().unwrap().requests.push(request.clone());
    (shared.on_request)(connection, &request)?;
    connection.flush()
}

fn read_request(connection: &mut dyn Connection) -> io::Result<Request> {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    let mut more = |read: &mut Vec<u8>| match connection.read(&mut buffer)? {
        0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        length => {
            read.extend_from_slice(&buffer[..length]);
            Ok(())
        }
    };
    let end = loop {
        if let Some(start) = read.windows(4).position(|part| part == b"\r\n\r\n") {
            break start + 4;
        }
        more(&mut read)?;
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let mut request = Request { head, body: read.split_off(end) };
    let length = request.header("content-length").map_or(Ok(0), str::parse);
    let length = length.map_err(io::Error::other)?;
    while request.body.len() < length {
        more(&mut request.body)?;
    }
    Ok(request)
}
