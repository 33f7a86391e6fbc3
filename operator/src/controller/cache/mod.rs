//! One kind of object as it was last seen: always a little late, and complete once it was listed.
//!
//! In: the events of a watch, which may break, expire and list anew at any time. Out: objects by
//! the cluster that they belong to, and for each change the old and the new one. That an object
//! is missing from a list is told apart from an event that says that it was deleted: only the
//! second is somebody's decision.
//!
//! Answers to our own writes come on another connection than events, and so in any order: neither
//! replaces what is newer, and no answer brings back what was seen to be gone.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use futures_util::{StreamExt, pin_mut};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cluster::ClusterId;
use crate::packed::pack;
use crate::recent::Recent;

/// What happened to one object.
#[derive(Clone, Debug)]
pub enum Change<K> {
    /// It is there; with what it was before, if it was seen before.
    Seen { before: Option<Arc<K>>, now: Arc<K> },
    /// Somebody deleted it.
    Deleted(Arc<K>),
    /// It is not there any more, and nobody saw it go.
    Missing(Arc<K>),
}

/// Objects of one kind.
pub struct Cache<K> {
    objects: RwLock<Objects<K>>,
    belongs: Belongs<K>,
    /// Users write these, and we write beside them.
    is_of_users: bool,
    listed: watch::Sender<bool>,
}

type Key = (String, String);
type Belongs<K> = Box<dyn Fn(&K) -> Option<ClusterId> + Send + Sync>;

struct Objects<K> {
    by_cluster: HashMap<ClusterId, BTreeMap<Key, Arc<K>>>,
    /// Where each object is.
    home: HashMap<Key, ClusterId>,
    /// While a list comes in.
    listing: Option<Listing<K>>,
    /// Uids of what was seen to be gone, and the version that it had then, if known.
    gone: Recent<String, u64>,
}

/// A list that is not complete yet. It says how everything was when it began.
struct Listing<K> {
    since: Instant,
    listed: HashMap<Key, Arc<K>>,
    /// What we have written since.
    written: HashMap<Key, Arc<K>>,
}

/// Longer than any answer is on its way.
const REMEMBERED: Duration = Duration::from_secs(300);

impl<K> Cache<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    /// `belongs` tells the cluster of an object; what has none is not kept.
    pub fn new(belongs: impl Fn(&K) -> Option<ClusterId> + Send + Sync + 'static) -> Self {
        let objects = Objects {
            by_cluster: HashMap::new(),
            home: HashMap::new(),
            listing: None,
            gone: Recent::new(REMEMBERED),
        };
        let listed = watch::Sender::new(false);
        let objects = RwLock::new(objects);
        Self { objects, belongs: Box::new(belongs), is_of_users: false, listed }
    }

    /// The same for what users write: an answer to a write of ours that tells of a change of
    /// theirs is left to the watch, or nobody would be told.
    pub fn of_users(belongs: impl Fn(&K) -> Option<ClusterId> + Send + Sync + 'static) -> Self {
        Self { is_of_users: true, ..Self::new(belongs) }
    }

    /// The cluster of an object.
    pub fn owner(&self, object: &K) -> Option<ClusterId> {
        (self.belongs)(object)
    }

    /// Waits until everything was listed once.
    pub async fn filled(&self) {
        let mut listed = self.listed.subscribe();
        // The sender lives as long as we do.
        let _listed = listed.wait_for(|listed| *listed).await;
    }

    pub fn is_filled(&self) -> bool {
        *self.listed.borrow()
    }

    /// Everything of a cluster, by namespace and name.
    pub fn of(&self, cluster: &ClusterId) -> Vec<Arc<K>> {
        let objects = self.read();
        objects
            .by_cluster
            .get(cluster)
            .map(|own| own.values().cloned().collect())
            .unwrap_or_default()
    }

    /// One object of a cluster, in its namespace.
    pub fn get(&self, cluster: &ClusterId, name: &str) -> Option<Arc<K>> {
        let key = (cluster.namespace.clone(), name.to_owned());
        self.read().by_cluster.get(cluster)?.get(&key).cloned()
    }

    /// Every cluster that something belongs to.
    pub fn clusters(&self) -> Vec<ClusterId> {
        self.read().by_cluster.keys().cloned().collect()
    }

    /// Everything.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.read().by_cluster.values().flat_map(|own| own.values().cloned()).collect()
    }

    /// Follows the API server until it is dropped; tells of each change after the cache knows of
    /// it. `broken` hears each time the watch fails; it comes back by itself, later each time.
    pub async fn follow(
        &self,
        api: Api<K>,
        config: watcher::Config,
        changed: impl Fn(Change<K>),
        broken: impl Fn(&watcher::Error),
    ) {
        let events = watcher::watcher(api, config).default_backoff();
        pin_mut!(events);
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.take(event).into_iter().for_each(&changed),
                Err(error) => broken(&error),
            }
        }
    }

    /// One event of a watch; what it means.
    pub fn take(&self, event: Event<K>) -> Vec<Change<K>> {
        let changes = match event {
            Event::Init => {
                let (listed, written) = (HashMap::new(), HashMap::new());
                let listing = Listing { since: Instant::now(), listed, written };
                self.write().listing = Some(listing);
                return Vec::new();
            }
            Event::InitApply(object) => {
                if let Some(listing) = &mut self.write().listing {
                    listing.listed.insert(key(&object), kept(object));
                }
                return Vec::new();
            }
            Event::InitDone => self.complete(),
            Event::Apply(object) => self.seen(kept(object)).into_iter().collect(),
            Event::Delete(object) => {
                let object = Arc::new(object);
                match self.write().remove(&object, version(&*object)) {
                    Some(_) => vec![Change::Deleted(object)],
                    None => Vec::new(),
                }
            }
        };
        self.listed.send_if_modified(|listed| !std::mem::replace(listed, true));
        changes
    }

    /// Puts in what we wrote ourselves, before the watch tells of it.
    pub fn wrote(&self, object: K) {
        let object = kept(object);
        // One lock for the question and for what follows from it: an event may come in between.
        let mut objects = self.write();
        let is_known = objects.get(&key(&*object)).is_some_and(|known| {
            version(&**known) > version(&*object)
                || (self.is_of_users && is_told_of_by_a_watch(&**known, &*object))
        });
        let uid = object.uid().unwrap_or_default();
        if is_known || objects.gone.get(&uid, Instant::now()).is_some() {
            return;
        }
        if let Some(listing) = &mut objects.listing {
            listing.written.insert(key(&*object), Arc::clone(&object));
        }
        let _known_to_us = self.put(&mut objects, object);
    }

    /// Drops what is not there any more, before the watch tells of it; it does not then.
    pub fn forget(&self, object: &K) {
        self.write().remove(object, version(object));
    }

    /// An event may be older than what we know by a write of ours, or than the end.
    fn seen(&self, now: Arc<K>) -> Option<Change<K>> {
        let uid = now.uid().unwrap_or_default();
        let mut objects = self.write();
        // One of before, or what had this name before.
        let is_newer = |known: &Arc<K>| version(&**known) > version(&*now);
        let gone = objects.gone.get(&uid, Instant::now());
        let is_old = objects.get(&key(&*now)).is_some_and(is_newer)
            || gone.is_some_and(|(_, gone)| *gone >= version(&*now));
        if is_old { None } else { self.put(&mut objects, now) }
    }

    fn put(&self, objects: &mut Objects<K>, now: Arc<K>) -> Option<Change<K>> {
        objects.gone.forget(&now.uid().unwrap_or_default());
        // A label may have changed, and with it the cluster.
        let before = objects.take(&key(&*now));
        let Some(cluster) = (self.belongs)(&now) else { return before.map(Change::Missing) };
        objects.insert(cluster, Arc::clone(&now));
        let is_same = |before: &Arc<K>| {
            before.meta().uid == now.meta().uid
                && before.meta().resource_version == now.meta().resource_version
        };
        if before.as_ref().is_some_and(is_same) {
            return None;
        }
        Some(Change::Seen { before, now })
    }

    /// What a list says counts: versions begin anew where a backup was restored. Beside it counts
    /// what we did since it began; an event of that is going to come.
    fn complete(&self) -> Vec<Change<K>> {
        let mut objects = self.write();
        let Some(Listing { since, mut listed, written }) = objects.listing.take() else {
            return Vec::new();
        };
        let now = Instant::now();
        listed.retain(|_, object| {
            let gone = objects.gone.get(&object.uid().unwrap_or_default(), now);
            gone.is_none_or(|(at, _)| *at < since)
        });
        for (key, written) in written {
            if let Some(listed) = listed.get_mut(&key)
                && listed.meta().uid == written.meta().uid
                && version(&**listed) < version(&*written)
            {
                *listed = written;
            }
        }
        let known = objects.by_cluster.values().flat_map(BTreeMap::values);
        let missing: Vec<_> =
            known.filter(|known| !listed.contains_key(&key(&***known))).cloned().collect();
        let mut changes = Vec::new();
        for gone in missing {
            // We may have made it since the list was made, and then an event is on its way.
            objects.remove(&gone, 0);
            changes.push(Change::Missing(gone));
        }
        changes.extend(listed.into_values().filter_map(|object| self.put(&mut objects, object)));
        changes
    }

    fn read(&self) -> RwLockReadGuard<'_, Objects<K>> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Objects<K>> {
        self.objects.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As small as it can be: lists that are read have room for more, and copies have none.
fn kept<K: ResourceExt + Clone>(mut object: K) -> Arc<K> {
    pack(object.meta_mut());
    Arc::new(object.clone())
}

impl<K: ResourceExt> Objects<K> {
    fn insert(&mut self, cluster: ClusterId, object: Arc<K>) {
        let key = key(&*object);
        self.home.insert(key.clone(), cluster.clone());
        self.by_cluster.entry(cluster).or_default().insert(key, object);
    }

    fn get(&self, key: &Key) -> Option<&Arc<K>> {
        self.by_cluster.get(self.home.get(key)?)?.get(key)
    }

    /// It is gone, and does not come back.
    fn remove(&mut self, object: &K, at: u64) -> Option<Arc<K>> {
        if let Some(uid) = object.uid() {
            self.gone.note(uid, Instant::now(), at);
        }
        // Another one may have its name by now.
        let is_it = |known: &Arc<K>| known.meta().uid == object.meta().uid;
        let is_here = self.get(&key(object)).is_some_and(is_it);
        if is_here { self.take(&key(object)) } else { None }
    }

    fn take(&mut self, key: &Key) -> Option<Arc<K>> {
        let cluster = self.home.remove(key)?;
        let own = self.by_cluster.get_mut(&cluster)?;
        let gone = own.remove(key);
        if own.is_empty() {
            self.by_cluster.remove(&cluster);
        }
        gone
    }
}

impl<K> Debug for Cache<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

fn key<K: ResourceExt>(object: &K) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// etcd's, which only grows: good for telling which of two is older. With versions that are no
/// numbers none is, and the last one that came counts.
pub fn version<K: ResourceExt>(object: &K) -> u64 {
    object.resource_version().and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// Whether two versions of an object differ in what somebody may have wanted: not in what
/// controllers report.
pub fn is_news<K: ResourceExt>(before: &K, now: &K) -> bool {
    before.meta().uid != now.meta().uid
        || before.meta().generation != now.meta().generation
        || before.labels() != now.labels()
        || before.annotations() != now.annotations()
        || before.owner_references() != now.owner_references()
        || before.finalizers() != now.finalizers()
        || before.meta().deletion_timestamp != now.meta().deletion_timestamp
}

/// The same of what users write to their objects.
fn is_told_of_by_a_watch<K: ResourceExt>(before: &K, now: &K) -> bool {
    before.meta().uid != now.meta().uid
        || before.meta().generation != now.meta().generation
        || before.labels() != now.labels()
        || before.annotations() != now.annotations()
        || before.meta().deletion_timestamp != now.meta().deletion_timestamp
}

#[cfg(test)]
mod tests;
