//! Whether pods have to leave a node. Pure.
//!
//! In: a node, `node_readiness_label`, and where a pod may be. Out: why it leaves, if it does.
//! Never: a node whose kubelet is silent. Where that passes nothing was wrong, and where it does
//! not the primary's key runs out and Patroni elects another one; to ask a node that does not
//! answer to hand over could only be slower.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{NodeSelector, Toleration};

use super::facts::{Facts, Sign};
use super::selector::admits;

/// Where a pod may be: by its tolerations, by the node affinity with which it would be made again,
/// and by the volumes that it comes back to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demands<'a> {
    pub affinity: Option<&'a NodeSelector>,
    pub tolerations: &'a [Toleration],
    pub volumes: &'a [NodeSelector],
}

/// Why a node leaves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Why {
    Cordoned,
    /// It has not, or has no more, the labels of ready nodes.
    Unlabelled,
    /// A taint by which pods are deleted, or a drain begins.
    Tainted(String),
    /// Somebody deleted the Node object.
    Gone,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cordoned => f.write_str("is cordoned"),
            Self::Unlabelled => f.write_str("has not the labels of node_readiness_label"),
            Self::Tainted(key) => write!(f, "has the taint {}", key.escape_debug()),
            Self::Gone => f.write_str("was deleted"),
        }
    }
}

/// Whether a node is ready by the words of the reference: pods may come to it, or it has the
/// labels of ready nodes (`readiness`), or it is one of the control plane.
pub fn is_ready(node: &Facts, readiness: &BTreeMap<String, String>) -> bool {
    !node.is_cordoned || node.has_all(readiness) || node.is_master()
}

/// Why a pod has to leave a node, if it has to, and since when, as far as the node says.
///
/// A cordon counts unless the node has the labels of ready nodes. Without these labels a node
/// leaves as well, except for pods that may be there all the same: by an affinity of their manifest
/// that is joined by `OR`, or because no affinity of theirs asks for the labels yet.
pub(super) fn leaves(
    node: &Facts,
    readiness: &BTreeMap<String, String>,
    pod: &Demands<'_>,
) -> Option<(Why, Option<Timestamp>)> {
    if node.is_master() {
        return None;
    }
    let drives_out = |sign: &&Sign| !is_tolerated(sign, pod.tolerations);
    if let Some(sign) = node.taints.iter().find(drives_out) {
        return Some((Why::Tainted(sign.key.clone()), sign.since));
    }
    if !is_ready(node, readiness) {
        return Some((Why::Cordoned, node.cordoned_at));
    }
    let is_unlabelled = !readiness.is_empty() && !node.has_all(readiness);
    let is_kept_out = pod.affinity.is_some_and(|affinity| !admits(affinity, node));
    (is_unlabelled && is_kept_out).then_some((Why::Unlabelled, None))
}

/// Whether a pod that is made again could come to a node and stay.
pub(super) fn takes(node: &Facts, readiness: &BTreeMap<String, String>, pod: &Demands<'_>) -> bool {
    !node.is_cordoned
        && !node.is_unready
        && node.keep_away.iter().all(|sign| is_tolerated(sign, pod.tolerations))
        && leaves(node, readiness, pod).is_none()
        && pod.volumes.iter().all(|volume| admits(volume, node))
        && pod.affinity.is_none_or(|affinity| admits(affinity, node))
}

/// For ever: the shortest time of all that match counts.
fn is_tolerated(sign: &Sign, tolerations: &[Toleration]) -> bool {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let matches = |one: &&Toleration| {
        let (key, effect) = (text(&one.key), text(&one.effect));
        let exists = one.operator.as_deref() == Some("Exists");
        (effect.is_empty() || effect == sign.effect)
            && (key == sign.key || (key.is_empty() && exists))
            && (exists || text(&one.value) == sign.value)
    };
    let mut matching = tolerations.iter().filter(matches).peekable();
    matching.peek().is_some() && matching.all(|one| one.toleration_seconds.is_none())
}
