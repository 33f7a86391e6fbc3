//! Scheduler and kubelet for pods that run Spilo: each becomes real processes of Patroni and
//! PostgreSQL in the network of a [`ControlPlane`](crate::ControlPlane), which end when the agent is dropped or the
//! process of the tests ends.
//!
//! Only the container `postgres` runs; others are told to be as it is. Images, resources,
//! affinities between pods and probes are not looked at.

mod agent;
mod api;
mod container;
pub mod environment;
mod exec;
mod hosts;
mod machine;
mod pod;
mod resizer;
mod scheduler;
pub mod spilo;
pub mod status;
mod turn;
mod volumes;
mod watch;

pub use agent::{LABEL, NodeAgent, Settings};
pub use hosts::hosts;
pub use resizer::Resizing;
