//! The world as it is: a file, sources of teams, and PostgreSQL.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Setup, Work};
use crate::approve::Releases;
use crate::config::{Config, Environment};
use crate::fleet::{self, Facts};
use crate::sync::{Mode, Report, Server, sync};
use crate::teams::BoxFuture;
use crate::teams::fetch::Limits;

/// All attempts to get one team.
const LONGEST_FETCH: Duration = Duration::from_secs(10);

/// Works on real servers.
#[derive(Clone, Debug)]
pub struct Live {
    pub path: PathBuf,
    /// Only these servers; all of them where this is empty.
    pub only: Vec<String>,
}

impl Live {
    /// Reads the configuration, or says what is wrong with it.
    fn read(path: &Path, only: &[String]) -> Result<Setup, String> {
        let environment = |name: &str| std::env::var(name).ok();
        Setup::load(path, only, &environment)
    }
}

impl Setup {
    /// Reads a configuration, of which only some servers are to be kept.
    ///
    /// # Errors
    /// In one sentence, as a person is to read it.
    pub fn load(
        path: &Path,
        only: &[String],
        environment: Environment<'_>,
    ) -> Result<Self, String> {
        let config = Config::load(path, environment).map_err(|error| error.to_string())?;
        Self::of(config, only)
    }

    pub(super) fn of(config: Config, only: &[String]) -> Result<Self, String> {
        for name in only {
            if !config.servers.iter().any(|server| server.name == *name) {
                return Err(format!("there is no server {name:?} in the configuration"));
            }
        }
        let is_wanted = |server: &&Server| only.is_empty() || only.contains(&server.name);
        let servers: Vec<_> = config.servers.iter().filter(is_wanted).cloned().collect();
        if servers.is_empty() {
            return Err("the configuration has no [[server]]".to_owned());
        }
        let engine = fleet::engine(&config).ok_or("the system has no randomness")?;
        Ok(Self { config: Arc::new(config), engine, servers })
    }
}

impl Work for Live {
    fn load(&self) -> BoxFuture<'_, Result<Setup, String>> {
        let Self { path, only } = self.clone();
        Box::pin(async move {
            // Files may be far away, and whoever waits for them must not stop everything else.
            let reading = tokio::task::spawn_blocking(move || Self::read(&path, &only));
            reading.await.unwrap_or_else(|error| Err(error.to_string()))
        })
    }

    fn fetch<'a>(&'a self, setup: &'a Setup) -> BoxFuture<'a, Facts> {
        // A team without an answer is asked again in the next period; those that have one should
        // not wait for it any longer than that.
        let limits = Limits { team: LONGEST_FETCH, ..Limits::default() };
        Box::pin(async move { fleet::facts(&setup.config, &setup.servers, &limits).await })
    }

    fn sync<'a>(
        &'a self,
        setup: &'a Setup,
        server: &'a Server,
        facts: &'a Facts,
        releases: Releases,
    ) -> BoxFuture<'a, Report> {
        Box::pin(async move {
            let desired = fleet::desired_of(&setup.config, facts, server);
            let mode = Mode::Apply(releases);
            sync(server, &desired, &setup.engine, &mode, Timestamp::now()).await
        })
    }
}
