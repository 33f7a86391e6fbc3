//! Which objects should a cluster have? Pure: a cluster and a configuration in, objects out.

pub mod affinity;
pub mod backup;
pub mod budget;
pub mod containers;
pub mod endpoints;
pub mod environment;
pub mod facts;
pub mod hba;
pub mod meta;
pub mod names;
pub mod namespace;
pub mod patroni;
pub mod pod;
pub mod pooler;
pub mod probes;
pub mod resources;
pub mod service;
pub mod sidecars;
pub mod spilo;
pub mod statefulset;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
pub(crate) mod vectors;
pub mod volumes;
