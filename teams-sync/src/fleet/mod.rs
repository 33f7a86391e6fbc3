//! Many servers: every team is asked for once, for all of them, and each server is brought in
//! line by itself.

mod robots;
mod setup;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::StreamExt;
use jiff::Timestamp;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::desired::{Desired, desired};
use crate::infrastructure::Infrastructure;
use crate::password::Checked;
use crate::sync::{Engine, Identities, Mode, Report, Server, sync};
use crate::teams::fetch::{Answer, Limits, fetch_all};

pub use robots::robots;
pub use setup::Setup;

/// Servers that are connected to at once: a thousand that do not answer take two rounds of
/// `connect_timeout`. Most systems allow a process 1024 descriptors.
const AT_ONCE: usize = 512;

/// What is known before any server is asked.
#[derive(Debug)]
pub struct Facts {
    pub answers: BTreeMap<String, Answer>,
    pub robots: Infrastructure,
}

/// Every team that some server has to do with.
pub fn teams(config: &Config, servers: &[Server]) -> BTreeSet<String> {
    servers.iter().flat_map(|server| crate::desired::teams(&config.humans, &server.rules)).collect()
}

/// Asks for all teams at once, and reads the files of the robots.
pub async fn facts(config: &Arc<Config>, servers: &[Server], limits: &Limits) -> Facts {
    let teams = teams(config, servers);
    let reading = Arc::clone(config);
    let robots = tokio::task::spawn_blocking(move || robots(&reading));
    let answers = fetch_all(&config.sources, &teams, limits).await;
    // Reading files does not panic; if it did, nothing would be known of robots.
    let robots = robots.await.unwrap_or_else(|error| Infrastructure {
        frozen: Some(error.to_string()),
        ..Infrastructure::default()
    });
    Facts { answers, robots }
}

/// The roles of one server.
pub fn desired_of(config: &Config, facts: &Facts, server: &Server) -> Desired {
    desired(&config.humans, &config.names, &server.rules, &facts.answers, &facts.robots)
}

/// What all servers have in common. `None` where the system has no randomness.
pub fn engine(config: &Config) -> Option<Engine> {
    Some(Engine {
        database: config.apply.database.clone(),
        guard: config.guard,
        connect_limit: config.apply.connect_timeout,
        turns: Semaphore::new(config.apply.parallel),
        lock_limit: config.apply.lock_timeout,
        pass_limit: config.apply.timeout,
        checked: Checked::new()?,
        identities: Identities::default(),
    })
}

/// One pass over all servers; `progress` hears of each.
pub async fn pass(
    setup: &Arc<Setup>,
    facts: &Arc<Facts>,
    mode: &Mode,
    now: Timestamp,
    progress: impl Fn(&Report),
) -> Vec<Report> {
    let each = setup.servers.iter().enumerate().map(|(number, server)| {
        let (setup, facts) = (Arc::clone(setup), Arc::clone(facts));
        let (server, mode) = (server.clone(), mode.clone());
        async move {
            // A task of its own: planning for a thousand servers should use all cores.
            let name = server.name.clone();
            let pass = tokio::spawn(async move {
                let desired = desired_of(&setup.config, &facts, &server);
                sync(&server, &desired, &setup.engine, &mode, now).await
            });
            let report = pass.await;
            (number, report.unwrap_or_else(|error| Report::broken(&name, &error.to_string())))
        }
    });
    let mut running = futures_util::stream::iter(each).buffer_unordered(AT_ONCE);
    let mut reports = BTreeMap::new();
    while let Some((number, report)) = running.next().await {
        progress(&report);
        reports.insert(number, report);
    }
    reports.into_values().collect()
}
