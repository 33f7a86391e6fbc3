//! The world as it is: a file, sources of teams, and PostgreSQL.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::Work;
use crate::approve::Releases;
use crate::fleet::{self, Facts, Setup};
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
