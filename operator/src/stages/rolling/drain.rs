//! A primary whose node is about to go: why and since when, and whether it is still there after
//! `master_pod_move_timeout`.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::config::Config;
use crate::context::Context;
use crate::nodes::{self, Leaving};
use crate::rolling::Stranded;

/// What there is to say about a primary on such a node.
#[derive(Clone, Debug)]
pub(super) struct Drain {
    leader: String,
    leaving: Leaving,
    pub(super) is_overdue: bool,
}

/// Whether a pod has to leave its node, and what keeps it there if it were made anew.
pub fn leaves(context: &Context, config: &Config, pod: &Pod) -> (bool, Option<Stranded>) {
    let Some(leaving) = nodes::leaving(context, config, pod) else { return (false, None) };
    let created = pod.metadata.creation_timestamp.as_ref();
    let stranded = if created.is_some_and(|created| created.0 > leaving.since) {
        Some(Stranded::Landed)
    } else if !nodes::has_another(context, config, pod) {
        Some(Stranded::NoNode)
    } else {
        None
    };
    (true, stranded)
}

/// That of the pod that leads, if its node is about to go.
pub(super) fn of(
    context: &Context,
    config: &Config,
    pods: &[Arc<Pod>],
    leader: Option<&str>,
) -> Option<Drain> {
    let pod = pods.iter().find(|pod| Some(pod.name_any().as_str()) == leader)?;
    let leaving = nodes::leaving(context, config, pod)?;
    let patience = SignedDuration::try_from(config.operation.master_pod_move_timeout);
    let patience = patience.unwrap_or(SignedDuration::MAX);
    let is_overdue = Timestamp::now().duration_since(leaving.since) >= patience;
    Some(Drain { leader: pod.name_any(), leaving, is_overdue })
}

impl Drain {
    /// Why the primary has to move.
    pub(super) fn text(&self) -> String {
        let Leaving { node, why, .. } = &self.leaving;
        format!("{} is the primary, and its node {} {why}", self.leader, node.escape_debug())
    }

    /// That it should have moved long ago. The same words each time, so that they are told once
    /// in a while.
    pub(super) fn warning(&self) -> String {
        format!("for longer than master_pod_move_timeout: {}", self.text())
    }
}
