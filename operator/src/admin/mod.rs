//! What the operator tells the world: the HTTP API on `api_port`, metrics and the log.
//!
//! The rest of the operator writes to a [`Board`], in memory; whoever asks on the port reads from
//! it. Nothing here changes anything, asks the API server or a database, or tells a secret.
//!
//! `/healthz` and `/readyz` are open to everybody. All else, metrics included, asks for a token
//! where [`Access`] says so. Plain HTTP: whoever wants it encrypted puts something in front.

mod access;
mod api;
mod board;
mod counts;
mod facts;
mod listen;
mod log;
mod metrics;
mod redact;
mod rings;
mod shapes;

pub use access::Access;
pub use api::Admin;
pub use board::Board;
pub use counts::PassResult;
pub use facts::{
    ClusterFacts, ControllerFacts, InfrastructureRole, Limits, Objects, Orphan, QueueEntry,
    RoleSync, Shown,
};
pub use listen::{ListenError, everywhere, listen};
pub use log::{LogControl, LogError, LogFormat};
pub use redact::{REDACTED, differences, redact, scrub};

#[cfg(test)]
mod tests;
