//! What came of one pass over the databases of a server.

use std::time::Duration;

use teams_sync::connect::ConnectError;

use super::names::DatabaseName;

/// Everything that is to be told.
#[derive(Debug, Default)]
pub struct DatabaseReport {
    /// Done, or to be done where nothing was applied: one line each, in order.
    pub changes: Vec<String>,
    /// What could not be done, sorted. Everything else was.
    pub problems: Vec<Problem>,
    /// Why nothing could be done at all.
    pub error: Option<SyncError>,
}

/// What stands in the way of one part of a manifest.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Problem {
    pub database: DatabaseName,
    /// Such as `spec.preparedDatabases.bar.extensions.postgis`.
    pub field: String,
    /// What happened, in one line, without control characters.
    pub reason: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

/// Why a pass ended before it began.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error("{0}")]
    Connect(#[from] ConnectError),
    #[error("{0} is a standby, and databases are made on the primary; nothing was changed")]
    Standby(String),
    #[error("{0} is read-only (default_transaction_read_only); nothing was changed")]
    ReadOnly(String),
    #[error("the catalog of databases cannot be read: {0}; nothing was changed")]
    Catalog(String),
    #[error("the server was not done with its databases within {0:?}; the next pass goes on")]
    Timeout(Duration),
}

impl SyncError {
    /// Whether the same may work a moment later with nobody changing anything: a primary that moves
    /// is no failure.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_transient(),
            Self::Standby(_) | Self::Timeout(_) => true,
            Self::ReadOnly(_) | Self::Catalog(_) => false,
        }
    }
}
