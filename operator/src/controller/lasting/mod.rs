//! What outlives a new beginning inside the process: which manifests there are, and which of them
//! were seen to be deleted. An event that comes while everything else starts anew comes only once.

use std::sync::{Arc, PoisonError, RwLock};

use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use tokio::task::JoinSet;

use crate::admin::Board;
use crate::api::postgresql::Postgresql;
use crate::cluster::ClusterId;
use crate::context::Context;
use crate::controller::cache::{Cache, Change};
use crate::controller::queue::Why;
use crate::controller::{triggers, watches};
use crate::deletion::Seen;

/// Shared by all that follow one another.
#[derive(Debug)]
pub struct Lasting {
    pub manifests: Arc<Cache<Postgresql>>,
    pub deletions: Arc<Seen>,
    /// Who is told of changes, if anybody is there.
    listener: RwLock<Option<Arc<Context>>>,
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
        let api = watches::api(client, namespace);
        tasks.spawn(async move {
            let changed = |change| this.changed(change);
            let config = watcher::Config::default();
            watches::follow(&board, "postgresql", &this.manifests, api, config, changed).await;
        });
        tasks
    }

    /// From now on somebody is told; of all that there is at once.
    pub fn listen(&self, context: &Arc<Context>) {
        *self.listener.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(context));
        triggers::everybody(context);
        for id in self.deletions.clusters() {
            context.objects.add(&id, Why::Manifest);
        }
    }

    /// From now on nobody is.
    pub fn stop_listening(&self) {
        *self.listener.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.deletions.leads(false);
    }

    fn changed(&self, change: Change<Postgresql>) {
        let listener = self.listener.read().unwrap_or_else(PoisonError::into_inner).clone();
        match (listener, change) {
            (Some(context), change) => triggers::manifest(&context, change),
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
