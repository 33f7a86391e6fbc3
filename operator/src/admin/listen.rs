//! Listening on `api_port`: heads, connections and time are limited by the port that teams-sync
//! answers on, too.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use teams_sync::service::listen::Listening;

use super::api::Admin;

/// The port cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("the port {} of api_port is taken: {source}; choose another one, or end whatever listens on it", .address.port())]
    Taken { address: SocketAddr, source: io::Error },
    #[error("api_port {} cannot be listened on: {source}", .address.port())]
    Other { address: SocketAddr, source: io::Error },
}

/// All addresses of this machine: what `api_port` alone means.
pub fn everywhere(port: u16) -> SocketAddr {
    (Ipv6Addr::UNSPECIFIED, port).into()
}

/// Listens until the result is dropped. With port 0 the system chooses one. Where the machine has
/// no IPv6, [`everywhere`] is every address of IPv4.
pub async fn listen(address: SocketAddr, admin: &Arc<Admin>) -> Result<Listening, ListenError> {
    let mut result = Listening::start(address, admin).await;
    let has_no_ipv6 = |error: &io::Error| {
        error.kind() == io::ErrorKind::AddrNotAvailable
            || error.kind() == io::ErrorKind::Unsupported
            || error.raw_os_error() == Some(EAFNOSUPPORT)
    };
    if address.ip() == Ipv6Addr::UNSPECIFIED && result.as_ref().is_err_and(has_no_ipv6) {
        result = Listening::start((Ipv4Addr::UNSPECIFIED, address.port()).into(), admin).await;
    }
    let listening = result.map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => ListenError::Taken { address, source },
        _ => ListenError::Other { address, source },
    })?;
    tracing::info!(address = %listening.address(), "HTTP API is up");
    Ok(listening)
}

/// Linux has no IPv6 at all.
const EAFNOSUPPORT: i32 = 97;
