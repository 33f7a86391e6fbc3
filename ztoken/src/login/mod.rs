//! A person logs in: in the browser of this machine, or on another device.

mod browser;
mod device;
mod loopback;
mod opener;
mod owner;

use std::env;
use std::time::Duration;

use crate::clock::spoken;
use crate::config::{Redirect, Way};
use crate::provider::{self, Granted, Provider};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Provider(#[from] provider::Fault),
    #[error("nobody came back from the browser within {}: run `ztoken login` again, or `ztoken login --device` where the browser is on another machine", spoken(*.0))]
    Late(Duration),
    #[error(
        "the browser came back from \"{theirs}\", and not from \"{ours}\": somebody may be trying to have your login sent elsewhere; nothing was stored"
    )]
    Impostor { ours: String, theirs: String },
    #[error(
        "the browser cannot come back to {redirect}: {error}; does another program listen there?"
    )]
    Listener { redirect: String, error: std::io::Error },
}

/// Logs in by this way, and asks nobody anything but the person.
pub(crate) fn log_in(
    provider: &Provider<'_>,
    way: Way,
    redirect: &Redirect,
) -> Result<Granted, Fault> {
    let offers_device = provider.endpoints.device_authorization.is_some();
    match choose(way, opener::has_browser(|name| env::var_os(name)), offers_device) {
        Way::Device => device::log_in(provider),
        Way::Auto | Way::Browser => browser::log_in(provider, redirect),
    }
}

/// The browser where there is one; else another device, if the provider offers that.
fn choose(way: Way, has_browser: bool, offers_device: bool) -> Way {
    match way {
        Way::Auto if !has_browser && offers_device => Way::Device,
        Way::Auto => Way::Browser,
        Way::Browser | Way::Device => way,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_browser_another_device_is_asked_for() {
        assert_eq!(choose(Way::Auto, true, true), Way::Browser);
        assert_eq!(choose(Way::Auto, false, true), Way::Device);
        assert_eq!(choose(Way::Auto, false, false), Way::Browser);
        assert_eq!(choose(Way::Browser, false, true), Way::Browser);
        assert_eq!(choose(Way::Device, true, false), Way::Device);
    }
}
