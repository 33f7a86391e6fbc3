//! The parts of a look at a cluster that write: each brings its objects in line and says in one
//! finding how it went.

pub mod backup;
mod fewer;
pub mod patroni_config;
mod patronis;
pub mod pod_annotations;
pub mod pods;
pub mod pooler;
mod replace;
pub mod resources;
pub mod rolling;
pub mod rotation;
pub mod secrets;
pub mod stateful_set;
pub mod upgrade;
pub mod volumes;

pub use patroni_config::PatroniConfig;
pub use rolling::Rolling;
