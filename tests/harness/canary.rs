//! A server that nobody must ever ask, because only a token names it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::http_server::HttpServer;
use crate::wire;

#[derive(Debug)]
pub struct Canary {
    server: HttpServer,
    own: AtomicUsize,
}

impl Canary {
    /// Answers everything with `body`, such as a key set that would make a forgery good.
    pub fn start(body: String) -> Self {
        let answer = wire::http_answer("200 OK", body.as_bytes());
        let server = HttpServer::start(None, move |connection, _| connection.write_all(&answer));
        Self { server, own: AtomicUsize::new(0) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.origin("localhost"))
    }

    /// How many connections others have made. All that stand now are counted: they are
    /// accepted in order, and one of our own, which comes last, has been answered.
    pub fn hits(&self) -> usize {
        let own = self.own.fetch_add(1, Ordering::Relaxed) + 1;
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.server.port()));
        let stream = stream.as_mut().expect("the canary lives");
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("the canary listens");
        let answered = stream.read_to_end(&mut Vec::new()).expect("the canary answers");
        assert!(answered > 0, "the canary answers");
        self.server.connections() - own
    }
}
