//! The nodes as they were last seen, and when each of them turned.
//!
//! In: the events of a watch. Out: nodes by name, and which of them have turned. A node that is
//! not known counts for nothing: a pod may be seen before its node is, and without the right to
//! list nodes none is ever known. One that was seen to go is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;
use kube::runtime::watcher::Event;
use tokio::sync::watch;

use super::facts::{Facts, Sign};

/// All nodes.
pub struct Nodes {
    state: RwLock<State>,
    /// Whether the API server has answered at all, be it with a refusal.
    answered: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    known: BTreeMap<String, Known>,
    /// What was seen to go, and when.
    gone: BTreeMap<String, Timestamp>,
    /// While a list comes in: what it holds so far.
    listing: Option<Vec<Facts>>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Known {
    pub facts: Arc<Facts>,
    /// When it became what it is, as far as we have seen.
    pub since: Timestamp,
}

/// What there is to know under a name.
#[derive(Clone, Debug)]
pub enum Found {
    There(Known),
    Gone(Timestamp),
    Unknown,
}

/// More names of nodes that are gone than this are not kept; the oldest go first.
const MOST_GONE: usize = 1000;

impl Default for Nodes {
    fn default() -> Self {
        Self { state: RwLock::default(), answered: watch::Sender::new(false) }
    }
}

impl Nodes {
    pub fn find(&self, name: &str) -> Found {
        let state = self.read();
        match (state.known.get(name), state.gone.get(name)) {
            (Some(known), _) => Found::There(known.clone()),
            (None, Some(at)) => Found::Gone(*at),
            (None, None) => Found::Unknown,
        }
    }

    pub fn all(&self) -> Vec<Arc<Facts>> {
        self.read().known.values().map(|known| Arc::clone(&known.facts)).collect()
    }

    /// Waits until all were listed, or that was refused.
    pub async fn answered(&self) {
        let mut answered = self.answered.subscribe();
        // The sender lives as long as we do.
        let _answered = answered.wait_for(|answered| *answered).await;
    }

    /// The API server gives no list.
    pub fn refused(&self) {
        self.answered.send_replace(true);
    }

    /// One event of a watch; the names of nodes that turned, in what may make pods leave them.
    /// `readiness`: the labels of ready nodes.
    pub fn take(
        &self,
        event: Event<Node>,
        readiness: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Vec<String> {
        let turned = match event {
            Event::Init => {
                self.write().listing = Some(Vec::new());
                return Vec::new();
            }
            Event::InitApply(node) => {
                if let Some(listing) = &mut self.write().listing {
                    listing.push(Facts::of(&node));
                }
                return Vec::new();
            }
            Event::InitDone => self.write().complete(readiness, now),
            Event::Apply(node) => {
                let facts = Facts::of(&node);
                self.write().put(facts, readiness, now).into_iter().collect()
            }
            Event::Delete(node) => {
                let name = node.name_any();
                self.write().remove(&name, now);
                vec![name]
            }
        };
        self.answered.send_replace(true);
        turned
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Its name, if it turned.
    fn put(
        &mut self,
        facts: Facts,
        readiness: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Option<String> {
        let name = facts.name.clone();
        let was_gone = self.gone.remove(&name).is_some();
        let before = self.known.get(&name);
        let is_same = |known: &Known| {
            Standing::of(&known.facts, readiness) == Standing::of(&facts, readiness)
        };
        let since = before.filter(|known| is_same(known)).map(|known| known.since);
        let turned = since.is_none() || was_gone;
        let known = Known { facts: Arc::new(facts), since: since.unwrap_or(now) };
        self.known.insert(name.clone(), known);
        turned.then_some(name)
    }

    fn remove(&mut self, name: &str, now: Timestamp) {
        if self.known.remove(name).is_none() {
            return;
        }
        self.gone.insert(name.to_owned(), now);
        if self.gone.len() > MOST_GONE {
            let oldest = self.gone.iter().min_by_key(|(_, at)| **at);
            let oldest = oldest.map(|(name, _)| name.clone()).unwrap_or_default();
            self.gone.remove(&oldest);
        }
    }

    fn complete(&mut self, readiness: &BTreeMap<String, String>, now: Timestamp) -> Vec<String> {
        let Some(listed) = self.listing.take() else { return Vec::new() };
        let names: BTreeSet<&str> = listed.iter().map(|facts| facts.name.as_str()).collect();
        let is_missing = |name: &&String| !names.contains(name.as_str());
        let mut turned: Vec<String> = self.known.keys().filter(is_missing).cloned().collect();
        for name in &turned {
            self.remove(name, now);
        }
        turned.extend(listed.into_iter().filter_map(|facts| self.put(facts, readiness, now)));
        turned
    }
}

/// What of a node may make pods leave it. Other labels count as well, where affinities ask for
/// them, but nothing begins by them.
#[derive(Eq, PartialEq)]
struct Standing<'a> {
    is_cordoned: bool,
    is_labelled: bool,
    is_master: bool,
    taints: &'a [Sign],
}

impl<'a> Standing<'a> {
    fn of(facts: &'a Facts, readiness: &BTreeMap<String, String>) -> Self {
        Self {
            is_cordoned: facts.is_cordoned,
            is_labelled: facts.has_all(readiness),
            is_master: facts.is_master(),
            taints: &facts.taints,
        }
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nodes").finish_non_exhaustive()
    }
}
