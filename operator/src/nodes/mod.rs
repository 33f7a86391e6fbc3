//! Which nodes are being emptied, so that primaries are moved off them before anybody evicts them.
//!
//! In: the Node objects of the API server, pods, and `node_readiness_label`. Out: whether a pod has
//! to leave its node, why, and since when. Never: a pod that is moved from here; `rolling` decides
//! what is done next to a cluster.

mod cache;
mod facts;
mod follow;
mod judge;
mod selector;

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{NodeSelector, Pod, PodSpec};

use crate::config::Config;
use crate::context::Context;

pub use cache::{Found, Known, Nodes};
pub use facts::{Facts, Sign};
pub use follow::follow;
pub use judge::{Demands, Why, is_ready};

/// A pod that has to leave its node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Leaving {
    pub node: String,
    pub why: Why,
    /// When the node began to leave: as the API server has noted it, else when we first saw it.
    pub since: Timestamp,
}

/// Whether a pod has to leave its node.
pub fn leaves(context: &Context, config: &Config, pod: &Pod) -> bool {
    leaving(context, config, pod).is_some()
}

/// The same, with why.
pub fn leaving(context: &Context, config: &Config, pod: &Pod) -> Option<Leaving> {
    let spec = pod.spec.as_ref()?;
    let node = spec.node_name.clone()?;
    let (why, since) = match context.nodes.find(&node) {
        Found::Unknown => return None,
        Found::Gone(at) => (Why::Gone, at),
        Found::There(known) => {
            let set = set_of(context, pod);
            let demands = demands(set.as_deref(), spec, &[]);
            let readiness = &config.pods.node_readiness_label;
            let (why, since) = judge::leaves(&known.facts, readiness, &demands)?;
            (why, since.unwrap_or(known.since))
        }
    };
    Some(Leaving { node, why, since })
}

/// Whether some node would take a pod that is made again. Where none would, making it again ends
/// with a pod that is nowhere. `volumes`: where those of the pod can be mounted, if not anywhere.
pub fn has_another(
    context: &Context,
    config: &Config,
    pod: &Pod,
    volumes: &[NodeSelector],
) -> bool {
    let Some(spec) = pod.spec.as_ref() else { return false };
    let set = set_of(context, pod);
    let demands = demands(set.as_deref(), spec, volumes);
    let takes = |node: &Arc<Facts>| {
        Some(&node.name) != spec.node_name.as_ref()
            && judge::takes(node, &config.pods.node_readiness_label, &demands)
    };
    context.nodes.all().iter().any(takes)
}

fn set_of(context: &Context, pod: &Pod) -> Option<Arc<StatefulSet>> {
    let id = context.caches.pods.owner(pod)?;
    context.caches.stateful_sets.get(&id, &id.name)
}

/// A pod that is made again is made of the template; who tolerates a taint is the pod that is there.
fn demands<'a>(
    set: Option<&'a StatefulSet>,
    pod: &'a PodSpec,
    volumes: &'a [NodeSelector],
) -> Demands<'a> {
    let template = set.and_then(|set| set.spec.as_ref()?.template.spec.as_ref());
    Demands {
        affinity: required(template.unwrap_or(pod)),
        tolerations: pod.tolerations.as_deref().unwrap_or_default(),
        volumes,
    }
}

fn required(spec: &PodSpec) -> Option<&NodeSelector> {
    let affinity = spec.affinity.as_ref()?.node_affinity.as_ref()?;
    affinity.required_during_scheduling_ignored_during_execution.as_ref()
}

#[cfg(test)]
mod tests;
