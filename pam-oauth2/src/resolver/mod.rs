//! Host names to addresses, as glibc does it with `hosts: files dns`, on the calling thread
//! and within a deadline.
//!
//! getaddrinfo(3) can be neither interrupted nor given a deadline, and whoever calls it from
//! a helper thread may have to leave that thread behind. So: /etc/hosts first, then the
//! servers of /etc/resolv.conf with its search list, A and AAAA at once, TCP where an answer
//! does not fit. Not here: other NSS modules, a cache, a server that the file does not name.
//!
//! Where it leaves glibc: a server gets no more than its fair share of the time that is left
//! before the deadline, so that a dead first server does not use up what the second needs; and
//! the options `rotate`, `use-vc` and `no-aaaa` have no effect.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod hosts;
mod message;
mod query;
mod resolv_conf;

use std::net::IpAddr;
use std::path::Path;

use tokio::time::Instant;

use crate::files;
use message::{Name, Outcome};
use resolv_conf::ResolvConf;

const HOSTS: &str = "/etc/hosts";
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Some people block advertisements with /etc/hosts.
const HOSTS_LIMIT: usize = 4 * 1024 * 1024;
/// A file of sysfs has the size of a page, whatever is in it.
const SYSFS_LIMIT: usize = 256 * 1024;
const RESOLV_CONF_LIMIT: usize = 64 * 1024;

/// Why there are no addresses.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("no DNS server has an answer ({0})")]
    NoAnswer(String),
    #[error("the host name is not one that DNS can hold")]
    NotAName,
    #[error("the host name does not exist, or has no address")]
    NotFound,
}

/// The addresses of `name`, in the order in which they should be tried: IPv6 and IPv4 in
/// turn, IPv6 first (RFC 8305 section 4). Never empty.
pub(crate) async fn lookup(name: &str, deadline: Instant) -> Result<Vec<IpAddr>, Fault> {
    // A missing or odd file is an empty one, as with glibc.
    let file = files::read(Path::new(HOSTS), HOSTS_LIMIT).unwrap_or_default();
    let listed = hosts::addresses(&file, name);
    if !listed.is_empty() {
        return Ok(in_turn(listed));
    }
    let file = files::read(Path::new(RESOLV_CONF), RESOLV_CONF_LIMIT).unwrap_or_default();
    let conf = ResolvConf::parse(&file, &host_name(), interface_index);
    let mut servers = conf.servers.clone();
    let mut fault = Fault::NotFound;
    for candidate in conf.candidates(name) {
        let Some(candidate) = Name::parse(&candidate) else {
            // With another suffix it may be one.
            if matches!(fault, Fault::NotFound) {
                fault = Fault::NotAName;
            }
            continue;
        };
        match query::ask(&candidate, &conf, &mut servers, deadline).await {
            Ok(Outcome::Addresses(found)) => return Ok(in_turn(found)),
            Ok(Outcome::Absent) => {}
            // Another suffix may still be answered, but this is what is wrong.
            Err(error) => fault = error,
        }
    }
    Err(fault)
}

/// gethostname(2), as a file of proc(5).
fn host_name() -> String {
    let name = files::read(Path::new("/proc/sys/kernel/hostname"), 256).unwrap_or_default();
    String::from_utf8_lossy(&name).trim().to_owned()
}

/// if_nametoindex(3), as a file of sysfs(5).
fn interface_index(name: &str) -> Option<u32> {
    let plain = !name.contains('/') && name != "..";
    let path = Path::new("/sys/class/net").join(name).join("ifindex");
    let index = plain.then(|| files::read(&path, SYSFS_LIMIT).ok())??;
    String::from_utf8_lossy(&index).trim().parse().ok()
}

fn in_turn(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let (six, four): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv6);
    let mut sorted = Vec::new();
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    loop {
        let pair = [six.next(), four.next()];
        if pair == [None, None] {
            return sorted;
        }
        for address in pair.into_iter().flatten() {
            if !sorted.contains(&address) {
                sorted.push(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_take_turns_and_nothing_is_tried_twice() {
        let addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.1", "192.0.2.3"];
        let sorted = in_turn(addresses.iter().map(|a| a.parse().unwrap()).collect());
        let expected = ["2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3"];
        assert_eq!(sorted, expected.map(|a| a.parse::<IpAddr>().unwrap()));
    }
}
