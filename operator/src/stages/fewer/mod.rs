//! Fewer pods than before: those with the highest numbers go. If the primary is among them, it
//! hands over first (see `crate::rolling`), and the number of pods stays as it is until that is
//! done.
//!
//! In: how many pods there are and shall be, and who leads by Patroni's own record. Out: how many
//! there may be now. Never: a pod that goes while nobody knows who leads, or while a switchover is
//! under way, unless none is to be left; and then none before whoever deletes pods was told to keep
//! their volumes.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::rolling::leader;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::patroni;
use crate::report::Finding;
use crate::rolling::{is_ready, ordinal};

/// What is to be done about pods that go.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Step {
    Go,
    /// The primary is not known, so that any of them may be it.
    Wait,
    /// One of them may be about to take over.
    Switches,
    HandOver,
}

/// Who leads, by Patroni's own record: its number, and whether it is ready.
#[derive(Clone, Copy, Debug)]
struct Leader {
    number: i32,
    ready: bool,
}

/// `now` and `fewer` are numbers of pods. `has_run`: whether a pod that goes ever had a role.
fn step(fewer: i32, now: i32, leader: Option<Leader>, has_run: bool, switches: bool) -> Step {
    if fewer >= now || fewer == 0 {
        return Step::Go;
    }
    match leader {
        _ if switches => Step::Switches,
        Some(leader) if leader.number >= fewer => Step::HandOver,
        Some(leader) if leader.ready => Step::Go,
        _ if has_run => Step::Wait,
        _ => Step::Go,
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
pub(super) async fn before_fewer(
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
    if wanted >= now {
        return None;
    }
    let goes = |pod: &&Arc<Pod>| ordinal(&pod.name_any()).is_some_and(|own| own >= wanted);
    let has_run = pods.iter().filter(goes).any(|pod| had_role(pod, config));
    let name = match leader::of(context, config, cluster, &pods).await {
        Ok(name) => name,
        // Whoever never had a role may go whatever it says.
        Err(_) if !has_run => None,
        Err(error) => return Some((now, Finding::failed("ReadFailed", error.to_string()))),
    };
    let leader = name.as_deref().and_then(|name| {
        let ready = pods.iter().any(|pod| pod.name_any() == name && is_ready(pod));
        Some(Leader { number: ordinal(name)?, ready })
    });
    let (switches, problem) = context.memory.with(&cluster.id, |known| {
        (known.disturbance.switches(), known.switchover.problem().map(str::to_owned))
    });
    let step = step(wanted, now, leader, has_run, switches);
    let finding = finding(step, &name.unwrap_or_default(), now, wanted, problem)?;
    Some((now, finding))
}

/// Whether a pod is or was a member. Patroni takes the label of a role away from whoever loses the
/// lead and from whoever starts; its note about itself stays.
fn had_role(pod: &Pod, config: &Config) -> bool {
    pod.labels().contains_key(&config.labels.pod_role_label) || patroni::has_noted(pod)
}

fn finding(
    step: Step,
    leader: &str,
    now: i32,
    wanted: i32,
    problem: Option<String>,
) -> Option<Finding> {
    match step {
        Step::Go => None,
        Step::HandOver => {
            let problem = problem.map(|own| format!("; the last try failed: {own}"));
            let text = format!(
                "{leader} is the primary and has to go: it hands over to another pod before there are {wanted}{}",
                problem.unwrap_or_default()
            );
            Some(Finding::waiting("HandsOver", text))
        }
        Step::Switches => {
            let text = format!(
                "there are {now} pods until the primary has handed over; {wanted} are wanted"
            );
            Some(Finding::waiting("HandsOver", text))
        }
        Step::Wait => {
            let text = format!(
                "there are {now} pods until one of them is the primary and ready; {wanted} are wanted"
            );
            Some(Finding::waiting("NoPrimary", text))
        }
    }
}

#[cfg(test)]
mod tests;
