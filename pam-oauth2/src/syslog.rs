//! One line to the syslog daemon, or none: never a wait without end.
//!
//! syslog(3) and pam_syslog(3) write to a blocking socket. A daemon that is alive but does not
//! read (stopped, deadlocked, its disk full) fills the queue of the socket after a dozen lines,
//! and from then on every login of the machine would hang for as long as it pleases, beyond
//! any deadline. So the datagram waits for [`PATIENCE`] at most, which a burst of logins needs
//! and a daemon that reads never exceeds, and is lost where nobody takes it; the line in
//! PostgreSQL's log remains.

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::system;

/// `_PATH_LOG` of <paths.h>.
const SOCKET: &str = "/dev/log";
/// The facility `authpriv` (RFC 3164 section 4.1.1), for what is not for everybody to read.
const AUTHPRIV: u8 = 10;

/// How long a line waits for room in the queue of the socket.
const PATIENCE: Duration = Duration::from_millis(100);

/// How much a line matters; the values are those of RFC 3164.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Severity {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
}

/// Sends `line`, as pam_syslog(3) would word it: with the program, the module and `origin`
/// (service and kind of PAM call) in front. The daemon adds the time.
pub(crate) fn send(severity: Severity, origin: &str, line: &str) {
    let priority = AUTHPRIV << 3 | severity as u8;
    let process = std::process::id();
    let message = format!("<{priority}>{}[{process}]: pam_oauth2({origin}): {line}", program());
    let patience = if LOST.load(Ordering::Relaxed) { Duration::ZERO } else { PATIENCE };
    let lost = send_within(patience, message.as_bytes()).is_err();
    LOST.store(lost, Ordering::Relaxed);
}

/// Whether the latest line was lost: then the next does not wait, so that a login with several
/// lines waits once.
static LOST: AtomicBool = AtomicBool::new(false);

fn send_within(patience: Duration, message: &[u8]) -> io::Result<usize> {
    let socket = UnixDatagram::unbound()?;
    let start = Instant::now();
    loop {
        // Never zero, which would mean without end (socket(7), SO_SNDTIMEO).
        let left = patience.saturating_sub(start.elapsed()).max(Duration::from_millis(1));
        socket.set_write_timeout(Some(left))?;
        match socket.send_to(message, Path::new(SOCKET)) {
            // PostgreSQL may be sent signals.
            Err(error) if error.kind() == ErrorKind::Interrupted && start.elapsed() < patience => {}
            sent => return sent,
        }
    }
}

/// The name of the program that loaded us, such as `postgres`.
fn program() -> String {
    let name = system::program_name();
    let name = String::from_utf8_lossy(&name);
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let name: String = name.chars().filter(plain).collect();
    if name.is_empty() { "pam".to_owned() } else { name }
}
