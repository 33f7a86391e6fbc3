//! What people are told of pods that are to be made anew. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::api::postgresql::Postgresql;
use crate::patroni::PAUSE;
use crate::report::{Finding, Stage, condition_of};
use crate::restart::{Difference, Kind};
use crate::rolling::Situation;

/// Pods are being made anew.
pub(super) const ROLLS: &str = "RollingUpdate";
/// The same, and it does not go on.
pub(super) const STUCK: &str = "RollingUpdateStuck";

/// The primary leaves a node that is about to go.
pub(super) const DRAINS: &str = "NodeDrain";
/// The same, and it should have left long ago.
pub(super) const NOT_MOVED: &str = "PrimaryNotMoved";

/// What a restart would change.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// What is worth one: pods and fields. Empty: nothing.
    pub(super) waits: String,
    /// What comes with any.
    pub(super) comes: String,
}

impl Told {
    pub(super) fn finding(self) -> Finding {
        match (self.waits.is_empty(), self.comes.is_empty()) {
            (true, true) => Finding::done("UpToDate", ""),
            (true, false) => {
                Finding::done("UpToDate", format!("the next restart brings: {}", self.comes))
            }
            // Its mark is on the way.
            (false, _) => {
                Finding::waiting("RestartPending", format!("waits for a restart of {}", self.waits))
            }
        }
    }
}

pub(super) fn outdated(outdated: &[(Arc<Pod>, Vec<Difference>)]) -> Told {
    Told { waits: told(outdated, Kind::RollsPods), comes: told(outdated, Kind::Template) }
}

/// Pods that are alike are told of together.
fn told(outdated: &[(Arc<Pod>, Vec<Difference>)], kind: Kind) -> String {
    let mut by_fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (pod, differences) in outdated {
        let of_kind = differences.iter().filter(|own| own.kind == kind);
        let fields: Vec<String> = of_kind.map(ToString::to_string).collect();
        if !fields.is_empty() {
            by_fields.entry(fields.join(", ")).or_default().push(pod.name_any());
        }
    }
    let texts =
        by_fields.into_iter().map(|(fields, pods)| format!("{}: {fields}", pods.join(", ")));
    texts.collect::<Vec<_>>().join("; ")
}

/// Somebody wants no pod to be disturbed.
pub(super) fn paused(waits: &str) -> Finding {
    Finding::waiting("Paused", format!("paused by {PAUSE}; what waits for a restart: {waits}"))
}

/// Which pods are left.
pub(super) fn marked(now: &Situation) -> String {
    let marked = now.pods.iter().filter(|pod| pod.marked && !pod.goes);
    let marked: Vec<&str> = marked.map(|pod| pod.name.as_str()).collect();
    match marked.is_empty() {
        true => String::new(),
        false => format!("to be made anew: {}", marked.join(", ")),
    }
}

/// Whether the last thing that was said is that pods are being made anew, whoever said it.
pub(super) fn was_rolling(manifest: &Postgresql) -> bool {
    condition_of(manifest, Stage::Template)
        .is_some_and(|own| own["reason"] == ROLLS || own["reason"] == STUCK)
}

/// The same of a primary that leaves its node.
pub(super) fn was_draining(manifest: &Postgresql) -> bool {
    condition_of(manifest, Stage::Template)
        .is_some_and(|own| own["reason"] == DRAINS || own["reason"] == NOT_MOVED)
}
