//! Fewer pods than before: those with the highest numbers go. If the primary is among them, it
//! hands over first (see `crate::rolling`), and the number of pods stays as it is until that is
//! done.
//!
//! In: how many pods there are and shall be, and which of them is the primary. Out: how many there
//! may be now. Never: a pod that goes while nobody knows who the primary is.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::report::Finding;
use crate::rolling::ordinal;

/// What is to be done about pods that go.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Step {
    Go,
    /// The primary is not known, so that any of them may be it.
    Wait,
    HandOver,
}

/// `now` and `fewer` are numbers of pods. `primary`: the number of the one that is the primary and
/// ready. `has_run`: whether a pod that goes ever had a role.
fn step(fewer: i32, now: i32, primary: Option<i32>, has_run: bool) -> Step {
    if fewer >= now || fewer == 0 {
        return Step::Go;
    }
    match primary {
        Some(number) if number >= fewer => Step::HandOver,
        Some(_) => Step::Go,
        None if has_run => Step::Wait,
        None => Step::Go,
    }
}

/// How many pods there have to be now, if not as many as are wanted, and why. `live`: as many as
/// the StatefulSet has now, if there is one.
pub(super) fn before_fewer(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
    wanted: i32,
    live: Option<i32>,
) -> Option<(i32, Finding)> {
    let pods = context.caches.pods.of(&cluster.id);
    // Between two StatefulSets of one name the pods are all that there is.
    let there = pods.iter().filter_map(|pod| ordinal(&pod.name_any())).max();
    let now = live.or(there.map(|highest| highest + 1))?;
    let goes = |pod: &&Arc<Pod>| ordinal(&pod.name_any()).is_some_and(|own| own >= wanted);
    let has_role = |pod: &Arc<Pod>| pod.labels().contains_key(&config.labels.pod_role_label);
    let has_run = pods.iter().filter(goes).any(has_role);
    let primary = super::pods::primary_of(&pods, config);
    let number = primary.as_ref().and_then(|pod| ordinal(&pod.name_any()));
    match (step(wanted, now, number, has_run), primary) {
        (Step::HandOver, Some(primary)) => {
            let problem = context
                .memory
                .with(&cluster.id, |known| known.switchover.problem().map(str::to_owned));
            let mut text = format!(
                "{} is the primary and has to go: it hands over to another pod before there are {wanted}",
                primary.name_any()
            );
            if let Some(problem) = problem {
                text = format!("{text}; the last try failed: {problem}");
            }
            Some((now, Finding::waiting("HandsOver", text)))
        }
        (Step::Wait, _) => {
            let text = format!(
                "there are {now} pods until one of them is the primary and ready; {wanted} are wanted"
            );
            Some((now, Finding::waiting("NoPrimary", text)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
