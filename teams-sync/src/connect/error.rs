//! Why there is no connection: what happened, at which server, what to do.
//!
//! In: errors of tokio-postgres, whose own text is no more than "db error". Out: a
//! [`ConnectError`] of one kind. Text of servers is escaped; passwords are never in it.

use std::error::Error;
use std::fmt::Write as _;
use std::io;

/// No session could be opened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text}")]
pub struct ConnectError {
    kind: ConnectErrorKind,
    sqlstate: Option<String>,
    text: String,
}

/// What stands in the way.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ConnectErrorKind {
    /// No such host, nobody listens, the connection breaks off, no answer in time.
    Unreachable,
    /// The server has no TLS, or its certificate does not do.
    Tls,
    /// SQLSTATE class 28, no password at hand, or the server does not prove that it knows it.
    Authentication,
    /// Every server that answered is read-only: a standby, as a rule.
    ReadOnly,
    /// The server is starting up, shutting down or out of something: 57P01 to 57P03, class 53.
    Busy,
    /// A file that the connection string names cannot be used.
    Files,
    /// Anything else that the server says, such as that there is no such database.
    Refused,
}

impl ConnectErrorKind {
    /// May it be different next time, with nobody changing any settings?
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Unreachable | Self::ReadOnly | Self::Busy)
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Unreachable => "check host and port, and that PostgreSQL listens there",
            Self::Tls => {
                "check sslmode, sslrootcert and the certificate of the server (names in it count \
                 only as subject alternative names)"
            }
            Self::Authentication => "check the user, its password, and pg_hba.conf of the server",
            Self::ReadOnly => {
                "name the primary among the hosts, or set target_session_attrs=any to only read"
            }
            Self::Busy => "try again later; where connections are too many, raise that limit",
            Self::Files => "check the files that the connection string names",
            Self::Refused => "check the connection string and the log of the server",
        }
    }
}

impl ConnectError {
    /// What stands in the way. Of several servers, what is closest to a connection.
    #[must_use]
    pub fn kind(&self) -> ConnectErrorKind {
        self.kind
    }

    /// May it be different next time, with nobody changing any settings?
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.kind.is_transient()
    }

    /// What the server gave as SQLSTATE, for instance 3D000 for a database that is not there.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        self.sqlstate.as_deref()
    }

    pub(super) fn files(problem: &str) -> Self {
        // Each of these problems says itself what to do.
        Self {
            kind: ConnectErrorKind::Files,
            sqlstate: None,
            text: format!("cannot connect: {problem}"),
        }
    }

    /// One error of what went wrong at each server.
    pub(super) fn of(database: &str, failures: &[Failure]) -> Self {
        let decisive = failures.iter().max_by_key(|failure| failure.weight());
        let kind = decisive.map_or(ConnectErrorKind::Unreachable, |failure| failure.kind);
        let mut text = format!("cannot connect to database \"{}\"", database.escape_debug());
        for (i, failure) in failures.iter().enumerate() {
            let separator = if i == 0 { " at " } else { "; at " };
            let _ = write!(text, "{separator}{}: {}", failure.server, failure.text);
        }
        let _ = write!(text, "; {}", kind.advice());
        Self { kind, sqlstate: decisive.and_then(|failure| failure.sqlstate.clone()), text }
    }
}

/// What went wrong at one server.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) server: String,
    pub(super) kind: ConnectErrorKind,
    pub(super) sqlstate: Option<String>,
    pub(super) text: String,
}

impl Failure {
    pub(super) fn new(server: &str, kind: ConnectErrorKind, text: impl Into<String>) -> Self {
        Self { server: server.into(), kind, sqlstate: None, text: text.into() }
    }

    pub(super) fn of(server: &str, error: &tokio_postgres::Error) -> Self {
        Self {
            kind: kind(error),
            sqlstate: error.code().map(|code| code.code().to_owned()),
            ..Self::new(server, ConnectErrorKind::Refused, describe(error))
        }
    }

    /// A server that has looked at the login and refused it decides for all servers: others
    /// are not tried (section 34.1.1.3), lest one mistake count as several failed logins.
    pub(super) fn is_final(&self) -> bool {
        match self.kind {
            ConnectErrorKind::Authentication => true,
            // Without a code, it was no PostgreSQL that said it.
            ConnectErrorKind::Refused => self.sqlstate.is_some(),
            ConnectErrorKind::Unreachable
            | ConnectErrorKind::Tls
            | ConnectErrorKind::ReadOnly
            | ConnectErrorKind::Busy
            | ConnectErrorKind::Files => false,
        }
    }

    /// The further it got, the more it says.
    fn weight(&self) -> u8 {
        match self.kind {
            ConnectErrorKind::Unreachable | ConnectErrorKind::Files => 0,
            ConnectErrorKind::Tls => 1,
            ConnectErrorKind::ReadOnly => 2,
            ConnectErrorKind::Busy => 3,
            ConnectErrorKind::Refused => 4,
            ConnectErrorKind::Authentication => 5,
        }
    }
}

/// tokio-postgres keeps its kinds to itself; what it tells apart, it tells by these texts.
/// The tests talk to servers that fail in each of these ways, so that a new text shows.
fn kind(error: &tokio_postgres::Error) -> ConnectErrorKind {
    if let Some(code) = error.code() {
        return match code.code() {
            code if code.starts_with("28") => ConnectErrorKind::Authentication,
            // Out of something, shutting down, or starting up.
            "57P01" | "57P02" | "57P03" => ConnectErrorKind::Busy,
            code if code.starts_with("53") => ConnectErrorKind::Busy,
            _ => ConnectErrorKind::Refused,
        };
    }
    let causes: Vec<_> = chain(error).collect();
    if causes.iter().any(|cause| cause.is::<rustls::Error>()) {
        return ConnectErrorKind::Tls;
    }
    match error.to_string().as_str() {
        "error performing TLS handshake" => ConnectErrorKind::Tls,
        "authentication error" => ConnectErrorKind::Authentication,
        "invalid configuration" => ConnectErrorKind::Authentication, // "password missing"
        "error parsing response from server" | "unexpected message from server" => {
            ConnectErrorKind::Refused
        }
        // Said of a standby, with the kind that a socket without permission also has.
        _ if causes.iter().any(|cause| {
            cause.downcast_ref::<io::Error>().is_some_and(|error| {
                error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
            })
        }) =>
        {
            ConnectErrorKind::ReadOnly
        }
        _ => ConnectErrorKind::Unreachable,
    }
}

/// All that is known about an error of tokio-postgres, in one line without control characters.
#[must_use]
pub fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        let mut text = escaped(error.message());
        for more in [error.detail(), error.hint()].into_iter().flatten() {
            let _ = write!(text, " ({})", escaped(more));
        }
        let _ = write!(text, " (SQLSTATE {})", escaped(error.code().code()));
        return text;
    }
    let mut parts: Vec<String> = Vec::new();
    for part in chain(error).map(|cause| escaped(&cause.to_string())) {
        // An io::Error that wraps another error says the same as that.
        if parts.last() != Some(&part) {
            parts.push(part);
        }
    }
    parts.join(": ")
}

/// The error and its causes. `io::Error::source` skips the error that it wraps.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        }
    })
}

/// Like `escape_debug`, but quotes stay as they are: they break no line.
pub(super) fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut escaped, c| {
        match c {
            '"' | '\'' => escaped.push(c),
            c => escaped.extend(c.escape_debug()),
        }
        escaped
    })
}
