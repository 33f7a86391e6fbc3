//! Whose a connection is that comes from this machine (proc_pid_net(5): `tcp`, `tcp6`).
//!
//! The link of a login is in the list of processes, so another user of this machine could follow it and
//! bring the code of a login of his own.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpStream};

use crate::system;

/// Who is at the other end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Owner {
    User(u32),
    /// Its socket was closed, so nobody is there for an answer.
    Gone,
    /// Of no process of this kernel: a browser outside of a virtual machine.
    Unknown,
}

/// Whether it is this user, or root. Where it cannot be told, it may be.
pub(super) fn may_be_ours(browser: &TcpStream) -> bool {
    let (Ok(theirs), Ok(ours)) = (browser.peer_addr(), browser.local_addr()) else { return false };
    let owners = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| {
        let table = fs::read_to_string(path).unwrap_or_default();
        owner(&table, theirs, ours)
    });
    match owners.into_iter().find(|owner| *owner != Owner::Unknown) {
        Some(Owner::User(user)) => [0, system::effective_user()].contains(&user),
        Some(Owner::Gone) => false,
        // Who hung up before we looked has no socket either.
        Some(Owner::Unknown) | None => browser.peer_addr().is_ok(),
    }
}

fn owner(table: &str, local: SocketAddr, remote: SocketAddr) -> Owner {
    let found = table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, from, to, _, _, _, _, user, _, inode, ..] = words.as_slice() else { return None };
        let is_it = address(from)? == canonical(local) && address(to)? == canonical(remote);
        is_it.then(|| {
            if *inode == "0" { Some(Owner::Gone) } else { user.parse().ok().map(Owner::User) }
        })
    });
    found.flatten().unwrap_or(Owner::Unknown)
}

/// `0100007F:1F90`: words of 32 bits in the byte order of this machine, and the port.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    let mut bytes = Vec::new();
    for start in (0..address.len()).step_by(8) {
        let word = u32::from_str_radix(address.get(start..start + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let address = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(bytes) => IpAddr::from(bytes),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?),
    };
    Some((address.to_canonical(), u16::from_str_radix(port, 16).ok()?))
}

fn canonical(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

    use super::*;

    #[test]
    fn a_connection_of_this_user_is_ours_and_that_of_another_is_told() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let browser = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert!(may_be_ours(&accepted));
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let (theirs, ours) = (browser.local_addr().unwrap(), browser.peer_addr().unwrap());
        assert_eq!(owner(&table, theirs, ours), Owner::User(system::effective_user()));
        assert_eq!(owner("", theirs, ours), Owner::Unknown);
        // The socket of who hung up has no owner; it is not taken for root's.
        drop(browser);
        assert!(!may_be_ours(&accepted));
    }

    #[test]
    fn a_line_is_read_as_the_kernel_writes_it() {
        let line = |user, inode| {
            format!(
                "  sl  local_address rem_address   st ...\n   1: 0100007F:1F90 0100007F:0050 01 \
                 00000000:00000000 00:00000000 00000000 {user} 0 {inode} 1 0 20 4 30 10 -1\n"
            )
        };
        let [local, remote] = [8080, 80].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        assert_eq!(owner(&line("1000", "77"), local, remote), Owner::User(1000));
        assert_eq!(owner(&line("0", "0"), local, remote), Owner::Gone);
        let mapped = address("0000000000000000FFFF00000100007F:0050");
        assert_eq!(mapped, Some((Ipv4Addr::LOCALHOST.into(), 80)));
        let own = address("00000000000000000000000001000000:0050");
        assert_eq!(own, Some((Ipv6Addr::LOCALHOST.into(), 80)));
        assert_eq!(owner(&line("1000", "77"), remote, local), Owner::Unknown);
    }
}
