//! How the pods of a cluster are. Nothing is written here.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::build::names::Role;
use crate::cluster::{Cluster, ClusterId};
use crate::config::Config;
use crate::context::Context;
use crate::report::Finding;
use crate::rolling::is_ready;

/// What there is to say about them.
#[derive(Clone, Debug)]
pub struct Pods {
    pub ready: Finding,
    pub has_primary: bool,
}

/// Looks at all of them.
pub fn look(context: &Context, config: &Config, cluster: &Cluster) -> Pods {
    let set = context.caches.stateful_sets.get(&cluster.id, &cluster.id.name);
    let spec = set.as_ref().and_then(|set| set.spec.as_ref());
    let wanted = spec.and_then(|spec| spec.replicas).unwrap_or(cluster.spec.number_of_instances);
    let pods = context.caches.pods.of(&cluster.id);
    let has_primary = pods.iter().any(|pod| is_primary(pod, config) && is_ready(pod));
    let ready = pods.iter().filter(|pod| is_ready(pod)).count();
    Pods { ready: readiness(ready, wanted, has_primary), has_primary }
}

fn readiness(ready: usize, wanted: i32, has_primary: bool) -> Finding {
    let counts = format!("{ready} of {wanted} pods are ready");
    let is_enough = usize::try_from(wanted).is_ok_and(|wanted| ready >= wanted);
    match (is_enough, has_primary || wanted == 0) {
        (true, true) => Finding::done("Ready", counts),
        (_, true) => Finding::waiting("PodsNotReady", counts),
        (_, false) => Finding::waiting("NoPrimary", format!("{counts}, and none is the primary")),
    }
}

/// The pod that is the primary by its label, and ready.
pub fn primary(context: &Context, cluster: &Cluster) -> Option<Arc<Pod>> {
    let config = context.config();
    primary_of(&context.caches.pods.of(&cluster.id), &config)
}

/// The same, among these. After a crash two may claim it, as the old pod's label stays until it
/// comes back: where that matters, Patroni's own record says who leads.
pub fn primary_of(pods: &[Arc<Pod>], config: &Config) -> Option<Arc<Pod>> {
    pods.iter().find(|pod| is_primary(pod, config) && is_ready(pod)).cloned()
}

/// Pods that follow a primary, and answer.
pub fn replicas(context: &Context, id: &ClusterId, config: &Config) -> Vec<Arc<Pod>> {
    let pods = context.caches.pods.of(id);
    pods.into_iter().filter(|pod| !is_primary(pod, config) && is_ready(pod)).collect()
}

/// By the label that Patroni writes.
pub fn is_primary(pod: &Pod, config: &Config) -> bool {
    let role = pod.labels().get(&config.labels.pod_role_label);
    role.is_some_and(|role| role == Role::Master.label())
}

#[cfg(test)]
mod tests;
