//! What every look at a cluster needs: the API server, the configuration in use, and what is
//! remembered from one look to the next. Nothing here is needed to be right after a restart.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Client, Resource};

use crate::admin::Board;
use crate::api::postgresql::Postgresql;
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::controller::caches::Caches;
use crate::controller::lasting::Lasting;
use crate::controller::queue::Queue;
use crate::controller::seen::Seen;
use crate::events::Events;
use crate::identity::{AT_ONCE, Identity};
use crate::memory::Memory;
use crate::nodes::Nodes;
use crate::report::News;

/// Shared by all workers.
pub struct Context {
    pub client: Client,
    pub caches: Caches,
    pub nodes: Nodes,
    pub events: Events,
    /// For Patroni.
    pub http: reqwest::Client,
    /// Clusters whose objects something happened to.
    pub objects: Queue,
    /// Clusters whose roles and databases something happened to; servers may be slow to answer.
    pub databases: Queue,
    pub identity: Identity,
    pub memory: Memory,
    /// Manifests that were seen to be deleted.
    pub deletions: Arc<Seen>,
    pub board: Arc<Board>,
    /// `CONTROLLER_ID`: only clusters with this annotation are ours.
    pub controller_id: Option<String>,
    config: RwLock<Arc<Config>>,
}

/// What a [`Context`] is made of.
pub struct Parts {
    pub client: Client,
    pub config: Arc<Config>,
    pub identity: Identity,
    pub board: Arc<Board>,
    pub lasting: Arc<Lasting>,
    pub controller_id: Option<String>,
    /// This process, for events.
    pub instance: String,
}

/// The annotation that says whose a cluster is.
const CONTROLLER: &str = "acid.zalan.do/controller";
/// To connect to a pod's Patroni.
const CONNECT: Duration = Duration::from_secs(3);

impl Context {
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(parts: Parts) -> Result<Self, reqwest::Error> {
        let Parts { client, config, identity, board, lasting, controller_id, instance } = parts;
        let redirects = reqwest::redirect::Policy::none();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .redirect(redirects)
            .no_proxy()
            .build()?;
        Ok(Self {
            caches: Caches::new(&config.labels, Arc::clone(&lasting.manifests)),
            nodes: Nodes::default(),
            events: Events::new(client.clone(), instance),
            client,
            http,
            objects: Queue::default(),
            databases: Queue::with_most_failing(AT_ONCE / 2),
            identity,
            memory: Memory::default(),
            deletions: Arc::clone(&lasting.deletions),
            board,
            controller_id,
            config: RwLock::new(config),
        })
    }

    /// The configuration in use; one look at a cluster asks once.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on another one is in use.
    pub fn configure(&self, config: Arc<Config>) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// `CONTROLLER_ID`, empty if there is none.
    pub fn controller(&self) -> &str {
        self.controller_id.as_deref().unwrap_or("")
    }

    /// The uid of the manifest whose deletion we have begun and not ended. What another operator
    /// has begun is its own.
    pub fn begun(&self, cluster: &ClusterId) -> Option<String> {
        let tombstone = self.caches.tombstone(cluster)?;
        (tombstone.controller == self.controller()).then_some(tombstone.uid)
    }

    /// Whether a manifest is for us, and not for another operator.
    pub fn is_ours(&self, manifest: &Postgresql) -> bool {
        let wanted = self.controller();
        let annotations = manifest.metadata.annotations.as_ref();
        annotations.and_then(|all| all.get(CONTROLLER)).map_or("", String::as_str) == wanted
    }

    /// An event on a manifest.
    pub fn tell(&self, manifest: &Postgresql, news: &News) {
        self.events.tell(&reference(manifest), news);
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

fn reference(manifest: &Postgresql) -> ObjectReference {
    manifest.object_ref(&())
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}
