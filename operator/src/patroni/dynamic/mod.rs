//! What all members of a cluster share in Patroni, by its manifest: which of it has to be changed,
//! and who is restarted next for it. Pure.
//!
//! In: a [`Wanted`], what was once ours, and what Patroni says. Out: a [`Plan`] with the least
//! patch that makes them agree, or none. Never: a setting, parameter or slot taken away that the
//! manifest has not asked for before.
//!
//! zalando/postgres-operator sends `pg_hba` as a setting of its own as well. Patroni drops that: it
//! reads `postgresql.pg_hba`, which pods get in their environment. So it is not sent here.

mod defaults;
mod order;
mod plan;
mod same;
mod standby;
mod wanted;

pub use order::{Member, next, reason, shrinks};
pub use plan::{Plan, plan};
pub use wanted::{Source, Wanted};

#[cfg(test)]
mod tests;
