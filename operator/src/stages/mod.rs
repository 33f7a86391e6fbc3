//! The parts of a look at a cluster that write: each brings its objects in line and says in one
//! finding how it went.

mod hand_over;
pub mod patroni_config;
mod patronis;
pub mod pod_annotations;
pub mod pods;
pub mod resources;
pub mod rotation;
pub mod secrets;
pub mod stateful_set;

pub use hand_over::HandOver;
pub use patroni_config::PatroniConfig;
