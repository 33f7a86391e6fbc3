//! How the pods of a cluster are. Nothing is written here.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::build::names::Role;
use crate::cluster::{Cluster, ClusterId};
use crate::config::Config;
use crate::context::Context;
use crate::report::Finding;
use crate::restart::{self, Difference, Kind, Live};

/// What there is to say about them.
#[derive(Clone, Debug)]
pub struct Pods {
    pub ready: Finding,
    /// Whether a restart would change something.
    pub template: Finding,
    pub has_primary: bool,
}

/// The template that a pod was made of, as the StatefulSet controller counts.
const REVISION: &str = "controller-revision-hash";

/// Looks at all of them.
pub fn look(context: &Context, config: &Config, cluster: &Cluster) -> Pods {
    let set = context.caches.stateful_sets.get(&cluster.id, &cluster.id.name);
    let spec = set.as_ref().and_then(|set| set.spec.as_ref());
    let wanted = spec.and_then(|spec| spec.replicas).unwrap_or(cluster.spec.number_of_instances);
    let pods = context.caches.pods.of(&cluster.id);
    let has_primary = pods.iter().any(|pod| is_primary(pod, config) && is_ready(pod));
    let ready = pods.iter().filter(|pod| is_ready(pod)).count();
    let template = match spec.map(|spec| &spec.template) {
        None => Finding::done("UpToDate", ""),
        Some(template) => {
            let newest = set.as_deref().and_then(newest);
            // Whoever is made of the newest template has from elsewhere what is different.
            let is_newest = |pod: &&Arc<Pod>| {
                let revision = pod.labels().get(REVISION).map(String::as_str);
                revision.is_some() && revision == newest
            };
            let outdated = pods.iter().filter(|pod| !is_newest(pod)).filter_map(|pod| {
                let differences = restart::differences(template, Live::Pod(pod), config);
                (!differences.is_empty()).then(|| (pod.name_any(), differences))
            });
            up_to_date(&outdated.collect::<Vec<_>>())
        }
    };
    Pods { ready: readiness(ready, wanted, has_primary), template, has_primary }
}

/// The revision of the template as it is now, once its controller has seen it.
fn newest(set: &StatefulSet) -> Option<&str> {
    let status = set.status.as_ref()?;
    let is_seen = status.observed_generation == set.metadata.generation;
    status.update_revision.as_deref().filter(|_| is_seen)
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

/// What only a restart changes is waited for; what comes with any restart is told of.
fn up_to_date(outdated: &[(String, Vec<Difference>)]) -> Finding {
    let waits = told(outdated, Kind::RollsPods);
    if !waits.is_empty() {
        return Finding::waiting("RestartPending", format!("waits for a restart of {waits}"));
    }
    let comes = told(outdated, Kind::Template);
    match comes.is_empty() {
        true => Finding::done("UpToDate", ""),
        false => Finding::done("UpToDate", format!("the next restart brings: {comes}")),
    }
}

/// Pods that are alike are told of together.
fn told(outdated: &[(String, Vec<Difference>)], kind: Kind) -> String {
    let mut by_fields: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (pod, differences) in outdated {
        let of_kind = differences.iter().filter(|own| own.kind == kind);
        let fields: Vec<String> = of_kind.map(ToString::to_string).collect();
        if !fields.is_empty() {
            by_fields.entry(fields.join(", ")).or_default().push(pod);
        }
    }
    let texts =
        by_fields.into_iter().map(|(fields, pods)| format!("{}: {fields}", pods.join(", ")));
    texts.collect::<Vec<_>>().join("; ")
}

/// The pod that is the primary by its label, and ready.
pub fn primary(context: &Context, cluster: &Cluster) -> Option<Arc<Pod>> {
    let config = context.config();
    primary_of(&context.caches.pods.of(&cluster.id), &config)
}

/// The same, among these. After a crash two may claim it; the younger claim is the better one,
/// as the old pod's label stays until it comes back.
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

pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    pod.metadata.deletion_timestamp.is_none()
        && conditions
            .into_iter()
            .flatten()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests;
