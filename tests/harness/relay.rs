//! A relay in front of a PostgreSQL that breaks a connection at a given message of the client
//! (protocol 3, "Message Formats"). It speaks no TLS and says so.
//!
//! Messages are counted per connection, from 1, behind its authentication: Query, Parse, Bind,
//! Execute, Sync, CopyData and so on, but no Terminate, which asks for nothing.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use crate::eventually::pause;
use crate::postmaster::free_port;
use crate::wire;

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;
/// More than any message of a test.
const LONGEST: usize = 64 << 20;

/// Where a connection breaks. The client sees a reset, the server the end of its input.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum When {
    /// The server never sees the message.
    Before(usize),
    /// The server gets the message, and works on it while the client knows of the break already.
    After(usize),
    /// The server has done its work, and its answer is lost: the break comes when ReadyForQuery,
    /// or CopyInResponse, would have told the client.
    Answered(usize),
}

/// What happens to connections, old and new.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Behaviour {
    Forward,
    /// Each message of the client comes so much later.
    Slow(Duration),
    /// They are accepted, and nothing gets through. Later behaviours let it go on.
    BlackHole,
    /// New ones are reset at once. (Old ones go on: [`Relay::cut_all`].)
    Refuse,
}

#[derive(Debug)]
pub struct Relay {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The port of the server.
    target: u16,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    plan: Option<When>,
    cuts: usize,
    /// Behind which message nothing gets through any more.
    hold: Option<usize>,
    /// Whether one was, and is.
    held: bool,
    behaviour: Behaviour,
    over: bool,
    accepted: usize,
    connections: Vec<Connection>,
}

/// One that got as far as its startup message.
#[derive(Debug, Default)]
struct Connection {
    client: Option<Arc<TcpStream>>,
    /// Kind and content of each message that counts.
    messages: Vec<(u8, Vec<u8>)>,
    /// How many answers end in ReadyForQuery, the one to the startup message included.
    asked: usize,
    ready: usize,
    /// The answer with this number stays here.
    withheld: Option<usize>,
}

impl Relay {
    /// In front of a port on loopback.
    pub fn start(target: u16) -> Self {
        let port = free_port();
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        let state = State {
            plan: None,
            cuts: 0,
            hold: None,
            held: false,
            behaviour: Behaviour::Forward,
            over: false,
            accepted: 0,
            connections: Vec::new(),
        };
        let shared = Shared { target, state: Mutex::new(state), changed: Condvar::new() };
        let shared = Arc::new(shared);
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (behaviour, over) = {
                    let mut state = accepting.state();
                    state.accepted += 1;
                    (state.behaviour, state.over)
                };
                if over {
                    break;
                }
                if behaviour == Behaviour::Refuse {
                    wire::reset(client);
                    continue;
                }
                let shared = Arc::clone(&accepting);
                // An error is the end of a connection.
                std::thread::spawn(move || shared.serve(Arc::new(client)));
            }
        });
        Self { port, shared }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Breaks the first connection that gets there, once.
    pub fn cut(&self, when: When) {
        self.shared.state().plan = Some(when);
    }

    /// How many connections were broken by plan.
    pub fn cuts(&self) -> usize {
        self.shared.state().cuts
    }

    /// The first connection that gets to this message is still there when [`Relay::is_held`]: the
    /// server gets the message, and from then on the relay is a [`Behaviour::BlackHole`].
    pub fn hold(&self, number: usize) {
        self.shared.state().hold = Some(number);
    }

    pub fn is_held(&self) -> bool {
        self.shared.state().held
    }

    /// Breaks all connections that are there, now.
    pub fn cut_all(&self) {
        self.shared.state().connections.iter_mut().for_each(|connection| connection.cut(true));
        self.shared.changed.notify_all();
    }

    pub fn behave(&self, behaviour: Behaviour) {
        {
            let mut state = self.shared.state();
            state.behaviour = behaviour;
            state.held = false;
        }
        self.shared.changed.notify_all();
    }

    /// How many connections there were, whatever became of them.
    pub fn accepted(&self) -> usize {
        self.shared.state().accepted
    }

    /// How many connections got as far as their startup message, requests to cancel left out.
    pub fn connections(&self) -> usize {
        self.shared.state().connections.len()
    }

    /// How many messages the client of the last connection has sent, whether forwarded or not.
    pub fn messages(&self) -> usize {
        self.shared.state().connections.last().map_or(0, |last| last.messages.len())
    }

    /// What the last connection asked by the simple protocol.
    pub fn queries(&self) -> Vec<String> {
        self.texts(|kind| kind == b'Q')
    }

    /// What it asked by either protocol: of Query and of Parse.
    pub fn statements(&self) -> Vec<String> {
        self.texts(|kind| kind == b'Q' || kind == b'P')
    }

    fn texts(&self, wanted: impl Fn(u8) -> bool) -> Vec<String> {
        let state = self.shared.state();
        let messages = state.connections.last().map(|last| &last.messages[..]).unwrap_or_default();
        let wanted = messages.iter().filter(|(kind, _)| wanted(*kind));
        let texts = wanted.map(|(kind, body)| {
            // Parse has the name of the statement first.
            let field = body.split(|byte| *byte == 0).nth(usize::from(*kind == b'P'));
            String::from_utf8_lossy(field.unwrap_or_default()).into_owned()
        });
        texts.collect()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.state().over = true;
        self.cut_all();
        // The thread that accepts looks when somebody comes.
        let _nobody = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with it")
    }

    /// Waits as long as nothing gets through.
    fn gate(&self, own: Option<usize>) -> io::Result<()> {
        let is_cut = |state: &State| {
            state.over || own.is_some_and(|own| state.connections[own].client.is_none())
        };
        let stuck = |state: &mut State| state.behaviour == Behaviour::BlackHole && !is_cut(state);
        let state = self.changed.wait_while(self.state(), stuck).expect("nobody panics with it");
        if is_cut(&state) { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    /// From the first byte of a connection to the last.
    fn serve(self: Arc<Self>, client: Arc<TcpStream>) -> io::Result<()> {
        let startup = loop {
            let message = untyped_message(&mut &*client)?;
            match message.get(4..8).map(number) {
                Some(SSL_REQUEST | GSS_REQUEST) => {
                    self.gate(None)?;
                    (&*client).write_all(b"N")?;
                }
                _ => break message,
            }
        };
        let cancel = startup.get(4..8).map(number) == Some(CANCEL_REQUEST);
        let own = (!cancel).then(|| {
            let mut state = self.state();
            let client = Some(Arc::clone(&client));
            state.connections.push(Connection { client, asked: 1, ..Connection::default() });
            state.connections.len() - 1
        });
        self.gate(own)?;
        let server = Arc::new(TcpStream::connect(("127.0.0.1", self.target))?);
        server.set_nodelay(true)?;
        client.set_nodelay(true)?;
        (&*server).write_all(&startup)?;
        let Some(own) = own else {
            // The server closes when it has signalled.
            return wire::hold(&mut &*server);
        };
        let shared = Arc::clone(&self);
        let back = Arc::clone(&server);
        std::thread::spawn(move || {
            // The end of one side is the end of the other.
            let _end = shared.backward(own, back);
            shared.state().connections[own].cut(false);
        });
        let _end = self.forward(own, &client, &server);
        // What was forwarded is read and done before the server sees the end.
        server.shutdown(Shutdown::Write)
    }

    /// From the client to the server.
    fn forward(&self, own: usize, client: &TcpStream, server: &TcpStream) -> io::Result<()> {
        loop {
            let message = message(&mut &*client)?;
            let kind = message[0];
            let behaviour = self.state().behaviour;
            if let Behaviour::Slow(time) = behaviour {
                pause(time);
            }
            self.gate(Some(own))?;
            // Terminate and the answers to questions about passwords.
            let (after, held) = if matches!(kind, b'X' | b'p') {
                (false, false)
            } else {
                let mut state = self.state();
                let State { plan, cuts, hold, behaviour, connections, .. } = &mut *state;
                let connection = &mut connections[own];
                let answer = connection.count(kind, &message[5..]);
                let now = connection.messages.len();
                let held = hold.take_if(|number| *number == now).is_some();
                if held {
                    *behaviour = Behaviour::BlackHole;
                }
                let due = plan.filter(|when| when.number() == now);
                if due.is_some() {
                    *plan = None;
                    *cuts += 1;
                }
                match due {
                    Some(When::Before(_)) => {
                        connection.cut(true);
                        return Ok(());
                    }
                    Some(When::Answered(_)) => connection.withheld = Some(answer),
                    _ => {}
                }
                (matches!(due, Some(When::After(_))), held)
            };
            (&*server).write_all(&message)?;
            if held {
                self.state().held = true;
            }
            if after {
                self.state().connections[own].cut(true);
                return Ok(());
            }
        }
    }

    /// From the server to the client, as long as that is there.
    fn backward(&self, own: usize, server: Arc<TcpStream>) -> io::Result<()> {
        loop {
            let message = message(&mut &*server)?;
            // Behind a cut the server is listened to until it ends: with unread bytes the kernel
            // would reset the connection, and the server might lose what it has not read yet.
            let _cut = self.gate(Some(own));
            let client = {
                let mut state = self.state();
                let connection = &mut state.connections[own];
                let current = connection.ready;
                connection.ready += usize::from(message[0] == b'Z');
                if connection.withheld == Some(current) {
                    if matches!(message[0], b'Z' | b'G') {
                        connection.cut(true);
                    }
                    continue;
                }
                connection.client.clone()
            };
            if let Some(client) = client {
                // The client may be gone; the server learns that from the other thread.
                let _gone = (&*client).write_all(&message);
            }
        }
    }
}

impl When {
    fn number(self) -> usize {
        match self {
            Self::Before(number) | Self::After(number) | Self::Answered(number) => number,
        }
    }
}

impl Connection {
    /// Notes a message; the number of the answer that belongs to it.
    fn count(&mut self, kind: u8, body: &[u8]) -> usize {
        self.messages.push((kind, body.to_owned()));
        let pending = self.asked > self.ready;
        match kind {
            // Query, Sync, FunctionCall.
            b'Q' | b'S' | b'F' => {
                self.asked += 1;
                self.asked - 1
            }
            // CopyData, CopyDone, CopyFail: to a Query that is still being answered.
            b'd' | b'c' | b'f' if pending => self.asked - 1,
            // The others are answered with the Sync that is to come.
            _ => self.asked,
        }
    }

    /// Lets go of the client, by a reset or an end. The server sees an end when the thread that
    /// reads from the client does.
    fn cut(&mut self, hard: bool) {
        if let Some(client) = self.client.take() {
            if hard {
                wire::reset_on_close(&client);
            }
            // Wakes the thread that reads from it, which holds it open, and tells nobody else.
            let _gone = client.shutdown(Shutdown::Read);
        }
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

/// The first messages of a client have a length and no kind.
fn untyped_message(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 4];
    stream.read_exact(&mut message)?;
    rest(stream, message)
}

fn message(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 5];
    stream.read_exact(&mut message)?;
    rest(stream, message)
}

/// Behind a length, which counts itself.
fn rest(stream: &mut impl Read, mut head: Vec<u8>) -> io::Result<Vec<u8>> {
    let start = head.len();
    let length = number(&head[start - 4..]) as usize;
    if !(4..LONGEST).contains(&length) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    head.resize(start + length - 4, 0);
    stream.read_exact(&mut head[start..])?;
    Ok(head)
}
