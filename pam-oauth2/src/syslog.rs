//! One line to the syslog daemon, or none: never a wait.
//!
//! syslog(3) and pam_syslog(3) write to a blocking socket. A daemon that is alive but does not
//! read (stopped, deadlocked, its disk full) fills the queue of the socket after a dozen lines,
//! and from then on every login of the machine would hang for as long as it pleases, beyond
//! any deadline. So the datagram is sent without waiting, and lost where nobody takes it; the
//! line in PostgreSQL's log remains.

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::files;

/// `_PATH_LOG` of <paths.h>.
const SOCKET: &str = "/dev/log";
/// The facility `authpriv` (RFC 3164 section 4.1.1), for what is not for everybody to read.
const AUTHPRIV: u8 = 10;

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
    let _lost_if_nobody_takes_it = UnixDatagram::unbound().and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.send_to(message.as_bytes(), Path::new(SOCKET))
    });
}

/// The name of the program that loaded us, such as `postgres`; proc(5).
fn program() -> String {
    let name = files::read(Path::new("/proc/self/comm"), 64).unwrap_or_default();
    let name = String::from_utf8_lossy(&name);
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let name: String = name.chars().filter(plain).collect();
    if name.is_empty() { "pam".to_owned() } else { name }
}
