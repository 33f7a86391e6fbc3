//! What came of one pass over one server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Server;
use crate::adopt::Findings;
use crate::apply::{self, ApplyError, Failure, Outcome};
use crate::approve::{Approved, Held, PlanId};
use crate::connect::{ConnectError, Session, describe};
use crate::desired::{Desired, Problem};
use crate::observed::Observed;
use crate::plan::Planned;

/// Everything that is to be told.
#[derive(Debug)]
pub struct Report {
    pub server: String,
    /// Why the pass ended early. Nothing was changed then, unless it says otherwise.
    pub error: Option<SyncError>,
    /// Done, or to be done where nothing was applied.
    pub changes: Vec<Planned>,
    pub held: Vec<Held>,
    /// Of what the guard holds or would hold.
    pub plan_id: Option<PlanId>,
    /// People whose roles are not ours; as they were before anything was done.
    pub found: Findings,
    /// What people lose who are not ours yet, once they are. Only where nothing was applied.
    pub later: Vec<Planned>,
    pub failures: Vec<Failure>,
    pub problems: BTreeSet<Problem>,
    /// Teams without an answer, and why.
    pub frozen: BTreeMap<String, String>,
    pub frozen_robots: Option<String>,
    pub ended: Vec<Ended>,
    /// People who are in after it; where nothing was applied, those who are in.
    pub people: usize,
    /// `server_version_num`; 0 where nobody answered.
    pub version: u32,
    pub system_identifier: String,
    pub elapsed: Duration,
}

/// Sessions of people who are out, on one server or standby.
#[derive(Debug, serde::Serialize)]
pub struct Ended {
    pub on: String,
    pub sessions: u64,
    pub error: Option<String>,
}

/// Why a pass over a server ended early.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error("{0}")]
    Connect(#[from] ConnectError),
    #[error(
        "{0} is a standby, and roles are made on the primary; name all hosts in dsn, or the one that is the primary"
    )]
    Standby(String),
    #[error("{0} is read-only (default_transaction_read_only)")]
    ReadOnly(String),
    #[error(
        "this is another database cluster than the configuration means: its system identifier is {found}, and not {expected}. Nothing was changed; correct dsn or system_identifier"
    )]
    OtherServer { found: String, expected: String },
    #[error(
        "this is the same database cluster as server {other:?}, which is to have other roles. Nothing was changed; correct dsn"
    )]
    SameServer { other: String },
    #[error("another teams-sync held the lock of this server for too long")]
    Locked,
    #[error("others change the same roles at the same time")]
    Collision,
    #[error("{0}")]
    Statement(String),
    #[error("the connection ended: {0}. Nothing was changed")]
    Lost(String),
    #[error(
        "the connection ended during COMMIT: {0}. Whether the changes were made, the next run finds out"
    )]
    CommitUnknown(String),
    #[error("the server did not commit: {0}. Nothing was changed")]
    NotCommitted(String),
    #[error("what the server says about its roles cannot be understood: {0}")]
    Catalog(String),
    #[error("there is no randomness for the salt of a password")]
    Randomness,
    #[error("not done within {0:?}, so it was given up")]
    Timeout(Duration),
    #[error("a bug in teams-sync ended it: {0}")]
    Broken(String),
}

impl SyncError {
    pub(crate) fn statement(session: &Session, error: &tokio_postgres::Error) -> Self {
        let Some(reason) = error.as_db_error() else {
            return Self::Lost(session.end().unwrap_or_else(|| describe(error)));
        };
        let code = reason.code().code();
        if code == "55P03" {
            return Self::Locked;
        }
        if apply::is_collision(code, reason.message()) {
            return Self::Collision;
        }
        if code.starts_with("57P") || code == "25006" {
            return Self::Lost(describe(error));
        }
        Self::Statement(describe(error))
    }

    pub(crate) fn apply(session: &Session, error: ApplyError) -> Self {
        match error {
            ApplyError::Postgres(error) => Self::statement(session, &error),
            ApplyError::Randomness => Self::Randomness,
        }
    }

    pub(crate) fn commit(session: &Session, error: &tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(_) => Self::NotCommitted(describe(error)),
            None => Self::CommitUnknown(session.end().unwrap_or_else(|| describe(error))),
        }
    }

    /// Whether the same may work a moment later.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Collision | Self::Lost(_) | Self::CommitUnknown(_))
    }

    /// A word for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Standby(_) => "standby",
            Self::ReadOnly(_) => "read_only",
            Self::OtherServer { .. } | Self::SameServer { .. } => "other_server",
            Self::Locked => "locked",
            Self::Collision => "collision",
            Self::Statement(_) | Self::NotCommitted(_) => "statement",
            Self::Lost(_) | Self::CommitUnknown(_) => "lost",
            Self::Catalog(_) => "catalog",
            Self::Randomness => "randomness",
            Self::Timeout(_) => "timeout",
            Self::Broken(_) => "bug",
        }
    }
}

impl Report {
    pub(crate) fn new(server: &Server, desired: &Desired) -> Self {
        Self {
            problems: desired.problems.clone(),
            frozen: desired.frozen.clone(),
            frozen_robots: desired.frozen_robots.clone(),
            ..Self::empty(&server.name)
        }
    }

    /// Of a pass that did not come to an end of its own.
    pub(crate) fn broken(server: &str, error: &str) -> Self {
        let error = Some(SyncError::Broken(error.to_owned()));
        Self { error, ..Self::empty(server) }
    }

    /// Of a pass in which there was nothing to do and nothing to say.
    #[must_use]
    pub fn empty(server: &str) -> Self {
        Self {
            server: server.to_owned(),
            error: None,
            changes: Vec::new(),
            held: Vec::new(),
            plan_id: None,
            found: Findings::default(),
            later: Vec::new(),
            failures: Vec::new(),
            problems: BTreeSet::new(),
            frozen: BTreeMap::new(),
            frozen_robots: None,
            ended: Vec::new(),
            people: 0,
            version: 0,
            system_identifier: String::new(),
            elapsed: Duration::ZERO,
        }
    }

    pub(crate) fn observe(&mut self, observed: &Observed, approved: &Approved) {
        self.version = observed.version;
        self.system_identifier.clone_from(&observed.system_identifier);
        self.people = approved.plan().population.people;
        self.problems.clone_from(&approved.plan().problems);
        self.held = approved.held().to_vec();
        self.plan_id = approved.id().cloned();
    }

    pub(crate) fn planned(&mut self, approved: &Approved) {
        self.changes = approved.plan().changes().cloned().collect();
    }

    pub(crate) fn applied(&mut self, outcome: Outcome) {
        self.changes = outcome.done;
        self.failures = outcome.failures;
    }

    pub(super) fn ended(&mut self, on: &str, number: Option<String>) {
        let sessions = number.and_then(|number| number.parse().ok()).unwrap_or(0);
        self.ended.push(Ended { on: on.to_owned(), sessions, error: None });
    }

    pub(super) fn not_ended(&mut self, on: &str, error: &str) {
        self.ended.push(Ended { on: on.to_owned(), sessions: 0, error: Some(error.to_owned()) });
    }

    /// Whether sessions of people who are out may live on.
    pub fn has_open_sessions(&self) -> bool {
        self.ended.iter().any(|ended| ended.error.is_some())
    }
}
