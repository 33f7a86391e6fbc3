//! The commands: what a person types, and what she reads.

pub(crate) mod adopt;
pub(crate) mod apply;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod fake_api;
pub(crate) mod leavers;
pub(crate) mod output;
pub(crate) mod plan;
mod progress;
mod reports;
pub(crate) mod run;
mod setup;
