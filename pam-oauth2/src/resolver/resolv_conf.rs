//! resolv.conf(5): what of it matters for a lookup. What cannot be read is passed over, as
//! glibc does: a strange line must not lock people out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

const DNS_PORT: u16 = 53;
/// `MAXNS` of <resolv.h>.
const SERVERS: usize = 3;

#[derive(Debug, Eq, PartialEq)]
pub(super) struct ResolvConf {
    pub(super) servers: Vec<SocketAddr>,
    search: Vec<String>,
    ndots: usize,
    pub(super) timeout: Duration,
    pub(super) attempts: u32,
}

impl ResolvConf {
    /// `host` is the name of this machine: without `search` and `domain` its domain is
    /// searched. `index_of` knows the index of a network interface.
    pub(super) fn parse(file: &[u8], host: &str, index_of: impl Fn(&str) -> Option<u32>) -> Self {
        let mut conf = Self {
            servers: Vec::new(),
            search: host.split_once('.').map(|(_, domain)| domain.to_owned()).into_iter().collect(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
        };
        for line in String::from_utf8_lossy(file).lines() {
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") if conf.servers.len() < SERVERS => {
                    conf.servers.extend(words.next().and_then(|word| server(word, &index_of)));
                }
                // The last one counts (resolv.conf(5)).
                Some("search") => conf.search = words.map(str::to_owned).collect(),
                Some("domain") => {
                    conf.search = words.next().map(str::to_owned).into_iter().collect()
                }
                Some("options") => words.for_each(|option| conf.option(option)),
                _ => {}
            }
        }
        if conf.servers.is_empty() {
            conf.servers.push((Ipv4Addr::LOCALHOST, DNS_PORT).into());
        }
        conf
    }

    fn option(&mut self, option: &str) {
        let Some((name, Ok(value))) = option.split_once(':').map(|(n, v)| (n, v.parse::<u32>()))
        else {
            return;
        };
        // The caps are those of <resolv.h>: RES_MAXNDOTS, RES_MAXRETRANS, RES_MAXRETRY.
        match name {
            "ndots" => self.ndots = value.min(15) as usize,
            "timeout" => self.timeout = Duration::from_secs(value.clamp(1, 30).into()),
            "attempts" => self.attempts = value.clamp(1, 5),
            _ => {}
        }
    }

    /// The names to ask for, in order: with enough dots the name itself comes first, else
    /// last; a name with a final dot is asked for as it is.
    pub(super) fn candidates(&self, name: &str) -> Vec<String> {
        if name.ends_with('.') {
            return vec![name.to_owned()];
        }
        let suffixes = self.search.iter().map(|suffix| suffix.trim_start_matches('.'));
        let mut names: Vec<String> = suffixes.map(|suffix| format!("{name}.{suffix}")).collect();
        let dots = name.bytes().filter(|b| *b == b'.').count();
        let own = if dots >= self.ndots { 0 } else { names.len() };
        names.insert(own, name.to_owned());
        names
    }
}

/// An address, or a link-local IPv6 address with its interface (`fe80::1%eth0`, `fe80::1%2`).
fn server(text: &str, index_of: impl Fn(&str) -> Option<u32>) -> Option<SocketAddr> {
    let (address, scope) = match text.split_once('%') {
        Some((address, scope)) => (address, scope.parse().ok().or_else(|| index_of(scope))?),
        None => (text, 0),
    };
    match address.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => Some((address, DNS_PORT).into()),
        IpAddr::V6(address) => Some(scoped(address, scope)),
    }
}

fn scoped(address: Ipv6Addr, scope: u32) -> SocketAddr {
    SocketAddrV6::new(address, DNS_PORT, 0, scope).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl ResolvConf {
        fn of(file: &[u8]) -> Self {
            Self::parse(file, "db1", |name| (name == "eth0").then_some(7))
        }
    }

    #[test]
    fn without_a_search_list_the_domain_of_the_host_is_searched() {
        let conf = |file: &[u8]| ResolvConf::parse(file, "db1.corp.example", |_| None);
        assert_eq!(conf(b"").candidates("info"), ["info.corp.example", "info"]);
        assert_eq!(conf(b"search example.org").candidates("info"), ["info.example.org", "info"]);
        assert_eq!(ResolvConf::of(b"").candidates("info"), ["info"]);
    }

    #[test]
    fn a_file_of_kubernetes_is_read() {
        let conf = ResolvConf::of(
            b"search default.svc.cluster.local svc.cluster.local cluster.local\n\
              nameserver 10.96.0.10\noptions ndots:5 timeout:2 attempts:3 edns0\n",
        );
        assert_eq!(conf.servers, ["10.96.0.10:53".parse().unwrap()]);
        assert_eq!((conf.timeout, conf.attempts), (Duration::from_secs(2), 3));
        assert_eq!(
            conf.candidates("info.example.com"),
            [
                "info.example.com.default.svc.cluster.local",
                "info.example.com.svc.cluster.local",
                "info.example.com.cluster.local",
                "info.example.com",
            ]
        );
        assert_eq!(conf.candidates("info.example.com."), ["info.example.com."]);
    }

    #[test]
    fn enough_dots_put_the_name_itself_first() {
        let conf = ResolvConf::of(b"domain example.org\n");
        assert_eq!(conf.candidates("info.corp"), ["info.corp", "info.corp.example.org"]);
        assert_eq!(conf.candidates("info"), ["info.example.org", "info"]);
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        let conf = ResolvConf::of(
            b"# comment\n; comment\nnameserver\nnameserver nonsense\noptions ndots:x attempts:99 timeout:0 rotate\n\
              nameserver 192.0.2.1 trailing\nnameserver fe80::1%2\nnameserver fe80::2%none\nnameserver fe80::1%eth0\nnameserver 192.0.2.4\n\xff\xfe",
        );
        let expected = ["192.0.2.1:53", "[fe80::1%2]:53", "[fe80::1%7]:53"];
        assert_eq!(conf.servers, expected.map(|s| s.parse().unwrap()));
        assert_eq!((conf.ndots, conf.attempts, conf.timeout), (1, 5, Duration::from_secs(1)));
    }

    #[test]
    fn without_a_server_the_local_one_is_asked() {
        assert_eq!(ResolvConf::of(b"").servers, ["127.0.0.1:53".parse().unwrap()]);
    }
}
