//! What a look at Patroni depends on: as long as it is the same, there is nothing to ask.

use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::build::statefulset::instances;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::patroni::dynamic::Wanted;
use crate::patroni::says_pending;
use crate::rolling::{is_marked, is_ready};
use crate::stages::pods::is_primary;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    generation: i64,
    pub(super) wanted: Wanted,
    /// How many pods there are to be, and how many the StatefulSet makes.
    replicas: (i32, Option<i32>),
    pods: Vec<Stands>,
}

/// One pod.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Stands {
    name: String,
    uid: Option<String>,
    address: Option<IpAddr>,
    ready: bool,
    primary: bool,
    deleting: bool,
    ended: bool,
    marked: bool,
    pending: bool,
}

impl Seen {
    pub(super) fn of(
        context: &Context,
        config: &Config,
        cluster: &Cluster,
        wanted: Wanted,
    ) -> Self {
        let set = context.caches.stateful_sets.get(&cluster.id, &cluster.id.name);
        let made = set.and_then(|set| set.spec.as_ref()?.replicas);
        let pods = context.caches.pods.of(&cluster.id);
        let mut pods: Vec<Stands> = pods.iter().map(|pod| Stands::of(pod, config)).collect();
        pods.sort_by(|one, other| one.name.cmp(&other.name));
        let replicas = (instances(cluster, config).0, made);
        Self { generation: cluster.generation, wanted, replicas, pods }
    }

    /// Whom to ask: the primary first, then whoever is ready. One that has ended keeps its address
    /// in its status, where it may be another pod's already.
    pub(super) fn doors(&self) -> Vec<(String, IpAddr)> {
        let stays = |pod: &&Stands| !pod.deleting && !pod.ended;
        let mut pods: Vec<&Stands> = self.pods.iter().filter(stays).collect();
        pods.sort_by_key(|pod| (!pod.primary, !pod.ready));
        pods.iter().filter_map(|pod| Some((pod.name.clone(), pod.address?))).collect()
    }

    /// Whether a primary is ready.
    pub(super) fn has_primary(&self) -> bool {
        self.pods.iter().any(|pod| pod.primary && pod.ready)
    }

    /// Why nobody is to be restarted now, if so.
    pub(super) fn why_not(&self) -> Option<String> {
        let names = |pods: Vec<&Stands>| {
            pods.iter().map(|pod| pod.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let marked: Vec<&Stands> = self.pods.iter().filter(|pod| pod.marked).collect();
        if !marked.is_empty() {
            let marked = names(marked);
            return Some(format!("these are to be made anew, which brings it as well: {marked}"));
        }
        let (wanted, made) = self.replicas;
        let there = i32::try_from(self.pods.len()).ok();
        if Some(wanted) != made || Some(wanted) != there {
            return Some(format!("{} of {wanted} pods are there", self.pods.len()));
        }
        let down = |pod: &&Stands| !pod.ready || pod.deleting;
        let down: Vec<&Stands> = self.pods.iter().filter(down).collect();
        (!down.is_empty()).then(|| format!("not ready: {}", names(down)))
    }
}

impl Stands {
    fn of(pod: &Arc<Pod>, config: &Config) -> Self {
        let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_ref());
        Self {
            name: pod.name_any(),
            uid: pod.uid(),
            address: address.and_then(|address| address.parse().ok()),
            ready: is_ready(pod),
            primary: is_primary(pod, config),
            deleting: pod.metadata.deletion_timestamp.is_some(),
            ended: has_ended(pod),
            marked: is_marked(pod),
            pending: says_pending(pod),
        }
    }
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    phase.is_some_and(|phase| ["Failed", "Succeeded"].contains(&phase))
}
