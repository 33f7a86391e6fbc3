//! Everything of the API server that the operator keeps in mind, and what of it makes it look at
//! a cluster.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;

use super::cache::Cache;
use crate::api::postgres_team::PostgresTeam;
use crate::api::postgresql::Postgresql;
use crate::build::names;
use crate::cluster::ClusterId;
use crate::config::Labels;
use crate::mark::Mark;

/// The caches, one per kind.
#[derive(Debug)]
pub struct Caches {
    pub manifests: Arc<Cache<Postgresql>>,
    pub stateful_sets: Cache<StatefulSet>,
    pub services: Cache<Service>,
    pub budgets: Cache<PodDisruptionBudget>,
    pub secrets: Cache<Secret>,
    pub pods: Cache<Pod>,
    /// They outlive their clusters, so that none of them tells that there is one.
    pub claims: Cache<PersistentVolumeClaim>,
    /// Of poolers. Without a right to list them, everything but poolers goes on.
    pub deployments: Cache<Deployment>,
    /// Of logical backups. Without a right to list them, everything but backups goes on.
    pub cron_jobs: Cache<CronJob>,
    /// By namespace and name of the object itself.
    pub teams: Cache<PostgresTeam>,
}

/// Says that somebody cut a cluster's manifest off from its objects: on the master Service, the
/// last object to go, or on a Secret where there is none, so that a deletion survives a restart
/// of the operator.
pub const DELETED: &str = "acid.zalan.do/cluster-deleted";

impl Caches {
    /// Objects belong to the cluster that their label names, in their own namespace; Secrets to
    /// the one that their mark names, if they have one.
    pub fn new(labels: &Labels, manifests: Arc<Cache<Postgresql>>) -> Self {
        let label: Arc<str> = Arc::from(labels.cluster_name_label.as_str());
        Self {
            manifests,
            stateful_sets: Cache::new(by_label(&label)),
            services: Cache::new(by_label(&label)),
            budgets: Cache::new(by_label(&label)),
            secrets: Cache::new(by_mark(&label)),
            pods: Cache::new(by_label(&label)),
            claims: Cache::new(by_label(&label)),
            deployments: Cache::new(by_label(&label)),
            cron_jobs: Cache::new(by_label(&label)),
            teams: Cache::new(own_name),
        }
    }

    /// Waits until all but the teams and poolers were listed.
    pub async fn filled(&self) {
        self.manifests.filled().await;
        self.stateful_sets.filled().await;
        self.services.filled().await;
        self.budgets.filled().await;
        self.secrets.filled().await;
        self.pods.filled().await;
        self.claims.filled().await;
    }

    pub fn are_filled(&self) -> bool {
        self.missing().is_empty()
    }

    /// Kinds that were not listed yet; without a right to, they never are.
    pub fn missing(&self) -> Vec<&'static str> {
        let all = [
            ("postgresql", self.manifests.is_filled()),
            ("StatefulSet", self.stateful_sets.is_filled()),
            ("Service", self.services.is_filled()),
            ("PodDisruptionBudget", self.budgets.is_filled()),
            ("Secret", self.secrets.is_filled()),
            ("Pod", self.pods.is_filled()),
            ("PersistentVolumeClaim", self.claims.is_filled()),
        ];
        all.into_iter().filter(|(_, is_filled)| !is_filled).map(|(kind, _)| kind).collect()
    }

    /// Clusters of which there are objects and no manifest. Nobody deletes these for that.
    pub fn orphans(&self) -> BTreeSet<ClusterId> {
        let mut all: BTreeSet<ClusterId> = self.stateful_sets.clusters().into_iter().collect();
        all.extend(self.services.clusters());
        all.extend(self.secrets.clusters());
        all.extend(self.budgets.clusters());
        all.extend(self.pods.clusters());
        all.extend(self.deployments.clusters());
        for known in self.manifests.clusters() {
            all.remove(&known);
        }
        all
    }

    /// Whether a deletion of this cluster has begun and is not done, by whichever operator.
    pub fn tombstone(&self, cluster: &ClusterId) -> Option<Tombstone> {
        let service = self.services.get(cluster, &cluster.name);
        let on_service =
            service.and_then(|service| Some(Tombstone::parse(service.annotations().get(DELETED)?)));
        on_service.or_else(|| {
            let secret = self.secrets.get(cluster, &names::tombstone(&cluster.name))?;
            Some(Tombstone::parse(secret.annotations().get(DELETED)?))
        })
    }

    /// Whether there is anything of a cluster beside its manifest.
    pub fn has_objects(&self, cluster: &ClusterId) -> bool {
        !self.stateful_sets.of(cluster).is_empty()
            || !self.services.of(cluster).is_empty()
            || !self.budgets.of(cluster).is_empty()
            || !self.secrets.of(cluster).is_empty()
            || !self.pods.of(cluster).is_empty()
            || !self.deployments.of(cluster).is_empty()
    }
}

/// Whose deletion it is. Operators share an API server, and each has its own mind about what a
/// deletion takes along.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tombstone {
    /// `CONTROLLER_ID` of the operator that has begun; empty if it has none.
    pub controller: String,
    /// Of the manifest that was deleted.
    pub uid: String,
}

impl Tombstone {
    /// What stands in the annotation.
    pub fn parse(text: &str) -> Self {
        let (controller, uid) = text.rsplit_once('/').unwrap_or(("", text));
        Self { controller: controller.to_owned(), uid: uid.to_owned() }
    }
}

impl fmt::Display for Tombstone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.controller, self.uid)
    }
}

/// A Secret outside of its cluster's namespace says which cluster it is for.
fn by_mark(
    label: &Arc<str>,
) -> impl Fn(&Secret) -> Option<ClusterId> + Send + Sync + 'static + use<> {
    let by_label = by_label(label);
    move |secret| match Mark::of(secret) {
        Some(mark) => Some(mark.cluster),
        None => by_label(secret),
    }
}

fn own_name<K: ResourceExt>(object: &K) -> Option<ClusterId> {
    Some(ClusterId { namespace: object.namespace()?, name: object.meta().name.clone()? })
}

fn by_label<K: ResourceExt>(
    label: &Arc<str>,
) -> impl Fn(&K) -> Option<ClusterId> + Send + Sync + 'static + use<K> {
    let label = Arc::clone(label);
    move |object| {
        let name = object.labels().get(&*label)?.clone();
        Some(ClusterId { namespace: object.namespace()?, name })
    }
}
