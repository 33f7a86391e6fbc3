//! A server that says what a test wants: no PostgreSQL, but its protocol (chapter 55) as far as
//! tokio-postgres looks.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

pub(super) struct FakeServer {
    pub(super) port: u16,
    connections: Arc<AtomicUsize>,
}

impl FakeServer {
    /// Says the first of `answers` to the startup message and each next one to the next message.
    /// When there are no more, it closes. Without `tls`, it offers none.
    pub(super) fn start(tls: Option<Arc<ServerConfig>>, answers: &[Vec<u8>]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (counter, answers) = (Arc::clone(&connections), answers.to_vec());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::Relaxed);
                let (tls, answers) = (tls.clone(), answers.clone());
                // A client that goes away in the middle is part of some tests.
                thread::spawn(move || serve(stream, tls, &answers));
            }
        });
        Self { port, connections }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn serve(
    mut stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    answers: &[Vec<u8>],
) -> io::Result<()> {
    let mut head = [0; 8];
    stream.peek(&mut head)?;
    // A TLS record of a handshake: `sslnegotiation=direct`, which has to say what it is for.
    if let (22, Some(config)) = (head[0], &tls) {
        let mut stream =
            StreamOwned::new(ServerConnection::new(Arc::clone(config)).unwrap(), stream);
        stream.read_exact(&mut head)?;
        return match stream.conn.alpn_protocol() {
            Some(b"postgresql") => converse(&mut stream, head, answers),
            _ => Ok(()),
        };
    }
    stream.read_exact(&mut head)?;
    if head != SSL_REQUEST {
        return converse(&mut stream, head, answers);
    }
    if let Some(config) = tls {
        stream.write_all(b"S")?;
        let connection = ServerConnection::new(config).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        stream.read_exact(&mut head)?;
        return converse(&mut stream, head, answers);
    }
    stream.write_all(b"N")?;
    stream.read_exact(&mut head)?;
    converse(&mut stream, head, answers)
}

fn converse(
    stream: &mut (impl Read + Write),
    head: [u8; 8],
    answers: &[Vec<u8>],
) -> io::Result<()> {
    let length = u32::from_be_bytes(head[..4].try_into().unwrap());
    skip(stream, u64::from(length) - 8)?;
    for (i, answer) in answers.iter().enumerate() {
        if i > 0 {
            let mut head = [0; 5];
            stream.read_exact(&mut head)?;
            let length = u32::from_be_bytes(head[1..].try_into().unwrap());
            skip(stream, u64::from(length) - 4)?;
        }
        stream.write_all(answer)?;
        stream.flush()?;
    }
    // An empty last answer means: say nothing more, and stay.
    if answers.last().is_some_and(Vec::is_empty) {
        io::copy(stream, &mut io::sink())?;
    }
    Ok(())
}

fn skip(stream: &mut impl Read, length: u64) -> io::Result<()> {
    io::copy(&mut stream.take(length), &mut io::sink()).map(drop)
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag], &length.to_be_bytes()[..], body].concat()
}

/// The login is done, and a statement may come.
pub(super) fn welcome() -> Vec<u8> {
    [message(b'R', &0_u32.to_be_bytes()), ready()].concat()
}

/// The password is wanted as it is.
pub(super) fn want_password() -> Vec<u8> {
    message(b'R', &3_u32.to_be_bytes())
}

pub(super) fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

pub(super) fn done() -> Vec<u8> {
    message(b'C', b"REVOKE ROLE\0")
}

/// One row of one column.
pub(super) fn row(value: &str) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap().to_be_bytes();
    let column = [&[0, 1][..], b"column\0", &[0; 18]].concat();
    let value = [&[0, 1][..], &length, value.as_bytes()].concat();
    [message(b'T', &column), message(b'D', &value), message(b'C', b"SHOW\0"), ready()].concat()
}

pub(super) fn error(code: &str, text: &str) -> Vec<u8> {
    report(b'E', "FATAL", code, text)
}

pub(super) fn notice(severity: &str, code: &str, text: &str) -> Vec<u8> {
    report(b'N', severity, code, text)
}

/// `S` is in the language of the server, `V` is not.
fn report(tag: u8, severity: &str, code: &str, text: &str) -> Vec<u8> {
    message(tag, format!("SWARNUNG\0V{severity}\0C{code}\0M{text}\0\0").as_bytes())
}
