//! Servers tried one after the other, until one lets us in.
//!
//! In: a connection string and a database. Out: a [`Session`], or what went wrong at each
//! server. Names are resolved here and every address is an attempt of its own, so that a
//! message can say which one it was, and so that the time limit of the connection string counts
//! per address with TLS and login in it (PostgreSQL documentation, section 34.1.1.3).
//! It never tries a login again that a server has refused.

use super::conninfo::{Dsn, Endpoint, Place, SslMode};
use super::error::{ConnectError, ConnectErrorKind, Failure, escaped};
use super::password_file::PasswordFile;
use super::{Session, os_user, password_file, tls};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tokio_postgres::config::SslNegotiation;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How far it has come: what a total time limit that strikes can still tell.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) failures: Vec<Failure>,
    pub(super) server: Option<String>,
}

/// What the file system has to say, read once for all servers.
struct Local {
    /// None only if sslmode is disable or if every server is a Unix socket.
    tls: Option<MakeRustlsConnect>,
    passwords: PasswordFile,
    user: Option<String>,
}

impl Local {
    fn read(dsn: &Dsn) -> Result<Self, ConnectError> {
        let over_tcp = dsn.endpoints.iter().any(|e| matches!(e.place, Place::Host(..)));
        let tls = match over_tcp && dsn.tls.mode != SslMode::Disable {
            true => Some(tls::client_config(&dsn.tls).map_err(|e| ConnectError::files(&e))?),
            false => None,
        };
        let passwords = match (&dsn.password, &dsn.password_file) {
            (None, Some(path)) => password_file::read(path),
            (None, None) => PasswordFile::absent(),
            (Some(_), _) => PasswordFile::default(),
        };
        let user = dsn.user.clone().or_else(os_user::name).or_else(|| dsn.user_hint.clone());
        Ok(Self { tls: tls.map(MakeRustlsConnect::new), passwords, user })
    }
}

pub(super) async fn connect(
    dsn: &Dsn,
    database: &str,
    limit: Duration,
    progress: &mut Progress,
) -> Result<Session, ConnectError> {
    let end = Instant::now() + limit;
    let for_files = dsn.clone();
    // Files can be slow, and the limit has to hold.
    let local = tokio::task::spawn_blocking(move || Local::read(&for_files))
        .await
        .map_err(|_| ConnectError::files("reading certificates and passwords broke off"))??;
    let mut endpoints_left = dsn.endpoints.len();
    for endpoint in shuffled(dsn.endpoints.clone(), dsn.random_order) {
        endpoints_left = endpoints_left.saturating_sub(1);
        let addresses = match addresses(dsn, &endpoint, progress).await {
            Ok(addresses) => addresses,
            Err(failure) => {
                progress.failures.push(failure);
                continue;
            }
        };
        let mut left = addresses.len().saturating_add(endpoints_left);
        for address in shuffled(addresses, dsn.random_order) {
            // A server that accepts and says nothing has its fair share of the time, and no more:
            // the primary may be the next one.
            let share = end.saturating_duration_since(Instant::now())
                / u32::try_from(left).unwrap_or(1).max(1);
            let time = dsn.connect_timeout.map_or(share, |own| own.min(share));
            left = left.saturating_sub(1);
            let server = describe(&endpoint, address);
            progress.server = Some(server.clone());
            let config = config(dsn, &local, &endpoint, address, database);
            match within(Some(time), negotiate(dsn, &local, &config, &server)).await {
                Ok(Ok(session)) => return Ok(session),
                Ok(Err(failure)) => progress.failures.push(failure),
                Err(TooLate(limit)) => progress.failures.push(Failure::new(
                    &server,
                    ConnectErrorKind::Unreachable,
                    format!("no connection within {limit:.1?}"),
                )),
            }
            if progress.failures.last().is_some_and(Failure::is_final) {
                return Err(ConnectError::of(database, &progress.failures));
            }
        }
    }
    Err(ConnectError::of(database, &progress.failures))
}

/// `None` is a Unix socket, which has no address.
async fn addresses(
    dsn: &Dsn,
    endpoint: &Endpoint,
    progress: &mut Progress,
) -> Result<Vec<Option<IpAddr>>, Failure> {
    let (name, address) = match &endpoint.place {
        Place::Socket(_) => return Ok(vec![None]),
        Place::Host(name, address) => (name, address),
    };
    if let Some(address) = address {
        return Ok(vec![Some(*address)]);
    }
    let server = endpoint.to_string();
    progress.server = Some(server.clone());
    let failed = |text| Failure::new(&server, ConnectErrorKind::Unreachable, text);
    let lookup = tokio::net::lookup_host((name.as_str(), endpoint.port));
    let found = match within(dsn.connect_timeout, lookup).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            return Err(failed(format!("the host name cannot be resolved: {error}")));
        }
        Err(TooLate(limit)) => {
            return Err(failed(format!("the host name is not resolved within {limit:?}")));
        }
    };
    let mut addresses = Vec::new();
    for address in found.map(|found| Some(found.ip())) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    match addresses.is_empty() {
        true => Err(failed("the host name has no address".into())),
        false => Ok(addresses),
    }
}

fn describe(endpoint: &Endpoint, address: Option<IpAddr>) -> String {
    match (&endpoint.place, address) {
        (Place::Host(name, _), Some(address)) if *name != address.to_string() => {
            format!("{endpoint} ({address})")
        }
        _ => endpoint.to_string(),
    }
}

/// What tokio-postgres needs for exactly one address.
fn config(
    dsn: &Dsn,
    local: &Local,
    endpoint: &Endpoint,
    address: Option<IpAddr>,
    database: &str,
) -> Config {
    let mut config = Config::new();
    match &endpoint.place {
        Place::Socket(folder) => {
            config.host_path(Endpoint::socket_folder(folder));
        }
        Place::Host(name, _) => {
            config.host(name);
        }
    }
    if let Some(address) = address {
        config.hostaddr(address);
    }
    config
        .port(endpoint.port)
        .dbname(database)
        .target_session_attrs(dsn.session)
        .channel_binding(dsn.channel_binding)
        .keepalives(dsn.keepalives.enabled);
    if let Some(user) = &local.user {
        config.user(user);
    }
    let from_file = || {
        let host = endpoint.name_in_password_file();
        local.passwords.find(host, endpoint.port, database, local.user.as_deref()?)
    };
    match &dsn.password {
        Some(password) => {
            config.password(&password.0);
        }
        None => {
            if let Some(password) = from_file() {
                config.password(password);
            }
        }
    }
    if let Some(name) = &dsn.application_name {
        config.application_name(name);
    }
    if let Some(options) = &dsn.options {
        config.options(options);
    }
    config
        .keepalives_idle(dsn.keepalives.idle)
        .keepalives_interval(dsn.keepalives.interval)
        .keepalives_retries(dsn.keepalives.count);
    if let Some(timeout) = dsn.keepalives.user_timeout {
        config.tcp_user_timeout(timeout);
    }
    config
}

/// With TLS, without, or first with and then without, as `sslmode` has it (section 34.19.3).
async fn negotiate(
    dsn: &Dsn,
    local: &Local,
    config: &Config,
    server: &str,
) -> Result<Session, Failure> {
    let mut config = config.clone();
    let over_tcp = !config.get_hostaddrs().is_empty();
    // TLS on a Unix socket is what neither side of PostgreSQL knows.
    let with_tls = match (&local.tls, over_tcp) {
        (Some(tls), true) => tls::Connector::new(tls),
        _ => return without_tls(&mut config, local, server).await,
    };
    let prefer = dsn.tls.mode == SslMode::Prefer;
    config.ssl_mode(match prefer {
        true => tokio_postgres::config::SslMode::Prefer,
        false => tokio_postgres::config::SslMode::Require,
    });
    if dsn.tls.direct {
        config.ssl_negotiation(SslNegotiation::Direct);
    }
    match Session::open(&config, with_tls.clone(), server).await {
        Ok(session) => Ok(session),
        Err(error) => {
            let failure = explain(&error, local, &config, server);
            let other_without_tls = failure.kind == ConnectErrorKind::Tls
                || with_tls.was_used() && failure.sqlstate.as_deref() == Some("28000");
            if !(prefer && other_without_tls) {
                return Err(failure);
            }
            without_tls(&mut config, local, server).await.map_err(|second| Failure {
                text: format!("with TLS: {}; without TLS: {}", failure.text, second.text),
                ..second
            })
        }
    }
}

async fn without_tls(config: &mut Config, local: &Local, server: &str) -> Result<Session, Failure> {
    config.ssl_mode(tokio_postgres::config::SslMode::Disable);
    let opened = Session::open(config, NoTls, server).await;
    opened.map_err(|error| explain(&error, local, config, server))
}

fn explain(error: &tokio_postgres::Error, local: &Local, config: &Config, server: &str) -> Failure {
    let mut failure = Failure::of(server, error);
    // With some methods the server learns the password, and it can say what it wants. A few
    // letters protect nothing, and without them no message would be legible.
    if let Some(password) = config
        .get_password()
        .and_then(|password| std::str::from_utf8(password).ok())
        .filter(|password| password.len() > 3)
    {
        failure.text = failure.text.replace(&escaped(password), "***");
    }
    let wanted_password = error.to_string() == "invalid configuration";
    if wanted_password && config.get_password().is_none() {
        failure.text = "the server asks for a password; there is none in the connection string or \
                        PGPASSWORD"
            .into();
        if let Some(problem) = &local.passwords.problem {
            failure.text.push_str(", and ");
            failure.text.push_str(problem);
        } else {
            failure.text.push_str(", and none in the password file for this server");
        }
    }
    failure
}

struct TooLate(Duration);

async fn within<F: Future>(limit: Option<Duration>, future: F) -> Result<F::Output, TooLate> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, future).await.map_err(|_| TooLate(limit)),
        None => Ok(future.await),
    }
}

/// In random order, if that is wanted. Without randomness the order stays: any order is right.
fn shuffled<T>(mut items: Vec<T>, random: bool) -> Vec<T> {
    if random {
        let source = SystemRandom::new();
        for last in (1..items.len()).rev() {
            let mut bytes = [0; 4];
            if source.fill(&mut bytes).is_ok() {
                let any = usize::try_from(u32::from_ne_bytes(bytes)).unwrap_or(0);
                items.swap(last, any % (last + 1));
            }
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_postgres::config::{ChannelBinding, Host, TargetSessionAttrs};

    #[test]
    fn everything_arrives_at_tokio_postgres() {
        let dsn = Dsn::parse(
            "host=h port=77 dbname=other password=p options='-c a=b' application_name=name \
             channel_binding=require target_session_attrs=read-only keepalives_idle=60 \
             keepalives_interval=5 keepalives_count=3 tcp_user_timeout=1500",
            &|_| None,
        )
        .unwrap();
        let passwords = PasswordFile::absent();
        let local = Local { tls: None, passwords, user: Some("u".into()) };
        let address = "10.0.0.1".parse().unwrap();
        let config = config(&dsn, &local, &dsn.endpoints[0], Some(address), "db");
        assert_eq!(config.get_hosts(), [Host::Tcp("h".into())]);
        assert_eq!((config.get_hostaddrs(), config.get_ports()), (&[address][..], &[77][..]));
        assert_eq!((config.get_dbname(), config.get_user()), (Some("db"), Some("u")));
        assert_eq!(config.get_password(), Some(&b"p"[..]));
        assert_eq!(config.get_options(), Some("-c a=b"));
        assert_eq!(config.get_application_name(), Some("name"));
        assert_eq!(config.get_channel_binding(), ChannelBinding::Require);
        assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadOnly);
        assert!(config.get_keepalives());
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(60));
        assert_eq!(config.get_keepalives_interval(), Some(Duration::from_secs(5)));
        assert_eq!(config.get_keepalives_retries(), Some(3));
        assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_millis(1500)));
    }
}
