//! A TLS connector that remembers whether it was needed.
//!
//! In: the connector of rustls. Out: the same connections, and the answer to whether the server
//! had TLS, which tokio-postgres keeps to itself when a login fails.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_postgres::Socket;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

type Inner = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;

#[derive(Clone)]
pub(in crate::connect) struct Connector {
    inner: MakeRustlsConnect,
    used: Arc<AtomicBool>,
}

impl Connector {
    /// For one attempt.
    pub(in crate::connect) fn new(inner: &MakeRustlsConnect) -> Self {
        Self { inner: inner.clone(), used: Arc::default() }
    }

    /// Has a handshake begun?
    pub(in crate::connect) fn was_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }
}

impl MakeTlsConnect<Socket> for Connector {
    type Stream = <Inner as TlsConnect<Socket>>::Stream;
    type TlsConnect = Handshake;
    type Error = Infallible;

    fn make_tls_connect(&mut self, name: &str) -> Result<Handshake, Infallible> {
        let inner = MakeTlsConnect::<Socket>::make_tls_connect(&mut self.inner, name)?;
        Ok(Handshake { inner, used: Arc::clone(&self.used) })
    }
}

pub(in crate::connect) struct Handshake {
    inner: Inner,
    used: Arc<AtomicBool>,
}

impl TlsConnect<Socket> for Handshake {
    type Stream = <Inner as TlsConnect<Socket>>::Stream;
    type Error = <Inner as TlsConnect<Socket>>::Error;
    type Future = <Inner as TlsConnect<Socket>>::Future;

    fn connect(self, stream: Socket) -> Self::Future {
        self.used.store(true, Ordering::Relaxed);
        self.inner.connect(stream)
    }
}
