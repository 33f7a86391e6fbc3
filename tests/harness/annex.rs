//! A network namespace beside a [`Network`], at the end of a wire: whoever is in it reaches all
//! that is in the network, until the way to an address is cut.
//!
//! What is cut is silent, as a firewall or a broken switch is: packets leave and nothing comes back,
//! for connections that are there already, too.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crate::eventually;
use crate::network::{self, Network, ip};

/// All that a [`Network`] has.
const PODS: &str = "10.88.0.0/16";
/// No card has this number.
const NO_CARD: &str = "02:00:00:00:00:05";

#[derive(Debug)]
pub struct Annex {
    namespace: Arc<File>,
    number: u8,
}

impl Annex {
    pub fn of(network: &Network) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let inside = format!("/proc/{}/fd/{}", std::process::id(), network.namespace().as_raw_fd());
        let (there, gateway) = (format!("annex{number}"), format!("10.89.{number}.1"));
        let end = there.clone();
        let namespace = Arc::new(network::namespace(move || {
            ip(&["link", "add", "wire", "type", "veth", "peer", "name", &end]);
            ip(&["link", "set", &end, "netns", &inside]);
            ip(&["addr", "add", &format!("{}/29", address(number)), "dev", "wire"]);
            ip(&["link", "set", "wire", "up"]);
            ip(&["route", "add", PODS, "via", &gateway]);
            ip(&["neigh", "add", &nobody(number), "lladdr", NO_CARD, "dev", "wire"]);
        }));
        network.enter(|| {
            ip(&["addr", "add", &format!("10.89.{number}.1/29"), "dev", &there]);
            ip(&["link", "set", &there, "up"]);
        });
        let this = Self { namespace, number };
        // A wire that is new loses what comes first, and asking anew takes a second.
        let nobody_listens = SocketAddr::from((Ipv4Addr::new(10, 89, number, 1), 1));
        let connect = || TcpStream::connect_timeout(&nobody_listens, Duration::from_secs(5));
        eventually("the wire carries", || match this.enter(connect).map_err(|own| own.kind()) {
            Err(ErrorKind::ConnectionRefused) => Ok(()),
            other => Err(other),
        });
        this
    }

    /// From now on whoever in it connects to this port of anybody comes to who listens at that port
    /// in it, with [`IP_TRANSPARENT`](crate::wire::listen_for_others).
    pub fn intercept(&self, port: u16) {
        let (port, own) = (port.to_string(), address(self.number));
        self.ip(&["route", "add", "local", PODS, "dev", "lo", "table", &port, "src", &own]);
        self.ip(&["rule", "add", "to", PODS, "ipproto", "tcp", "dport", &port, "lookup", &port]);
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
        self.ip(&["route", "add", &to, "via", &nobody(self.number)]);
    }

    /// It is reached again.
    pub fn mend(&self, address: Ipv4Addr) {
        self.ip(&["route", "del", &format!("{address}/32")]);
    }

    fn ip(&self, words: &[&str]) {
        self.enter(|| ip(words));
    }
}

/// Its own address.
fn address(number: u8) -> String {
    format!("10.89.{number}.2")
}

/// An address that nobody has.
fn nobody(number: u8) -> String {
    format!("10.89.{number}.5")
}
