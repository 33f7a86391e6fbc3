//! What the values of a connection string mean, and which of them exclude each other.
//!
//! In: one value per key. Out: a [`Dsn`]. Defaults are those of libpq where nothing else is
//! said. PostgreSQL documentation, section 34.1.2; for TLS also 34.19.

use super::error::DsnError;
use super::hosts;
use super::keys::Settings;
use super::{Dsn, Password};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::config::{ChannelBinding, TargetSessionAttrs};

const APPLICATION_NAME: &str = "teams-sync";

/// How much of TLS has to be there. `allow` counts as `prefer`: it asks for no more, and a
/// server that allows both is better talked to in private.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::connect) enum SslMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// What a server certificate has to lead back to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::connect) enum RootCertificates {
    /// `~/.postgresql/root.crt`, if it exists.
    Default,
    /// Those of the operating system.
    System,
    File(PathBuf),
}

/// Everything that a TLS handshake needs from the connection string.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::connect) struct TlsSettings {
    pub(in crate::connect) mode: SslMode,
    pub(in crate::connect) roots: RootCertificates,
    pub(in crate::connect) certificate: Option<PathBuf>,
    pub(in crate::connect) key: Option<PathBuf>,
    /// `~/.postgresql`, where libpq looks for what is not named.
    pub(in crate::connect) folder: Option<PathBuf>,
    pub(in crate::connect) server_name_indication: bool,
    pub(in crate::connect) at_least_1_3: bool,
    /// `sslnegotiation=direct`, for PostgreSQL 17 and later.
    pub(in crate::connect) direct: bool,
}

/// How to notice that the other end of a TCP connection is gone (tcp(7)).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::connect) struct Keepalives {
    pub(in crate::connect) enabled: bool,
    pub(in crate::connect) idle: Duration,
    pub(in crate::connect) interval: Duration,
    pub(in crate::connect) count: u32,
    /// Without it, as long as the system waits.
    pub(in crate::connect) user_timeout: Option<Duration>,
}

/// Where nothing is said, libpq leaves it to the system, which takes hours: so long would a server that
/// lost its power, or a network that was cut, hold up a sync. An answer may take as long as it wants, as
/// the system of a server that is there answers these; a server that does not read for so long what is
/// written to it is given up on as well.
impl Default for Keepalives {
    fn default() -> Self {
        Self {
            enabled: true,
            idle: Duration::from_secs(5),
            interval: Duration::from_secs(5),
            count: 3,
            user_timeout: Some(Duration::from_secs(20)),
        }
    }
}

/// Probes that are not positive are not said, as in libpq. Who is written to has as long to answer as who
/// is probed, unless `tcp_user_timeout` says otherwise; 0 is the system's time, as in libpq.
fn keepalives(settings: &Settings) -> Result<Keepalives, DsnError> {
    let default = Keepalives::default();
    let number = |key| Ok::<_, DsnError>(settings.number(key)?.and_then(positive));
    let enabled = settings.number("keepalives")? != Some(0);
    let idle = number("keepalives_idle")?.map_or(default.idle, seconds);
    let interval = number("keepalives_interval")?.map_or(default.interval, seconds);
    let count = number("keepalives_count")?.unwrap_or(default.count);
    let user_timeout = match settings.number("tcp_user_timeout")? {
        Some(given) => positive(given).map(|own| Duration::from_millis(own.into())),
        None => enabled.then(|| idle.saturating_add(interval.saturating_mul(count))),
    };
    Ok(Keepalives { enabled, idle, interval, count, user_timeout })
}

pub(super) fn interpret(
    settings: &Settings,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Dsn, DsnError> {
    let home = environment("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let endpoints = hosts::endpoints(settings)?;
    // Among several servers, the one that can be written to is meant: that is what we do.
    let session = match session(settings)? {
        Some(session) => session,
        None if endpoints.len() > 1 => TargetSessionAttrs::ReadWrite,
        None => TargetSessionAttrs::Any,
    };
    let application_name = settings
        .given("application_name")
        .or_else(|| settings.given("fallback_application_name"))
        .map_or(APPLICATION_NAME, |setting| &setting.value);
    Ok(Dsn {
        endpoints,
        random_order: settings
            .word("load_balance_hosts", &[("disable", false), ("random", true)])?
            .unwrap_or(false),
        session,
        user: settings.text("user"),
        user_hint: environment("USER").filter(|user| !user.is_empty()),
        password: settings.text("password").map(Password),
        password_file: settings
            .text("passfile")
            .map(PathBuf::from)
            .or_else(|| home.as_ref().map(|home| home.join(".pgpass"))),
        database: settings.text("dbname"),
        tls: tls(settings, home.map(|home| home.join(".postgresql")))?,
        channel_binding: settings
            .word(
                "channel_binding",
                &[
                    ("disable", ChannelBinding::Disable),
                    ("prefer", ChannelBinding::Prefer),
                    ("require", ChannelBinding::Require),
                ],
            )?
            .unwrap_or(ChannelBinding::Prefer),
        // Zero, negative: without limit, as in libpq. The caller's own limit holds anyway.
        connect_timeout: settings.number("connect_timeout")?.and_then(positive).map(seconds),
        keepalives: keepalives(settings)?,
        application_name: Some(application_name.to_owned()).filter(|name| !name.is_empty()),
        options: settings.text("options"),
    })
}

/// `primary` and `standby` are asked for as what they are to us: can it be written to?
fn session(settings: &Settings) -> Result<Option<TargetSessionAttrs>, DsnError> {
    settings.word(
        "target_session_attrs",
        &[
            ("any", TargetSessionAttrs::Any),
            ("read-write", TargetSessionAttrs::ReadWrite),
            ("primary", TargetSessionAttrs::ReadWrite),
            ("read-only", TargetSessionAttrs::ReadOnly),
            ("standby", TargetSessionAttrs::ReadOnly),
        ],
    )
}

fn tls(settings: &Settings, folder: Option<PathBuf>) -> Result<TlsSettings, DsnError> {
    let mode = settings.word(
        "sslmode",
        &[
            ("disable", SslMode::Disable),
            ("allow", SslMode::Prefer),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ],
    )?;
    let roots = match settings.text("sslrootcert") {
        None => RootCertificates::Default,
        Some(system) if system == "system" => RootCertificates::System,
        Some(file) => RootCertificates::File(file.into()),
    };
    let mode = match (mode, &roots) {
        (None, RootCertificates::System) => SslMode::VerifyFull,
        (None, _) => SslMode::Prefer,
        // Anybody can have a certificate of a public authority: without the name it says nothing.
        (Some(mode), RootCertificates::System) if mode != SslMode::VerifyFull => {
            return Err(DsnError::Conflict(format!(
                "sslmode {mode} is too weak for sslrootcert=system; use verify-full, or leave \
                 sslmode out"
            )));
        }
        (Some(mode), _) => mode,
    };
    let direct =
        settings.word("sslnegotiation", &[("postgres", false), ("direct", true)])?.unwrap_or(false);
    if direct && matches!(mode, SslMode::Disable | SslMode::Prefer) {
        return Err(DsnError::Conflict(format!(
            "sslmode {mode} is too weak for sslnegotiation=direct; use require, verify-ca or \
             verify-full"
        )));
    }
    Ok(TlsSettings {
        mode,
        roots,
        certificate: settings.text("sslcert").map(PathBuf::from),
        key: settings.text("sslkey").map(PathBuf::from),
        folder,
        server_name_indication: settings
            .word("sslsni", &[("0", false), ("1", true)])?
            .unwrap_or(true),
        at_least_1_3: settings
            .word("ssl_min_protocol_version", &[("TLSv1.2", false), ("TLSv1.3", true)])?
            .unwrap_or(false),
        direct,
    })
}

fn positive(number: i32) -> Option<u32> {
    u32::try_from(number).ok().filter(|number| *number != 0)
}

fn seconds(number: u32) -> Duration {
    Duration::from_secs(number.into())
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        })
    }
}
