//! The servers of a connection string: lists of hosts, addresses and ports, laid side by side.
//!
//! In: the keys `host`, `hostaddr` and `port`. Out: one [`Endpoint`] per host, in order. It
//! resolves no name. PostgreSQL documentation, section 34.1.1.3.

use super::error::DsnError;
use super::keys::Settings;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// Where Debian and Red Hat build libpq to look for the socket.
const DEFAULT_FOLDER: &str = "/var/run/postgresql";
const DEFAULT_PORT: u16 = 5432;

/// One server to try.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::connect) struct Endpoint {
    pub(in crate::connect) place: Place,
    pub(in crate::connect) port: u16,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::connect) enum Place {
    /// The folder of a Unix socket, or `@` and an abstract name.
    Socket(String),
    /// A name, and where it is if that was given.
    Host(String, Option<IpAddr>),
}

impl Endpoint {
    /// What the password file calls this host (section 34.16).
    pub(in crate::connect) fn name_in_password_file(&self) -> &str {
        match &self.place {
            Place::Socket(folder) if folder == DEFAULT_FOLDER => "localhost",
            Place::Socket(folder) => folder,
            Place::Host(name, _) => name,
        }
    }

    /// The folder as the operating system wants it: an abstract name starts with a zero byte.
    pub(in crate::connect) fn socket_folder(folder: &str) -> PathBuf {
        match folder.strip_prefix('@') {
            Some(name) => PathBuf::from(format!("\0{name}")),
            None => PathBuf::from(folder),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Socket(folder) => {
                write!(f, "{}/.s.PGSQL.{}", folder.escape_debug(), self.port)
            }
            Place::Host(name, _) if name.contains(':') => {
                write!(f, "[{}]:{}", name.escape_debug(), self.port)
            }
            Place::Host(name, _) => write!(f, "{}:{}", name.escape_debug(), self.port),
        }
    }
}

pub(super) fn endpoints(settings: &Settings) -> Result<Vec<Endpoint>, DsnError> {
    let list = |key: &str| -> Vec<&str> {
        settings.get(key).map(|setting| setting.value.split(',').collect()).unwrap_or_default()
    };
    let (hosts, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        return Err(DsnError::Conflict(format!(
            "host names {} servers and hostaddr {}; give both lists the same length",
            hosts.len(),
            addresses.len()
        )));
    }
    let count = hosts.len().max(addresses.len()).max(1);
    if ports.len() > 1 && ports.len() != count {
        return Err(DsnError::Conflict(format!(
            "there are {} ports for {count} hosts; give one port, or one for each host",
            ports.len()
        )));
    }
    (0..count)
        .map(|i| {
            let port = if ports.len() > 1 { ports.get(i) } else { ports.first() };
            Ok(Endpoint {
                place: place(
                    settings,
                    hosts.get(i).copied().unwrap_or(""),
                    addresses.get(i).copied().unwrap_or(""),
                )?,
                port: self::port(settings, port.copied().unwrap_or(""))?,
            })
        })
        .collect()
}

fn place(settings: &Settings, host: &str, address: &str) -> Result<Place, DsnError> {
    if !address.is_empty() {
        let address: IpAddr = address.parse().map_err(|_| {
            let text = format!("has {address:?}, which is no IPv4 or IPv6 address");
            value_error(settings, "hostaddr", text)
        })?;
        // The address decides where to go; the name is for certificates and the password file.
        let name =
            if host.is_empty() || is_socket(host) { address.to_string() } else { host.into() };
        return Ok(Place::Host(name, Some(address)));
    }
    if host.is_empty() {
        return Ok(Place::Socket(DEFAULT_FOLDER.into()));
    }
    if is_socket(host) {
        return Ok(Place::Socket(host.into()));
    }
    if host.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(value_error(settings, "host", "has blanks in a host name".into()));
    }
    Ok(Place::Host(host.into(), None))
}

fn is_socket(host: &str) -> bool {
    host.starts_with(['/', '@'])
}

fn port(settings: &Settings, text: &str) -> Result<u16, DsnError> {
    if text.is_empty() {
        return Ok(DEFAULT_PORT);
    }
    // The value is not shown: in a URI whose password has a raw "/", this is the password.
    text.trim().parse().ok().filter(|port| *port != 0).ok_or_else(|| {
        value_error(
            settings,
            "port",
            "is not a number from 1 to 65535 (in a URI: write / and : in a password as %2F and %3A)"
                .into(),
        )
    })
}

fn value_error(settings: &Settings, key: &str, reason: String) -> DsnError {
    match settings.given(key) {
        Some(setting) => setting.error(reason),
        None => DsnError::Value { name: key.into(), reason },
    }
}
