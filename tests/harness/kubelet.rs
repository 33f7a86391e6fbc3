//! What an API server asks of kubelets beside pods: commands in containers. Nothing runs here; what
//! was asked for is written down, and answered as a test likes.
//!
//! It speaks WebSocket, and so the API server passes on what a client says as it came.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use ring::digest;
use serde_json::{Value, json};

use crate::certificates::Identity;
use crate::http_server::{Connection, HttpServer, Request, server_config};

/// A command that somebody wanted to run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    pub namespace: String,
    pub pod: String,
    pub container: String,
    pub command: Vec<String>,
}

/// How it ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    pub output: String,
    pub code: u8,
}

impl Answer {
    /// It says this, and all is well.
    pub fn well(output: &str) -> Self {
        Self { output: output.to_owned(), code: 0 }
    }

    /// It says this, and ends with this code.
    pub fn failed(output: &str, code: u8) -> Self {
        Self { output: output.to_owned(), code }
    }
}

/// `None`: the connection breaks.
type Conduct = Arc<dyn Fn(&Asked) -> Option<Answer> + Send + Sync>;

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    /// By namespace.
    conducts: HashMap<String, Conduct>,
}

/// One for all nodes.
pub struct Kubelet {
    _server: HttpServer,
    state: Arc<Mutex<State>>,
}

impl Kubelet {
    /// Listens there, on a thread inside of the network of this one.
    pub(crate) fn at(address: SocketAddr, identity: &Identity) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let own = Arc::clone(&state);
        let server =
            HttpServer::at(address, Some(server_config(identity)), move |stream, request| {
                answer(&own, stream, request)
            });
        Self { _server: server, state }
    }

    /// From now on commands in a namespace end like this. Before, all end well and say nothing.
    pub fn conduct(
        &self,
        namespace: &str,
        conduct: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static,
    ) {
        self.state().conducts.insert(namespace.to_owned(), Arc::new(conduct));
    }

    /// The commands of a namespace so far.
    pub fn asked(&self, namespace: &str) -> Vec<Asked> {
        let state = self.state();
        state.asked.iter().filter(|asked| asked.namespace == namespace).cloned().collect()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }
}

impl fmt::Debug for Kubelet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kubelet")
    }
}

fn answer(
    state: &Mutex<State>,
    connection: &mut dyn Connection,
    request: &Request,
) -> io::Result<()> {
    let (Some(asked), Some(key)) = (asked(request), request.header("sec-websocket-key")) else {
        return connection.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    };
    let conduct = {
        let mut state = state.lock().expect("nobody panics with it");
        state.asked.push(asked.clone());
        state.conducts.get(&asked.namespace).cloned()
    };
    let offered = request.header("sec-websocket-protocol").unwrap_or_default();
    let protocol = offered.split(',').next().unwrap_or_default().trim();
    let accept = digest::digest(
        &digest::SHA1_FOR_LEGACY_USE_ONLY,
        format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes(),
    );
    write!(
        connection,
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {}\r\nsec-websocket-protocol: {protocol}\r\n\r\n",
        STANDARD.encode(accept),
    )?;
    connection.flush()?;
    let Some(answer) = conduct.map_or(Some(Answer::well("")), |conduct| conduct(&asked)) else {
        return Ok(());
    };
    if !answer.output.is_empty() {
        frame(connection, 2, &[&[1], answer.output.as_bytes()].concat())?;
    }
    frame(connection, 2, &[&[3], status(answer.code).to_string().as_bytes()].concat())?;
    // Close, with the code of a normal end.
    frame(connection, 8, &1000_u16.to_be_bytes())?;
    connection.flush()?;
    // The client closes after that; a connection that is gone before loses what is on its way.
    let _until_it_is_gone = io::copy(&mut connection.take(64 * 1024), &mut io::sink());
    Ok(())
}

/// `/exec/NAMESPACE/POD/CONTAINER?command=a&command=b`
fn asked(request: &Request) -> Option<Asked> {
    let mut parts = request.path().strip_prefix("/exec/")?.split('/').map(str::to_owned);
    let (_, query) = request.target().split_once('?')?;
    let decoded =
        |value: &str| percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned();
    let words = query.split('&').filter_map(|pair| pair.strip_prefix("command="));
    Some(Asked {
        namespace: parts.next()?,
        pod: parts.next()?,
        container: parts.next()?,
        command: words.map(decoded).collect(),
    })
}

/// As a kubelet says how a command ended.
fn status(code: u8) -> Value {
    if code == 0 {
        return json!({ "metadata": {}, "status": "Success" });
    }
    json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
    })
}

/// One whole message, as servers send it: not masked.
fn frame(connection: &mut dyn Connection, opcode: u8, payload: &[u8]) -> io::Result<()> {
    let length = match payload.len() {
        short @ ..=125 => vec![u8::try_from(short).unwrap_or_default()],
        long => {
            let long = u16::try_from(long).map_err(io::Error::other)?;
            [&[126][..], &long.to_be_bytes()].concat()
        }
    };
    connection.write_all(&[&[0x80 | opcode][..], &length, payload].concat())
}
