//! What outlives a new beginning inside the process: which manifests there are, and which of them
//! were seen to be deleted. An event that comes while everything else starts anew comes only once.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use kube::{Client, ResourceExt};
use tokio::task::JoinSet;

use crate::admin::Board;
use crate::api::postgresql::Postgresql;
use crate::cluster::ClusterId;
use crate::controller::cache::{Cache, Change};
use crate::controller::one;
use crate::controller::seen::Seen;

/// Shared by all that follow one another.
pub struct Lasting {
    pub manifests: Arc<Cache<Postgresql>>,
    pub deletions: Arc<Seen>,
    listener: RwLock<Option<Listener>>,
}

/// Who is told of changes, if anybody is there.
pub type Listener = Arc<dyn Fn(Change<Postgresql>) + Send + Sync>;

impl fmt::Debug for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lasting").finish_non_exhaustive()
    }
}

impl Default for Lasting {
    fn default() -> Self {
        let own_name = |manifest: &Postgresql| {
            Some(ClusterId { namespace: manifest.namespace()?, name: manifest.name_any() })
        };
        Self {
            manifests: Arc::new(Cache::of_users(own_name)),
            deletions: Arc::default(),
            listener: RwLock::default(),
        }
    }
}

impl Lasting {
    /// Follows the manifests until the set is dropped. `namespace`: `None` is all.
    pub fn watch(
        self: &Arc<Self>,
        client: &Client,
        namespace: Option<&str>,
        board: &Arc<Board>,
    ) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        let (this, board) = (Arc::clone(self), Arc::clone(board));
        let api = one::api(client, namespace);
        tasks.spawn(async move {
            let changed = |change| this.changed(change);
            let config = one::watching();
            one::follow(&board, "postgresql", &this.manifests, api, config, changed).await;
        });
        tasks
    }

    /// From now on somebody is told.
    pub fn listen(&self, listener: Listener) {
        *self.listener.write().unwrap_or_else(PoisonError::into_inner) = Some(listener);
    }

    /// From now on nobody is.
    pub fn stop_listening(&self) {
        *self.listener.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn changed(&self, change: Change<Postgresql>) {
        let listener = self.listener.read().unwrap_or_else(PoisonError::into_inner).clone();
        match (listener, change) {
            (Some(listener), change) => listener(change),
            (None, Change::Deleted(gone)) => {
                if let Some(id) = ClusterId::of(&*gone) {
                    self.deletions.add(&id, gone);
                }
            }
            (None, Change::Seen { now, .. }) => {
                if let Some(id) = ClusterId::of(&*now) {
                    self.deletions.forget(&id);
                }
            }
            (None, Change::Missing(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests;
