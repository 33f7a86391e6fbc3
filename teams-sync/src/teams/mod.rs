//! What a source says about teams: one complete team, or an error; never half.
//!
//! In: the name of a team. Out: everybody whom the source counts as a member, exactly as it
//! writes their names, or why there is no such answer. Never: a team that is shorter than the
//! truth because something went wrong on the way, a name that was changed, a token in a message.

pub mod fetch;
pub mod file;
mod foreign;
mod http;
mod json;
pub mod scim;
pub(crate) mod small_file;
pub mod teams_api;
mod token;

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A future that a source hands out.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One team, complete: everybody whom the source counts as a member, as it writes their names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Team {
    /// In the order of the source, nobody twice, inactive accounts left out.
    pub members: Vec<String>,
}

impl Team {
    /// A member named twice counts once; names that differ in case alone are two names here.
    fn of(names: impl IntoIterator<Item = String>) -> Self {
        let mut seen = HashSet::new();
        let members = names.into_iter().filter(|name| seen.insert(name.clone())).collect();
        Self { members }
    }
}

/// Why a source has no complete answer. Each of these but [`Self::UnknownTeam`] freezes the team.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SourceError {
    /// 401, 403, or no token to be had.
    #[error("{0}")]
    Auth(String),
    /// DNS, connect, TLS, a cut connection, a file that cannot be read.
    #[error("{0}")]
    Unreachable(String),
    /// No whole answer within the time.
    #[error("{0}")]
    Timeout(String),
    /// 429 or 503 with Retry-After; how long the source asks us to wait.
    #[error("{0}")]
    Throttled(String, Option<Duration>),
    /// 5xx and other statuses, with their number.
    #[error("{1}")]
    Status(u16, String),
    /// The answer is not what the source promises.
    #[error("{0}")]
    Malformed(String),
    /// Pages are missing or repeat themselves.
    #[error("{0}")]
    Incomplete(String),
    /// The source knows no such team.
    #[error("{0}")]
    UnknownTeam(String),
}

impl SourceError {
    /// A bounded word for metrics and conditions.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Auth(_) => "auth",
            Self::Unreachable(_) => "unreachable",
            Self::Timeout(_) => "timeout",
            Self::Throttled(..) => "throttled",
            Self::Status(..) => "status",
            Self::Malformed(_) => "malformed",
            Self::Incomplete(_) => "incomplete",
            Self::UnknownTeam(_) => "unknown_team",
        }
    }

    /// Whether the same question may have a better answer in a moment.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Timeout(_) | Self::Throttled(..) | Self::Incomplete(_) => {
                true
            }
            Self::Status(code, _) => *code >= 500,
            Self::Auth(_) | Self::Malformed(_) | Self::UnknownTeam(_) => false,
        }
    }
}

/// Why a source cannot be built from its configuration. Nothing was asked yet.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// Where teams come from.
pub trait Source: fmt::Debug + Send + Sync {
    /// `teams_api`, `file`, `scim`: for messages, comments and metrics.
    fn kind(&self) -> &'static str;

    /// One attempt. `limit` bounds every single request of it, body included; a source that
    /// needs several requests (pages) may take longer in all, so the caller bounds the attempt
    /// by dropping the future, which leaves nothing behind.
    ///
    /// # Errors
    ///
    /// Whatever keeps the answer from being complete.
    fn fetch<'a>(
        &'a self,
        team: &'a str,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Team, SourceError>>;
}

#[cfg(test)]
mod tests;
