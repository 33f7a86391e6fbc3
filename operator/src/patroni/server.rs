//! What Patroni says of the server of its own pod, as far as its version goes.

use serde::Deserialize;

use super::{Patroni, PatroniError};

/// `GET /patroni`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct Server {
    /// `running` and others.
    pub state: String,
    /// `primary`, before 4.0 `master`; `standby_leader`, `replica`.
    pub role: String,
    /// 150020 is 15.20; nothing while it does not run.
    pub server_version: Option<u32>,
    #[serde(default)]
    pub patroni: Program,
}

#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
pub struct Program {
    #[serde(default)]
    pub version: String,
}

impl Server {
    /// 15 of 15.20.
    pub fn major(&self) -> Option<u32> {
        self.server_version.map(|version| version / 10_000)
    }

    pub fn is_primary(&self) -> bool {
        ["master", "primary"].contains(&self.role.as_str())
    }

    /// Whether its Patroni calls a replica that follows `streaming`, as it does since 3.1. Before,
    /// it is `running`.
    pub fn tells_streaming(&self) -> bool {
        let mut parts = self.patroni.version.split('.').map(str::parse::<u32>);
        let mut number = || parts.next().and_then(Result::ok);
        number().zip(number()).is_none_or(|version| version >= (3, 1))
    }
}

impl Patroni {
    /// # Errors
    /// No answer in time, or none that can be understood. One that says that all is not well is an
    /// answer, too.
    pub async fn server(&self) -> Result<Server, PatroniError> {
        let request = self.http.get(self.url("patroni")).timeout(self.patience);
        let (_, body) = self.send(request).await?;
        serde_json::from_slice(&body).map_err(|error| self.error(&error.to_string()))
    }
}
