//! What matters of a node, taken out of an object that is large.
//!
//! In: a Node. Out: whether pods may come to it, its labels, and the taints by which pods have to
//! go. Conditions make no pod leave, on purpose: a node that is not ready for a moment is nobody's
//! decision, and where it stays so Patroni elects another primary by itself. But no pod can be
//! sent there.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Taint};
use kube::ResourceExt;
use serde_json::Value;

/// One node.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    pub name: String,
    /// `kubectl cordon`.
    pub is_cordoned: bool,
    /// When it was, as far as the API server knows.
    pub cordoned_at: Option<Timestamp>,
    pub labels: BTreeMap<String, String>,
    /// Those by which pods have to go.
    pub taints: Vec<Sign>,
    /// All by which pods do not come.
    pub keep_away: Vec<Sign>,
    /// Its kubelet says that it is not ready, or nothing any more.
    pub is_unready: bool,
}

/// A taint.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sign {
    pub key: String,
    pub value: String,
    pub effect: String,
    pub since: Option<Timestamp>,
}

/// Taints of the node's conditions come and go with them, and not by anybody's decision.
const OF_CONDITIONS: &str = "node.kubernetes.io/";
/// What announces a drain without a cordon: the cluster autoscaler, and Karpenter.
const DRAIN_BEGINS: [&str; 3] =
    ["ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted", "karpenter.sh/disruption"];

impl Facts {
    pub fn of(node: &Node) -> Self {
        let spec = node.spec.as_ref();
        let is_cordoned = spec.and_then(|spec| spec.unschedulable).unwrap_or(false);
        let taints = || spec.and_then(|spec| spec.taints.as_ref()).into_iter().flatten();
        Self {
            name: node.name_any(),
            is_cordoned,
            cordoned_at: cordoned_at(node).filter(|_| is_cordoned),
            labels: node.labels().clone(),
            taints: taints().filter(|taint| sends_away(taint)).map(Sign::of).collect(),
            keep_away: taints().filter(|taint| keeps_away(taint)).map(Sign::of).collect(),
            is_unready: is_unready(node),
        }
    }

    /// Whether it has all of these labels. Without any there is none to have.
    pub fn has_all(&self, labels: &BTreeMap<String, String>) -> bool {
        !labels.is_empty() && labels.iter().all(|(key, value)| self.labels.get(key) == Some(value))
    }

    /// A node of the control plane: pods there are nobody's to move.
    pub fn is_master(&self) -> bool {
        self.labels.get("master").is_some_and(|value| value == "true")
    }
}

impl Sign {
    fn of(taint: &Taint) -> Self {
        Self {
            key: taint.key.clone(),
            value: taint.value.clone().unwrap_or_default(),
            effect: taint.effect.clone(),
            since: taint.time_added.as_ref().map(|time| time.0),
        }
    }
}

/// Whether pods have to go.
fn sends_away(taint: &Taint) -> bool {
    let is_command = taint.effect == "NoExecute" && !taint.key.starts_with(OF_CONDITIONS);
    is_command || DRAIN_BEGINS.contains(&taint.key.as_str())
}

/// Whether pods do not come.
fn keeps_away(taint: &Taint) -> bool {
    ["NoSchedule", "NoExecute"].contains(&taint.effect.as_str())
}

/// A node that says nothing about that is taken for a good one.
fn is_unready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|one| one.type_ == "Ready" && one.status != "True")
}

/// The API server notes for each field who set it, and when.
fn cordoned_at(node: &Node) -> Option<Timestamp> {
    let entries = node.metadata.managed_fields.iter().flatten();
    let sets = |fields: &Value| fields.pointer("/f:spec/f:unschedulable").is_some();
    let own = entries.filter(|entry| entry.fields_v1.as_ref().is_some_and(|own| sets(&own.0)));
    own.filter_map(|entry| entry.time.as_ref()).map(|time| time.0).max()
}
