//! What makes the operator look at a cluster, and who looks.
//!
//! Watches fill the caches and put clusters into two queues: one for objects, one for roles and
//! databases, so that a server that does not answer holds up no object. A few workers take from
//! each, and only while we lead.

pub mod cache;
pub mod caches;
pub mod lasting;
mod one;
pub mod queue;
pub mod seen;
mod triggers;
mod watches;
mod workers;

pub use one::watching;
pub(crate) use triggers::everybody;
pub use triggers::listen;
pub use watches::watch;
pub use workers::{Kind, work};
