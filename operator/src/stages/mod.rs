//! The parts of a look at a cluster that write: each brings its objects in line and says in one
//! finding how it went.

pub mod backup;
mod hand_over;
mod patronis;
pub mod pod_annotations;
pub mod pods;
pub mod resources;
pub mod rotation;
pub mod secrets;
pub mod stateful_set;
pub mod upgrade;

pub use hand_over::HandOver;
