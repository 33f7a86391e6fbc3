//! What systemd is told, and how: one datagram each, to the socket that it named.
//!
//! The `sd-notify` crate reads the environment by itself and knows no abstract sockets; the words
//! and the clock are its own. Nothing here fails the service: a service manager that does not
//! listen misses something, and that is all.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;

use super::health::Heartbeat;

/// So long at most the loop waits for systemd to read.
const PATIENCE: Duration = Duration::from_secs(1);
/// Pings within the time that systemd waits for one.
const PINGS: u32 = 3;

/// Tells systemd, if it asked for that.
#[derive(Clone, Debug)]
pub struct Notifier(Option<SocketAddr>);

impl Notifier {
    /// Of `NOTIFY_SOCKET`: a path, or an abstract name behind `@`.
    ///
    /// # Errors
    /// It is neither.
    pub fn new(socket: Option<&OsStr>) -> io::Result<Self> {
        let Some(name) = socket.filter(|name| !name.is_empty()) else { return Ok(Self(None)) };
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => return Err(io::Error::from(io::ErrorKind::Unsupported)),
        };
        Ok(Self(Some(address)))
    }

    pub(super) fn ready(&self) {
        self.send(&[NotifyState::Ready]);
    }

    pub(super) fn reloading(&self) {
        // Without the time systemd would take it for a failure.
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.send(&[NotifyState::Reloading, now]),
            Err(error) => tracing::warn!(%error, "systemd not told of the reload"),
        }
    }

    pub(super) fn stopping(&self) {
        self.send(&[NotifyState::Stopping]);
    }

    /// One line, for `systemctl status`.
    pub(super) fn status(&self, text: &str) {
        self.send(&[NotifyState::Status(text)]);
    }

    fn alive(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    fn send(&self, words: &[NotifyState<'_>]) {
        let Some(address) = &self.0 else { return };
        let lines: String = words.iter().map(|word| format!("{word}\n")).collect();
        let sent = UnixDatagram::unbound().and_then(|socket| {
            socket.set_write_timeout(Some(PATIENCE))?;
            socket.send_to_addr(lines.as_bytes(), address)
        });
        if let Err(error) = sent {
            tracing::debug!(%error, "systemd not told");
        }
    }
}

/// How often systemd wants to hear that the service lives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Watchdog(Duration);

impl Watchdog {
    /// Of `WATCHDOG_USEC` and `WATCHDOG_PID`. `None` where nobody waits, or waits for another
    /// process.
    pub fn new(time: Option<&str>, process: Option<&str>, own: u32) -> Option<Self> {
        let is_ours = process.is_none_or(|process| process.parse() == Ok(own));
        let time: u64 = time?.parse().ok()?;
        (is_ours && time > 0).then(|| Self(Duration::from_micros(time)))
    }

    /// Pings as long as the loop lives; ends never.
    pub(super) async fn watch(self, notifier: Notifier, heartbeat: Arc<Heartbeat>) {
        let pause = (self.0 / PINGS).max(Duration::from_millis(1));
        let mut pings = tokio::time::interval(pause);
        pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            pings.tick().await;
            if heartbeat.is_fresh() {
                notifier.alive();
            }
        }
    }
}
