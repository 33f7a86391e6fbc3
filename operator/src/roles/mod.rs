//! Which roles the manifest of a cluster and the configuration ask for. Pure.
//!
//! In: a manifest, the configuration, and what `PostgresTeam` objects say. Out: the roles of the
//! manifest, and the rules by which `teams_sync` makes roles of people and robots. Nothing here
//! talks to anybody, and nothing knows a password.

mod convert;
mod manifest;
mod people;
mod robot_names;
mod teams;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod vectors;

pub use convert::{robots, rotated};
pub use manifest::{ManifestRole, ManifestRoles, Origin, SecretPlace, of_manifest, pooler_role};
pub use people::{human_rules, names, server_rules, style};
pub use robot_names::RobotNames;
pub use teams::PostgresTeams;
