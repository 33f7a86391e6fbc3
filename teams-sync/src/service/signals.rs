//! Signals in, what they mean out.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// What somebody wants of a running service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Signal {
    /// SIGHUP: read the configuration anew.
    Reload,
    /// SIGTERM or SIGINT: end, and at the second one at once.
    Stop,
}

/// Takes over SIGHUP, SIGTERM and SIGINT for the rest of the process.
///
/// # Errors
/// The system does not let us have one of them.
pub fn signals() -> io::Result<mpsc::Receiver<Signal>> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let meaning = tokio::select! {
                Some(()) = hangup.recv() => Signal::Reload,
                Some(()) = terminate.recv() => Signal::Stop,
                Some(()) = interrupt.recv() => Signal::Stop,
                else => return,
            };
            if sender.send(meaning).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}
