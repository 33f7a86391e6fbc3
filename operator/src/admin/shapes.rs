//! The answers as others read them: names, order and quirks of fields are those of
//! zalando/postgres-operator.
//!
//! The state of the board goes in, what can be serialized comes out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;
use tracing::Level;

use super::board::{Process, State, Worker};
use super::facts::{ClusterFacts, ControllerFacts, Objects, RoleShape, Shown};
use super::rings::{Change, LogLine};
use crate::cluster::ClusterId;

/// Time zero of Go: nothing began.
const NEVER: &str = "0001-01-01T00:00:00Z";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Status {
    last_sync_time: i64,
    clusters: usize,
    worker_queue_size: BTreeMap<usize, usize>,
}

impl Status {
    pub(super) fn of(state: &State) -> Self {
        Self {
            last_sync_time: state.last_sync.map_or(0, Timestamp::as_second),
            clusters: state.seen().count(),
            worker_queue_size: state
                .workers
                .keys()
                .map(|id| (*id, queue(state, *id).len()))
                .collect(),
        }
    }
}

/// There is one queue for all workers; so that sums are right, it is told as that of worker 0.
fn queue(state: &State, worker: usize) -> &[super::QueueEntry] {
    if worker == 0 { &state.queue } else { &[] }
}

#[derive(Serialize)]
pub(super) struct Config<'a> {
    controller: Controller<'a>,
    operator: &'a Value,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Controller<'a> {
    infrastructure_roles: BTreeMap<&'a str, RoleShape<'a>>,
    #[serde(flatten)]
    facts: &'a ControllerFacts,
}

impl<'a> Config<'a> {
    pub(super) fn of(state: &'a State) -> Option<Self> {
        let (facts, operator) = state.config.as_ref()?;
        let roles = state.roles.iter().map(|role| (role.name.as_str(), role.into())).collect();
        Some(Self { controller: Controller { infrastructure_roles: roles, facts }, operator })
    }
}

/// Names of clusters by team.
pub(super) fn teams(state: &State) -> BTreeMap<String, Vec<&str>> {
    let mut teams: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (id, facts) in state.seen() {
        teams.entry(facts.team.to_lowercase()).or_default().push(&id.name);
    }
    teams
}

/// Databases by the name of their cluster; clusters of one name in several namespaces share one
/// list.
pub(super) fn databases(state: &State) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut databases: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (id, facts) in state.seen() {
        let names = facts.databases.iter().map(String::as_str);
        databases.entry(&id.name).or_default().extend(names);
    }
    databases
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ProcessShape<'a> {
    name: &'a str,
    #[serde(serialize_with = "or_never")]
    start_time: Option<Timestamp>,
}

fn or_never<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => time.serialize(to),
        None => to.serialize_str(NEVER),
    }
}

impl<'a> ProcessShape<'a> {
    fn of(process: Option<&'a Process>) -> Self {
        let name = process.map_or("", |process| &process.name);
        Self { name, start_time: process.map(|process| process.start) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Cluster<'a> {
    team: &'a str,
    cluster: &'a str,
    namespace: &'a str,
    #[serde(flatten)]
    objects: &'a Objects,
    current_process: ProcessShape<'a>,
    worker: usize,
    status: ClusterStatus<'a>,
    spec: &'a Shown,
    error: ClusterError<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ClusterStatus<'a> {
    postgres_cluster_status: &'a str,
}

/// An object, whatever happened: readers of the reference know `{}` alone.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ClusterError<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl<'a> Cluster<'a> {
    pub(super) fn of(state: &'a State, id: &'a ClusterId) -> Option<Self> {
        let known = state.clusters.get(id)?;
        let facts: &ClusterFacts = known.facts.as_ref()?;
        Some(Self {
            team: &facts.team,
            cluster: &id.name,
            namespace: &id.namespace,
            objects: &facts.objects,
            current_process: ProcessShape::of(state.process_of(id)),
            worker: known.worker,
            status: ClusterStatus { postgres_cluster_status: &facts.phase },
            spec: &facts.spec,
            error: ClusterError { message: facts.error.as_deref() },
        })
    }
}

/// A line in the log of a cluster, which says the worker, or in that of a worker, which says the
/// cluster.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Log<'a> {
    time: Timestamp,
    level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<usize>,
    message: &'a str,
}

impl<'a> Log<'a> {
    pub(super) fn of_cluster(line: &'a LogLine) -> Self {
        Self { cluster_name: None, worker: line.worker, ..Self::of_worker(line) }
    }

    pub(super) fn of_worker(line: &'a LogLine) -> Self {
        Self {
            time: line.time,
            level: level(line.level),
            cluster_name: line.cluster.as_ref().map(ToString::to_string),
            worker: None,
            message: &line.message,
        }
    }
}

/// As logrus calls it.
pub(super) fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct History<'a> {
    event_time: Timestamp,
    process_time: Timestamp,
    diff: &'a [String],
}

impl<'a> From<&'a Change> for History<'a> {
    fn from(change: &'a Change) -> Self {
        Self { event_time: change.event, process_time: change.process, diff: &change.diff }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Queue<'a> {
    keys: Vec<String>,
    list: Vec<Event<'a>>,
}

/// Manifests are not in it: they are told by cluster, without secrets.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Event<'a> {
    event_time: Timestamp,
    #[serde(rename = "UID")]
    uid: &'a str,
    event_type: String,
    old_spec: Option<()>,
    new_spec: Option<()>,
    #[serde(rename = "WorkerID")]
    worker_id: usize,
}

impl<'a> Queue<'a> {
    pub(super) fn of(state: &'a State, worker: usize) -> Self {
        let entries = queue(state, worker);
        let event = |entry: &'a super::QueueEntry| {
            let facts = state.clusters.get(&entry.cluster).and_then(|known| known.facts.as_ref());
            Event {
                event_time: entry.since,
                uid: facts.map_or("", |facts| &facts.uid),
                event_type: entry.why.to_uppercase(),
                old_spec: None,
                new_spec: None,
                worker_id: worker,
            }
        };
        Self {
            keys: entries.iter().map(|entry| entry.cluster.to_string()).collect(),
            list: entries.iter().map(event).collect(),
        }
    }
}

/// What a worker does.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum WorkerStatus<'a> {
    Idle(&'static str),
    #[serde(rename_all = "PascalCase")]
    Busy {
        current_cluster: NamespacedName<'a>,
        current_process: ProcessShape<'a>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct NamespacedName<'a> {
    namespace: &'a str,
    name: &'a str,
}

impl<'a> From<&'a Worker> for WorkerStatus<'a> {
    fn from(worker: &'a Worker) -> Self {
        let Some((id, process)) = &worker.current else { return Self::Idle("idle") };
        Self::Busy {
            current_cluster: NamespacedName { namespace: &id.namespace, name: &id.name },
            current_process: ProcessShape::of(Some(process)),
        }
    }
}
