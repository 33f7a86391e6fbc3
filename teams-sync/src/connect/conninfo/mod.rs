//! Where PostgreSQL is and how to log in: a connection string as libpq takes it.
//!
//! In: the text, a key=value string or a URI, and the environment as a function. Out: a
//! [`Dsn`], every value checked. It reads no file, asks no network, and its messages never show
//! a password. What libpq has and we have not is an error, never silence.
//! PostgreSQL documentation, section 34.1.

mod error;
mod hosts;
mod keys;
mod pairs;
mod settings;
mod uri;

pub use error::DsnError;
pub(super) use hosts::{Endpoint, Place};
pub(super) use settings::{Keepalives, RootCertificates, SslMode, TlsSettings};

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::config::{ChannelBinding, TargetSessionAttrs};

/// A checked connection string. Neither `Display` nor `Debug` shows the password.
#[derive(Clone, Eq, PartialEq)]
pub struct Dsn {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) random_order: bool,
    pub(super) session: TargetSessionAttrs,
    pub(super) user: Option<String>,
    /// `USER`: who we probably are, for systems that do not say.
    pub(super) user_hint: Option<String>,
    pub(super) password: Option<Password>,
    pub(super) password_file: Option<PathBuf>,
    database: Option<String>,
    pub(super) tls: TlsSettings,
    pub(super) channel_binding: ChannelBinding,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) keepalives: Keepalives,
    pub(super) application_name: Option<String>,
    pub(super) options: Option<String>,
}

/// A text that does not show itself.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Password(pub(super) String);

impl Dsn {
    /// Reads `text`; `environment` gives what it leaves out (`PGHOST` and so on, `HOME` for the
    /// default files, `USER`).
    ///
    /// # Errors
    /// Names the key or the variable that cannot be used, and says what would do.
    pub fn parse(
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, DsnError> {
        // A URI has no blanks, but the file it comes from may end with a newline.
        let pairs = match uri::strip_scheme(text.trim_ascii()) {
            Some(rest) => uri::parse(rest)?,
            None => pairs::parse(text)?,
        };
        settings::interpret(&keys::Settings::collect(pairs, environment)?, environment)
    }

    /// The database it names, if any.
    #[must_use]
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// The role it logs in as, if it names one; otherwise that of the operating system's user.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }
}

/// For messages: where it goes and as whom, not a complete connection string.
impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, endpoint) in self.endpoints.iter().enumerate() {
            write!(f, "{}{endpoint}", if i == 0 { "" } else { "," })?;
        }
        if let Some(database) = &self.database {
            write!(f, " dbname={}", database.escape_debug())?;
        }
        if let Some(user) = &self.user {
            write!(f, " user={}", user.escape_debug())?;
        }
        write!(f, " sslmode={}", self.tls.mode)
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dsn({self})")
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}
