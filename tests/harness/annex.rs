//! A network namespace beside a [`Network`], at the end of a wire: whoever is in it reaches all
//! that is in the network, until the way to an address is cut.
//!
//! What is cut is silent, as a firewall or a broken switch is: packets leave and nothing comes back,
//! for connections that are there already, too.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::Arc;

use crate::network::{self, Network, ip};

const HERE: &str = "10.89.0.2/29";
const THERE: &str = "10.89.0.1/29";
const GATEWAY: &str = "10.89.0.1";
/// Nobody has this address, and no card this number.
const NOBODY: (&str, &str) = ("10.89.0.5", "02:00:00:00:00:05");

/// At most one for each network.
#[derive(Debug)]
pub struct Annex {
    namespace: Arc<File>,
}

impl Annex {
    pub fn of(network: &Network) -> Self {
        let inside = format!("/proc/{}/fd/{}", std::process::id(), network.namespace().as_raw_fd());
        let namespace = Arc::new(network::namespace(move || {
            ip(&["link", "add", "wire", "type", "veth", "peer", "name", "annex"]);
            ip(&["link", "set", "annex", "netns", &inside]);
            ip(&["addr", "add", HERE, "dev", "wire"]);
            ip(&["link", "set", "wire", "up"]);
            ip(&["route", "add", "10.88.0.0/16", "via", GATEWAY]);
            ip(&["neigh", "add", NOBODY.0, "lladdr", NOBODY.1, "dev", "wire"]);
        }));
        network.enter(|| {
            ip(&["addr", "add", THERE, "dev", "annex"]);
            ip(&["link", "set", "annex", "up"]);
        });
        Self { namespace }
    }

    /// Makes a command run in it.
    pub fn confine(&self, command: &mut Command) {
        network::confine(&self.namespace, command);
    }

    /// Runs `work` on a thread in it.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        network::enter(&self.namespace, work)
    }

    /// From now on nothing reaches this address from here.
    pub fn cut(&self, address: Ipv4Addr) {
        let to = format!("{address}/32");
        self.ip(&["route", "add", &to, "via", NOBODY.0]);
    }

    /// It is reached again.
    pub fn mend(&self, address: Ipv4Addr) {
        self.ip(&["route", "del", &format!("{address}/32")]);
    }

    fn ip(&self, words: &[&str]) {
        self.enter(|| ip(words));
    }
}
