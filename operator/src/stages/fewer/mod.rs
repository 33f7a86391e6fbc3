//! Fewer pods than before: those with the highest numbers go. If the primary is among them, it
//! hands over first (see `crate::rolling`), and the number of pods stays as it is until that is
//! done.
//!
//! In: how many pods there are and shall be, and which of them is the primary. Out: how many there
//! may be now. Never: a pod that goes while nobody knows who the primary is, unless none is to be
//! left; and then none before whoever deletes pods was told to keep their volumes.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
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

/// Whether volumes may go with the pods of a StatefulSet: by its policy, or by one that its
/// controller may still know.
fn may_delete_volumes(set: &StatefulSet) -> bool {
    let policy = set.spec.as_ref().and_then(|spec| {
        spec.persistent_volume_claim_retention_policy.as_ref()?.when_scaled.as_deref()
    });
    let heard = set.status.as_ref().and_then(|status| status.observed_generation);
    policy == Some("Delete") || heard != set.metadata.generation
}

/// How many pods there have to be now, if not as many as are wanted, and why. `set`: the
/// StatefulSet as it is, if there is one.
pub(super) fn before_fewer(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
    wanted: i32,
    set: Option<&StatefulSet>,
) -> Option<(i32, Finding)> {
    let live = set.and_then(|set| set.spec.as_ref()?.replicas);
    if let (0, Some(now @ 1..)) = (wanted, live)
        && set.is_some_and(may_delete_volumes)
    {
        let text = "there are to be no pods: first their volumes are kept";
        return Some((now, Finding::waiting("KeepsVolumes", text)));
    }
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
