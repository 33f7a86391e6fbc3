//! What Patroni's REST API says about the settings of a cluster and about one instance, and the
//! two things that change them: a patch of the settings, and a restart that is pending.
//!
//! In: a pod's [`Patroni`]. Out: typed answers, or why there is none: any status but 2xx is an
//! error with the words that came with it, and so is a body that is not what it should be, or one
//! that another pod's Patroni gave. Never a decision, and never a second try: whoever asks knows for
//! how long it may take.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Members, Patroni, PatroniError};

mod meant;

pub use meant::Meant;

/// A restart answers when PostgreSQL runs again. Patroni itself gives up after
/// `primary_start_timeout`, 300 seconds.
const RESTART: Duration = Duration::from_secs(330);

/// `GET /patroni`: one instance, as it is now.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Instance {
    /// `running` and others.
    pub state: String,
    /// `primary`, `replica`, `standby_leader`; before 4.0 `master`.
    pub role: String,
    /// `streaming` and others; nothing before 3.1, and nothing of a primary.
    #[serde(default)]
    pub replication_state: Option<String>,
    /// 150020 is 15.20; nothing while it does not run.
    #[serde(default)]
    pub server_version: Option<u32>,
    #[serde(default)]
    pub pending_restart: bool,
    /// By parameter; nothing before 4.0.
    #[serde(default)]
    pub pending_restart_reason: BTreeMap<String, Turn>,
    pub patroni: Program,
}

/// What a restart would change of one parameter.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Turn {
    #[serde(default)]
    pub old_value: Value,
    #[serde(default)]
    pub new_value: Value,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Program {
    pub version: String,
}

impl Instance {
    /// 15 of 15.20.
    pub fn major(&self) -> Option<u32> {
        self.server_version.map(|version| version / 10_000)
    }

    /// Not one that leads a standby cluster.
    pub fn is_primary(&self) -> bool {
        ["master", "primary"].contains(&self.role.as_str())
    }

    /// Since 3.1 a replica says whether it streams.
    pub fn tells_streaming(&self) -> bool {
        tells_streaming(&self.patroni.version)
    }
}

/// Whoever does not say which version it is is taken for a newer one.
pub(super) fn tells_streaming(version: &str) -> bool {
    let mut parts = version.split('.').map(str::parse::<u32>);
    let mut number = || parts.next().and_then(Result::ok);
    number().zip(number()).is_none_or(|version| version >= (3, 1))
}

impl Patroni {
    /// The settings that all members share, as they were written.
    ///
    /// # Errors
    /// No answer in time, none that is a success, or one that is no object.
    pub async fn config(&self) -> Result<Map<String, Value>, PatroniError> {
        self.fetch("config").await
    }

    /// # Errors
    /// No answer in time, none that is a success, or one that cannot be understood.
    pub async fn members(&self) -> Result<Members, PatroniError> {
        self.fetch("cluster").await
    }

    /// # Errors
    /// No answer in time, none that is a success, or one that cannot be understood.
    pub async fn instance(&self) -> Result<Instance, PatroniError> {
        self.fetch("patroni").await
    }

    /// Changes the settings that all members share: `null` takes one away, and what is not named
    /// stays. What they are then.
    ///
    /// # Errors
    /// What Patroni says against it, or an answer that is no object.
    pub async fn change_config(&self, patch: &Value) -> Result<Map<String, Value>, PatroniError> {
        let request = self.http.patch(self.url("config")).timeout(self.patience);
        let body = self.succeeds("PATCH /config", request.body(patch.to_string())).await?;
        self.understood("PATCH /config", &body)
    }

    /// Restarts PostgreSQL of this pod, if Patroni says that a restart is pending there, and waits
    /// until it runs again.
    ///
    /// # Errors
    /// What Patroni says against it.
    pub async fn restart_pending(&self) -> Result<(), PatroniError> {
        let body = json!({ "restart_pending": true }).to_string();
        let request = self.http.post(self.url("restart")).timeout(RESTART).body(body);
        self.succeeds("POST /restart", request).await.map(drop)
    }

    /// Makes Patroni of this pod compare what PostgreSQL runs with and what it should run with, at
    /// its next turn.
    ///
    /// # Errors
    /// What Patroni says against it.
    pub async fn reload(&self) -> Result<(), PatroniError> {
        let request = self.http.post(self.url("reload")).timeout(self.patience);
        self.succeeds("POST /reload", request).await.map(drop)
    }

    pub(super) async fn fetch<T: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
    ) -> Result<T, PatroniError> {
        let what = format!("GET /{path}");
        let request = self.http.get(self.url(path)).timeout(self.patience);
        let body = self.succeeds(&what, request).await?;
        let answer: Value = self.understood(&what, &body)?;
        if let Some(why) = self.meant.why_not(path, &answer) {
            return Err(self.error(&why));
        }
        T::deserialize(answer).map_err(|error| self.nonsense(&what, &error))
    }

    /// The body of an answer that is a success.
    async fn succeeds(
        &self,
        what: &str,
        request: reqwest::RequestBuilder,
    ) -> Result<Vec<u8>, PatroniError> {
        let (status, body) = self.send(request.header("content-type", "application/json")).await?;
        if status.is_success() {
            return Ok(body);
        }
        let error = self.error(&format!("{what}: {status}: {}", String::from_utf8_lossy(&body)));
        // Whoever asks must not, or there is no such thing.
        Err(PatroniError { may_be_done: ![401, 403, 404].contains(&status.as_u16()), ..error })
    }

    fn understood<T: for<'de> Deserialize<'de>>(
        &self,
        what: &str,
        body: &[u8],
    ) -> Result<T, PatroniError> {
        serde_json::from_slice(body).map_err(|error| self.nonsense(what, &error))
    }

    fn nonsense(&self, what: &str, error: &serde_json::Error) -> PatroniError {
        self.error(&format!("{what}: the answer cannot be understood: {error}"))
    }
}

#[cfg(test)]
mod tests;
