//! The service: `teams-sync run`. A configuration goes in, servers that stay in line come out.
//!
//! Each period all teams are asked once, for all servers; then every server is brought in line by
//! a task of its own, so that one that hangs holds up nobody. What a pass does is decided
//! elsewhere: here is only when, how often, and what is told of it (log, metrics, systemd).
//!
//! It never changes a role by itself, never uses half of a new configuration, and never answers
//! anything but GET and HEAD.

mod board;
mod confirm;
mod health;
mod http;
mod keeper;
pub mod listen;
mod log;
mod metrics;
mod news;
mod notify;
mod pace;
pub mod page;
mod schedule;
mod signals;
mod work;

use crate::approve::Releases;
use crate::fleet::{Facts, Setup};
use crate::sync::{Report, Server};
use crate::teams::BoxFuture;

pub use health::Heartbeat;
pub use log::{clean, log_panics};
pub use notify::{Notifier, Watchdog};
pub use schedule::{Service, ServiceError};
pub use signals::{Signal, signals};
pub use work::Live;

/// What the service does to the world outside; tests put something else in its place.
pub trait Work: Send + Sync + 'static {
    /// Reads the configuration (anew).
    fn load(&self) -> BoxFuture<'_, Result<Setup, String>>;

    /// Asks for all teams. What gives no answer is part of the answer.
    fn fetch<'a>(&'a self, setup: &'a Setup) -> BoxFuture<'a, Facts>;

    /// One pass over one server.
    fn sync<'a>(
        &'a self,
        setup: &'a Setup,
        server: &'a Server,
        facts: &'a Facts,
        releases: Releases,
    ) -> BoxFuture<'a, Report>;
}

#[cfg(test)]
mod tests;
