//! What the operator knows and does at this moment, for the HTTP API and for metrics.
//!
//! The controller and the workers write, whoever asks over HTTP reads. Nothing here waits for
//! anything but a lock that is held for moments, and no secret gets onto it. What is gone from
//! the cluster is gone from here, so it does not grow.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use teams_sync::service::Heartbeat;

use super::counts::Counts;
use super::facts::{
    ClusterFacts, ControllerFacts, InfrastructureRole, Limits, Orphan, QueueEntry, RoleSync,
};
use super::redact::{redact, scrub};
use super::rings::{Change, LogLine, push};
use crate::cluster::ClusterId;

/// Share it in an `Arc`.
#[derive(Debug)]
pub struct Board {
    state: Mutex<State>,
    heartbeat: OnceLock<Heartbeat>,
    clock: fn() -> Timestamp,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) limits: Limits,
    pub(super) workers: BTreeMap<usize, Worker>,
    pub(super) clusters: BTreeMap<ClusterId, Known>,
    pub(super) queue: Vec<QueueEntry>,
    /// `None` until the election said something.
    pub(super) leading: Option<bool>,
    pub(super) in_sync: bool,
    /// Kinds of which the caches know nothing yet.
    pub(super) missing: Vec<&'static str>,
    pub(super) config: Option<(ControllerFacts, Value)>,
    pub(super) roles: Vec<InfrastructureRole>,
    pub(super) last_sync: Option<Timestamp>,
    pub(super) orphans: Vec<Orphan>,
    pub(super) counts: Counts,
}

#[derive(Debug, Default)]
pub(super) struct Worker {
    /// Which cluster it works on, and at what.
    pub(super) current: Option<(ClusterId, Process)>,
    pub(super) logs: VecDeque<LogLine>,
}

#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) name: String,
    pub(super) start: Timestamp,
}

/// A cluster that was worked on or seen, and is not gone.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) facts: Option<ClusterFacts>,
    /// The worker that had it last.
    pub(super) worker: usize,
    pub(super) people: RoleSync,
    pub(super) logs: VecDeque<LogLine>,
    pub(super) history: VecDeque<Change>,
}

impl Board {
    /// Nothing is known yet.
    pub fn new(limits: Limits) -> Self {
        Self::with_clock(limits, Timestamp::now)
    }

    pub(super) fn with_clock(limits: Limits, clock: fn() -> Timestamp) -> Self {
        let state = State {
            limits,
            workers: (0..limits.workers).map(|id| (id, Worker::default())).collect(),
            clusters: BTreeMap::new(),
            queue: Vec::new(),
            leading: None,
            in_sync: false,
            missing: Vec::new(),
            config: None,
            roles: Vec::new(),
            last_sync: None,
            orphans: Vec::new(),
            counts: Counts::default(),
        };
        Self { state: Mutex::new(state), heartbeat: OnceLock::new(), clock }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Each method leaves it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// New limits hold from now on. A worker that is too many stays until it is idle.
    pub fn limit(&self, limits: Limits) {
        let mut state = self.state();
        state.limits = limits;
        state.workers.retain(|id, worker| *id < limits.workers || worker.current.is_some());
        for id in 0..limits.workers {
            state.workers.entry(id).or_default();
        }
    }

    /// The main loop lives. From the first call on, `/healthz` fails where none came for 15
    /// seconds.
    pub fn beat(&self) {
        self.heartbeat.get_or_init(Heartbeat::new).beat();
    }

    pub(super) fn is_alive(&self) -> bool {
        self.heartbeat.get().is_none_or(Heartbeat::is_fresh)
    }

    /// A worker begins with a cluster.
    pub fn worker_begins(&self, worker: usize, cluster: &ClusterId, step: &str) {
        let process = Process { name: step.to_owned(), start: (self.clock)() };
        let mut state = self.state();
        state.clusters.entry(cluster.clone()).or_default().worker = worker;
        state.workers.entry(worker).or_default().current = Some((cluster.clone(), process));
    }

    /// A worker goes on with the next step on the same cluster.
    pub fn worker_step(&self, worker: usize, step: &str) {
        let process = Process { name: step.to_owned(), start: (self.clock)() };
        if let Some(current) =
            self.state().workers.get_mut(&worker).and_then(|worker| worker.current.as_mut())
        {
            current.1 = process;
        }
    }

    /// A worker has nothing to do.
    pub fn worker_idle(&self, worker: usize) {
        let mut state = self.state();
        if worker >= state.limits.workers {
            state.workers.remove(&worker);
        } else if let Some(known) = state.workers.get_mut(&worker) {
            known.current = None;
        }
    }

    /// All clusters that wait, the next one first.
    pub fn queue_changed(&self, queue: Vec<QueueEntry>) {
        self.state().queue = queue;
    }

    /// A cluster exists, and this is how it is. Secrets are taken out of it here.
    pub fn cluster_seen(&self, cluster: &ClusterId, mut facts: ClusterFacts) {
        facts.error = facts.error.map(|error| scrub(&error).into_owned());
        self.state().clusters.entry(cluster.clone()).or_default().facts = Some(facts);
    }

    /// A cluster does not exist any more; call it for one that was only begun with, too.
    pub fn cluster_gone(&self, cluster: &ClusterId) {
        self.state().clusters.remove(cluster);
    }

    /// What changed in the manifest of a cluster on the board, in lines such as those of
    /// [`differences`](super::differences). Nothing is kept of no lines.
    pub fn history(&self, cluster: &ClusterId, diff: Vec<String>) {
        if diff.is_empty() {
            return;
        }
        let process = (self.clock)();
        let diff = diff.iter().map(|line| scrub(line).into_owned()).collect();
        let mut state = self.state();
        let event = state.process_of(cluster).map_or(process, |process| process.start);
        let most = state.limits.history_entries;
        if let Some(known) = state.clusters.get_mut(cluster) {
            push(&mut known.history, most, Change { event, process, diff });
        }
    }

    /// A line of the log. It is kept where its cluster and its worker are on the board.
    pub(super) fn logged(&self, line: LogLine) {
        let mut state = self.state();
        let most = state.limits.log_lines;
        if let Some(known) = line.worker.and_then(|id| state.workers.get_mut(&id)) {
            push(&mut known.logs, most, line.clone());
        }
        if let Some(known) = line.cluster.as_ref().and_then(|id| state.clusters.get_mut(id)) {
            push(&mut known.logs, most, line);
        }
    }

    /// Whether we are the leader among several operators.
    pub fn leads(&self, leads: bool) {
        self.state().leading = Some(leads);
    }

    /// Whether the caches hold everything that the API server has.
    pub fn in_sync(&self, in_sync: bool) {
        self.state().in_sync = in_sync;
    }

    /// Which kinds were not listed yet.
    pub fn not_listed(&self, kinds: Vec<&'static str>) {
        self.state().missing = kinds;
    }

    /// The configuration in use: how the operator was started, and all options by their names in
    /// Go. Secrets are taken out of it here.
    pub fn configured(&self, controller: ControllerFacts, mut operator: Value) {
        redact(&mut operator);
        self.state().config = Some((controller, operator));
    }

    /// All infrastructure roles.
    pub fn infrastructure_roles(&self, mut roles: Vec<InfrastructureRole>) {
        for value in roles.iter_mut().filter_map(|role| role.parameters.as_mut()) {
            for text in value.values_mut() {
                *text = scrub(text).into_owned();
            }
        }
        self.state().roles = roles;
    }

    /// All clusters were looked at, now.
    pub fn synced(&self) {
        let now = (self.clock)();
        self.state().last_sync = Some(now);
    }

    /// All objects whose manifest does not exist.
    pub fn orphans(&self, orphans: Vec<Orphan>) {
        self.state().orphans = orphans;
    }

    /// What the last sync of people in a cluster on the board found.
    pub fn people_synced(&self, cluster: &ClusterId, people: RoleSync) {
        if let Some(known) = self.state().clusters.get_mut(cluster) {
            known.people = people;
        }
    }

    /// What readiness still waits for, if anything: the configuration, and full caches where we
    /// do not merely stand by.
    pub(super) fn awaited(&self) -> Option<String> {
        let state = self.state();
        if state.config.is_none() {
            return Some("no configuration is loaded yet".to_owned());
        }
        let stands_by = state.leading == Some(false);
        let kinds = match state.missing.as_slice() {
            [] => String::new(),
            kinds => format!(": {}", kinds.join(", ")),
        };
        (!state.in_sync && !stands_by).then(|| format!("the caches are not filled yet{kinds}"))
    }
}

impl State {
    /// What is done to a cluster at the moment.
    pub(super) fn process_of(&self, cluster: &ClusterId) -> Option<&Process> {
        let mut current = self.workers.values().filter_map(|worker| worker.current.as_ref());
        current.find(|(on, _)| on == cluster).map(|(_, process)| process)
    }

    /// Clusters that were seen, with what is known of them.
    pub(super) fn seen(&self) -> impl Iterator<Item = (&ClusterId, &ClusterFacts)> {
        self.clusters.iter().filter_map(|(id, known)| Some((id, known.facts.as_ref()?)))
    }
}
