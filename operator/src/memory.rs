//! What was found out about each cluster since this process started. Losing it costs another
//! look, and nothing else.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::cluster::ClusterId;
use crate::databases::pooler::Lookup;
use crate::disturbance::Disturbance;
use crate::recent::Recent;
use crate::reconcile::Depends;
use crate::report::{Finding, Picture};
use crate::stages::volumes::Refusal;
use crate::stages::{PatroniConfig, Rolling};
use crate::switchover::Switchover;
use crate::tell::Told;
use crate::upgrade;
use crate::validate::Accepted;

/// By cluster.
#[derive(Debug)]
pub struct Memory {
    clusters: Mutex<HashMap<ClusterId, Known>>,
    /// Namespaces whose ServiceAccount and RoleBinding were seen to be right.
    namespaces: Mutex<Recent<String, ()>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { clusters: Mutex::default(), namespaces: Mutex::new(Recent::new(RIGHT)) }
    }
}

/// What is known of one.
#[derive(Debug, Default)]
pub struct Known {
    pub picture: Picture,
    /// The uid of a manifest whose end we are done with, and that somebody else keeps.
    pub ended: Option<String>,
    /// How often in a row a deletion had to wait.
    pub waits: u32,
    /// Whether its deletion has named what it leaves.
    pub told_what_stays: bool,
    /// The last manifest that was understood.
    pub accepted: Option<Arc<Accepted>>,
    /// Teams that have a say in it.
    pub teams: BTreeSet<String>,
    /// What is being done to its servers.
    pub disturbance: Disturbance,
    /// How it goes with a primary that hands over.
    pub switchover: Switchover,
    /// How it goes with pods that are made anew.
    pub rolling: Rolling,
    /// How it goes with Patroni's settings.
    pub patroni_config: PatroniConfig,
    /// What is known of its major version.
    pub upgrade: upgrade::Known,
    /// Claims for which the API server took no larger size.
    pub refused_growth: BTreeMap<String, Refusal>,
    /// What a pooler asks in the databases, and what came of it when they were looked at last.
    pub lookup: Option<Asked>,
    /// Since when something is missing that pods need in their environment.
    pub environment_missing_since: Option<Instant>,
    /// What PostgreSQL calls it, as Patroni keeps it in `initialize`.
    pub system: Option<String>,
    /// The Endpoints of the primary and of the replicas, for people to look at.
    pub endpoints: [Option<Value>; 2],
    /// The acceptance of restarts that was taken off the manifest when it had done its work.
    pub accepted_before: Option<String>,
    /// What its roles and databases depended on when they were made due last.
    pub depends: Option<Depends>,
    /// What its status is, where the watch may not have told yet.
    pub told: Option<Told>,
    /// Two stages never write one status at a time.
    pub writing: Arc<tokio::sync::Mutex<()>>,
}

/// What came of what a pooler asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    pub lookup: Lookup,
    pub finding: Finding,
    /// Whether a pooler that asks so gets answers.
    pub answers: bool,
}

/// How long a namespace that was right counts as right.
const RIGHT: Duration = Duration::from_secs(300);

impl Memory {
    /// Changes what is known of a cluster.
    pub fn with<T>(&self, cluster: &ClusterId, change: impl FnOnce(&mut Known) -> T) -> T {
        change(self.lock().entry(cluster.clone()).or_default())
    }

    /// The same, of one of which something is known.
    pub fn read<T>(&self, cluster: &ClusterId, look: impl FnOnce(&Known) -> T) -> Option<T> {
        self.lock().get(cluster).map(look)
    }

    pub fn forget(&self, cluster: &ClusterId) {
        self.lock().remove(cluster);
    }

    /// Every team that some cluster has to do with.
    pub fn teams(&self) -> BTreeSet<String> {
        self.lock().values().flat_map(|known| known.teams.iter().cloned()).collect()
    }

    /// Clusters in which a team has a say.
    pub fn with_team(&self, team: &str) -> Vec<ClusterId> {
        let has = |known: &Known| known.teams.contains(team);
        self.lock().iter().filter(|(_, known)| has(known)).map(|(id, _)| id.clone()).collect()
    }

    pub fn is_namespace_right(&self, namespace: &str) -> bool {
        self.namespaces().get(&namespace.to_owned(), Instant::now()).is_some()
    }

    /// Another configuration may ask for something else.
    pub fn forget_namespaces(&self) {
        self.namespaces().forget_all();
    }

    pub fn namespace_is_right(&self, namespace: &str) {
        self.namespaces().note(namespace.to_owned(), Instant::now(), ());
    }

    fn namespaces(&self) -> MutexGuard<'_, Recent<String, ()>> {
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClusterId, Known>> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
