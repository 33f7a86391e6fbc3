//! What Patroni says about a cluster, and the one thing that we ask of it: a switchover before
//! its primary is taken away.
//!
//! In: the objects that Patroni keeps in Kubernetes, and its REST API (port 8008, no
//! authentication). Out: who leads. Never: an election, a failover or a promotion of our own.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

mod server;

pub use server::{Program, Server};

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

/// `GET /cluster`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Members {
    pub members: Vec<Member>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Member {
    pub name: String,
    pub role: String,
    #[serde(default)]
    pub state: String,
    /// Bytes behind, or the word `unknown`.
    #[serde(default)]
    pub lag: serde_json::Value,
}

impl Members {
    /// Whoever may take over: a synchronous standby first, then the one that is least behind.
    pub fn candidate(&self, may: impl Fn(&str) -> bool) -> Option<&str> {
        let runs = |member: &&Member| {
            ["running", "streaming", "in archive recovery"].contains(&member.state.as_str())
        };
        let follows =
            |member: &&Member| !["leader", "standby_leader"].contains(&member.role.as_str());
        let behind = |member: &&Member| {
            let is_synchronous = ["sync_standby", "quorum_standby"].contains(&member.role.as_str());
            (!is_synchronous, member.lag.as_u64().unwrap_or(u64::MAX), member.name.clone())
        };
        let able = self.members.iter().filter(follows).filter(runs).filter(|one| may(&one.name));
        able.min_by_key(behind).map(|member| member.name.as_str())
    }
}

/// Why Patroni did not do it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("Patroni at {address}: {reason}")]
pub struct PatroniError {
    pub address: IpAddr,
    pub reason: String,
}

/// One pod's REST API.
#[derive(Clone, Debug)]
pub struct Patroni {
    http: reqwest::Client,
    address: IpAddr,
    /// For everything but a switchover.
    patience: Duration,
}

impl Patroni {
    pub fn new(http: reqwest::Client, address: IpAddr, patience: Duration) -> Self {
        Self { http, address, patience }
    }

    /// # Errors
    /// No answer in time, or none that can be understood.
    pub async fn members(&self) -> Result<Members, PatroniError> {
        let request = self.http.get(self.url("cluster")).timeout(self.patience);
        let (_, body) = self.send(request).await?;
        serde_json::from_slice(&body).map_err(|error| self.error(&error.to_string()))
    }

    /// Hands the leadership over, and waits until it is done.
    ///
    /// # Errors
    /// What Patroni says against it.
    pub async fn switchover(&self, leader: &str, candidate: &str) -> Result<(), PatroniError> {
        let body = json!({ "leader": leader, "candidate": candidate }).to_string();
        let request = self.http.post(self.url("switchover")).timeout(SWITCHOVER).body(body);
        let (status, body) = self.send(request.header("content-type", "application/json")).await?;
        if status.is_success() {
            return Ok(());
        }
        Err(self.error(&format!("{status}: {}", String::from_utf8_lossy(&body))))
    }

    fn url(&self, path: &str) -> String {
        match self.address {
            IpAddr::V4(address) => format!("http://{address}:{PORT}/{path}"),
            IpAddr::V6(address) => format!("http://[{address}]:{PORT}/{path}"),
        }
    }

    async fn send(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<(reqwest::StatusCode, Vec<u8>), PatroniError> {
        let failed = |error: reqwest::Error| self.error(&error.without_url().to_string());
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
        PatroniError { address: self.address, reason }
    }
}

#[cfg(test)]
mod tests;
