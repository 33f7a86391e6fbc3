//! A primary whose node is about to go: why and since when, and whether it is still there after
//! `master_pod_move_timeout`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{NodeSelector, Pod};
use kube::ResourceExt;

use super::places;
use crate::cluster::ClusterId;
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

/// Which pods have to leave their nodes, and what keeps each there if it were made anew.
pub async fn leave(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    pods: &[Arc<Pod>],
) -> BTreeMap<String, Option<Stranded>> {
    let mut all = BTreeMap::new();
    for pod in pods {
        if let Some(leaving) = nodes::leaving(context, config, pod) {
            let places = places::of(context, id, pod).await;
            let stranded = stranded(context, config, pod, &leaving, &places);
            all.insert(pod.name_any(), stranded);
        }
    }
    all
}

fn stranded(
    context: &Context,
    config: &Config,
    pod: &Pod,
    leaving: &Leaving,
    places: &[NodeSelector],
) -> Option<Stranded> {
    let created = pod.metadata.creation_timestamp.as_ref();
    if created.is_some_and(|created| created.0 > leaving.since) {
        Some(Stranded::Landed)
    } else if !nodes::has_another(context, config, pod, places) {
        Some(Stranded::NoNode)
    } else {
        None
    }
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
