//! What Patroni says about a cluster, and what we ask of it: a switchover before its primary is
//! taken away (`crate::switchover` asks, and nobody else), other settings ([`dynamic`]), and
//! restarts that are pending.
//!
//! In: the objects that Patroni keeps in Kubernetes, and its REST API (port 8008, no
//! authentication). Out: who leads. Never: an election, a failover or a promotion of our own.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde::Deserialize;
use serde_json::json;

use crate::failure::causes;

pub mod dynamic;
mod pause;
mod rest;
mod view;

pub use pause::{PAUSE, is_paused, pause_complaint};
pub use rest::{Instance, Meant, Program, Turn};
pub use view::View;

/// Patroni's REST API in every pod.
pub const PORT: u16 = 8008;
/// A switchover answers when it is done, which takes up to a few loops of Patroni.
const SWITCHOVER: Duration = Duration::from_secs(30);
/// A body is small; more is nonsense.
const LONGEST_BODY: usize = 256 * 1024;

/// The annotation `leader` of the leader object: the name of a pod. Truth, where the role label
/// may be late.
pub fn leader(annotations: &BTreeMap<String, String>) -> Option<&str> {
    annotations.get("leader").map(String::as_str).filter(|leader| !leader.is_empty())
}

/// The annotation of its pod in which Patroni notes at each turn how it is. It is never taken
/// away, and in etcd's mode there is none.
const STATUS: &str = "status";

/// What Patroni says of itself before there is a cluster.
const BOOTSTRAPS: [&str; 3] = [
    "initializing new cluster",
    "running custom bootstrap script",
    "starting after custom bootstrap",
];

/// Whether Patroni ever noted anything about this pod.
pub fn has_noted(pod: &Pod) -> bool {
    pod.annotations().contains_key(STATUS)
}

/// Whether Patroni says that a restart is pending there. It is as old as its last turn.
pub fn says_pending(pod: &Pod) -> bool {
    noted(pod).is_some_and(|status| status["pending_restart"] == true)
}

/// Whether Patroni is making the cluster in this pod: `initdb`, or a copy or backup that may take
/// hours. An older Patroni sets no label for that.
pub fn bootstraps(pod: &Pod) -> bool {
    noted(pod).is_some_and(|status| {
        status["state"].as_str().is_some_and(|state| BOOTSTRAPS.contains(&state))
    })
}

/// Whether the settings that Patroni keeps in the annotations of its `-config` object pause it.
pub fn pauses(annotations: &BTreeMap<String, String>) -> bool {
    let config = annotations.get("config");
    let config = config.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    config.is_some_and(|config| config["pause"] == true)
}

fn noted(pod: &Pod) -> Option<serde_json::Value> {
    serde_json::from_str(pod.annotations().get(STATUS)?).ok()
}

/// `GET /cluster`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Members {
    pub members: Vec<Member>,
    /// One that waits for its time, if there is one.
    #[serde(default)]
    pub scheduled_switchover: Option<Scheduled>,
    #[serde(default)]
    pub pause: bool,
}

/// A switchover to come.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Scheduled {
    /// As Patroni writes a time.
    pub at: String,
}

/// One of them, as it was at its last turn.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Member {
    pub name: String,
    pub role: String,
    #[serde(default)]
    pub state: String,
    /// Bytes behind, or the word `unknown`.
    #[serde(default)]
    pub lag: serde_json::Value,
    #[serde(default)]
    pub pending_restart: bool,
    /// `nofailover` and others.
    #[serde(default)]
    pub tags: serde_json::Map<String, serde_json::Value>,
}

/// Who leads a standby cluster.
const STANDBY_LEADER: &str = "standby_leader";

impl Member {
    pub fn leads(&self) -> bool {
        ["leader", STANDBY_LEADER].contains(&self.role.as_str())
    }
}

impl Member {
    /// Whether its tags say that it never leads, as Patroni reads them.
    pub fn never_leads(&self) -> bool {
        let priority = self.tags.get("failover_priority").and_then(serde_json::Value::as_i64);
        match self.tags.get("nofailover").and_then(serde_json::Value::as_bool) {
            Some(never) => never,
            None => priority.is_some_and(|priority| priority <= 0),
        }
    }
}

/// Why Patroni did not do it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("Patroni at {address}: {reason}")]
pub struct PatroniError {
    pub address: IpAddr,
    pub reason: String,
    /// Whether what was asked for may have been done all the same: an answer may be late or lost.
    pub may_be_done: bool,
}

/// One pod's REST API.
#[derive(Clone, Debug)]
pub struct Patroni {
    http: reqwest::Client,
    address: IpAddr,
    port: u16,
    /// For everything but a switchover.
    patience: Duration,
    /// Whose it is: other answers do not count.
    meant: Meant,
}

impl Patroni {
    pub fn new(http: reqwest::Client, address: IpAddr, patience: Duration, meant: Meant) -> Self {
        Self { http, address, port: PORT, patience, meant }
    }

    /// Hands the leadership over, and waits until it is done; with a time, until Patroni has
    /// noted it.
    ///
    /// # Errors
    /// What Patroni says against it.
    pub(crate) async fn switchover(
        &self,
        leader: &str,
        candidate: &str,
        at: Option<Timestamp>,
    ) -> Result<(), PatroniError> {
        let mut body = json!({ "leader": leader, "candidate": candidate });
        if let Some(at) = at {
            body["scheduled_at"] = json!(at.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string());
        }
        let request = self.http.post(self.url("switchover")).timeout(SWITCHOVER);
        let request = request.body(body.to_string());
        let (status, body) = self.send(request.header("content-type", "application/json")).await?;
        if status.is_success() {
            return Ok(());
        }
        Err(self.error(&format!("{status}: {}", String::from_utf8_lossy(&body))))
    }

    /// Takes the time away at which the leadership was to be handed over. That none is set any
    /// more is no error.
    ///
    /// # Errors
    /// What Patroni says against it.
    pub(crate) async fn withdraw_switchover(&self) -> Result<(), PatroniError> {
        let request = self.http.delete(self.url("switchover")).timeout(self.patience);
        let (status, body) = self.send(request).await?;
        if status.is_success() || status == reqwest::StatusCode::NOT_FOUND {
            return Ok(());
        }
        Err(self.error(&format!("{status}: {}", String::from_utf8_lossy(&body))))
    }

    fn url(&self, path: &str) -> String {
        match self.address {
            IpAddr::V4(address) => format!("http://{address}:{}/{path}", self.port),
            IpAddr::V6(address) => format!("http://[{address}]:{}/{path}", self.port),
        }
    }

    async fn send(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<(reqwest::StatusCode, Vec<u8>), PatroniError> {
        let failed = |error: reqwest::Error| {
            let may_be_done = !error.is_connect();
            PatroniError { may_be_done, ..self.error(&causes(&error.without_url())) }
        };
        let mut answer = request.send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_BODY {
                return Err(self.error("the answer has no end"));
            }
        }
        Ok((answer.status(), body))
    }

    fn error(&self, reason: &str) -> PatroniError {
        let mut reason = reason.trim().escape_debug().to_string();
        reason.truncate(reason.char_indices().nth(300).map_or(reason.len(), |(end, _)| end));
        PatroniError { address: self.address, reason, may_be_done: true }
    }
}

#[cfg(test)]
mod tests;
