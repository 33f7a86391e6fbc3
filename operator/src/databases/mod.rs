//! Databases of a cluster, their owners, and prepared databases: schemas, extensions and default
//! privileges.
//!
//! `wanted -> observed -> plan -> apply`
//!
//! In: what a manifest wants, and the connection string of a superuser. Out: what was changed, or
//! would be, and problems by field of the manifest. What is there is read from the catalogs each
//! time, one query for the server and one for each prepared database, and nothing is written where
//! nothing is missing. It makes no roles, drops nothing and revokes nothing: what is no longer in a
//! manifest stays.
//!
//! Whoever owns a database can have operators, functions and settings of her own in it, and is a
//! stranger to the superuser that we are there: see `sql` for what is pinned.

mod names;
mod observed;
mod plan;
pub mod pooler;
mod report;
mod sql;
mod sync;
mod wanted;

pub use names::{BadName, DatabaseName, ExtensionName, NameProblem, SchemaName};
pub use report::{DatabaseReport, Problem, SyncError};
pub use sync::{Limits, Mode, sync};
pub use wanted::{DefaultRoles, Prepared, PreparedSchema, Schema, Wanted};

#[cfg(test)]
mod tests;
