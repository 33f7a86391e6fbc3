//! Fewer pods than before: those with the highest numbers go. If the primary is among them, it
//! hands over first, and the number of pods stays as it is until that is done.
//!
//! In: how many pods there are and shall be, and which of them is the primary. Out: how many there
//! may be now. Never: a pod that goes while nobody knows who the primary is.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::controller::queue::Why;
use crate::patroni::Patroni;
use crate::report::Finding;

/// How it goes with the primary of a cluster that has to go.
#[derive(Debug, Default)]
pub struct HandOver {
    is_under_way: bool,
    failures: u32,
    not_before: Option<Instant>,
    problem: Option<String>,
}

/// After the first failure; it doubles from there on.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Who may take over is asked for so long at most. Whoever has led when this began still leads
/// when the answer is used.
const LONGEST_QUESTION: Duration = Duration::from_secs(3);

impl HandOver {
    /// Whether to ask Patroni now; whoever is told so has to say how it ended.
    fn begins(&mut self, now: Instant) -> bool {
        let is_due = self.not_before.is_none_or(|at| at <= now);
        let begins = is_due && !self.is_under_way;
        self.is_under_way |= begins;
        begins
    }

    fn ended(&mut self, now: Instant, result: Result<(), String>, at_most: Duration) {
        self.is_under_way = false;
        match result {
            Ok(()) => *self = Self::default(),
            Err(problem) => {
                let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(at_most);
                self.not_before = Some(now + pause);
                self.failures += 1;
                self.problem = Some(problem);
            }
        }
    }
}

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
    context: &Arc<Context>,
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
            let problem = hand_over(context, config, cluster, &primary, wanted);
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

/// Asks Patroni, beside everything else, unless it is being asked or has just refused; the pods'
/// labels tell how it went. What was wrong the last time.
fn hand_over(
    context: &Arc<Context>,
    config: &Config,
    cluster: &Cluster,
    primary: &Pod,
    fewer: i32,
) -> Option<String> {
    let address = primary.status.as_ref().and_then(|status| status.pod_ip.as_ref());
    let Some(address) = address.and_then(|address| address.parse::<IpAddr>().ok()) else {
        return Some("it has no address".to_owned());
    };
    let (begins, problem) = context.memory.with(&cluster.id, |known| {
        (known.hand_over.begins(Instant::now()), known.hand_over.problem.clone())
    });
    if !begins {
        return problem;
    }
    let (context, id, leader) = (Arc::clone(context), cluster.id.clone(), primary.name_any());
    let patience = config.operation.patroni_api_check_timeout.min(LONGEST_QUESTION);
    let patroni = Patroni::new(context.http.clone(), address, patience);
    let at_most = config.operation.repair_period;
    tokio::spawn(async move {
        let asked = async {
            let members = patroni.members().await.map_err(|error| error.to_string())?;
            let stays = |name: &str| ordinal(name).is_some_and(|number| number < fewer);
            let candidate = members.candidate(stays).ok_or("no pod that stays could take over")?;
            patroni.switchover(&leader, candidate).await.map_err(|error| error.to_string())
        };
        let result = asked.await;
        if let Err(error) = &result {
            tracing::warn!(cluster = %id, error, "the primary could not hand over");
        }
        let is_done = result.is_ok();
        let end = |hand_over: &mut HandOver| hand_over.ended(Instant::now(), result, at_most);
        context.memory.with(&id, |known| end(&mut known.hand_over));
        if is_done {
            context.objects.add(&id, Why::Repair);
        }
    });
    problem
}

/// The number at the end of a pod's name.
fn ordinal(pod: &str) -> Option<i32> {
    pod.rsplit_once('-')?.1.parse().ok()
}

#[cfg(test)]
mod tests;
