//! A client that speaks the protocol of PostgreSQL byte by byte, without TLS, to the
//! database `raw`: for what libpq would never send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use harness::World;

pub(crate) struct RawClient(TcpStream);

impl RawClient {
    /// Connects and waits until the server asks for the password.
    pub(crate) fn connect(world: &World, user: &str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", world.postgres().port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut this = Self(stream);
        let body = format!("user\0{user}\0database\0raw\0\0");
        let length = u32::try_from(body.len() + 8).unwrap();
        // Protocol 3.0.
        this.send(
            &[&length.to_be_bytes()[..], &196_608_u32.to_be_bytes(), body.as_bytes()].concat(),
        );
        let mut request = [0; 9];
        this.0.read_exact(&mut request).unwrap();
        // AuthenticationCleartextPassword.
        assert_eq!(request, *b"R\0\0\0\x08\0\0\0\x03");
        this
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// A password message with exactly these bytes, NULs included, and the final NUL.
    pub(crate) fn send_password(&mut self, password: &[u8]) {
        let length = u32::try_from(password.len() + 5).unwrap();
        self.send(&[b"p", &length.to_be_bytes()[..], password, b"\0"].concat());
    }

    /// Everything up to the first ReadyForQuery, or to the end.
    pub(crate) fn read_until_ready(mut self) -> Vec<u8> {
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"Z\0\0\0\x05I") && self.0.read(&mut byte).unwrap() == 1 {
            answer.push(byte[0]);
        }
        answer
    }

    pub(crate) fn read_to_end(mut self) -> Vec<u8> {
        let mut answer = Vec::new();
        self.0.read_to_end(&mut answer).unwrap();
        answer
    }
}
