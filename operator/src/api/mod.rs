//! The custom resources of `acid.zalan.do/v1`, as users write them; no behaviour.
//!
//! In: what the API server has. Out: Rust types. A manifest may hold anything that its schema
//! lets through, so an object is read in two steps: metadata and raw JSON always, the typed
//! spec only where it decodes. One broken manifest must not hide all others from a LIST.

pub mod crds;
mod field;
pub mod lenient;
pub mod operator_configuration;
pub mod postgres_team;
pub mod postgresql;
mod resource;
pub mod spec;
pub mod status;

/// The group of all three kinds.
pub const GROUP: &str = "acid.zalan.do";
/// Their only version.
pub const VERSION: &str = "v1";

#[cfg(test)]
mod tests;
