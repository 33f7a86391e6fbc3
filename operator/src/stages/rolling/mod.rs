//! Pods are made anew, one at a time. What is next says `crate::rolling`; here it is done.
//!
//! In: the pods, the template of their StatefulSet, and who leads by Patroni's own record. Out:
//! marks on pods, and one step. Never: a wait; whatever changes makes us look again.

mod drain;
pub(super) mod leader;
mod places;
mod question;
mod remake;
mod switch;
mod words;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::time::Instant;

use super::pods::is_primary;
use super::upgrade;
use crate::api::postgresql::Postgresql;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::disturbance::What;
use crate::failure::{ApplyError, has_code};
use crate::patroni;
use crate::report::{Finding, News, Outcome, Stage};
use crate::restart::{self, Difference, Live};
use crate::rolling::{self, Idle, Limit, MARK, Marking, REASON, Situation, Step, Waiting};
use crate::windows::Windows;
use drain::Drain;
pub use drain::leave;

/// What is remembered of a rolling update.
#[derive(Debug, Default)]
pub struct Rolling {
    question: question::Question,
    /// What it waits for, and since when.
    waits: Option<(Limit, Instant)>,
}

/// What came of one look.
#[derive(Clone, Debug)]
pub struct Rolled {
    pub finding: Finding,
    /// When to look again, if nothing happens before.
    pub again: Option<Duration>,
}

/// Who sets marks: not who applies the annotations of the template, which takes away what is not
/// in that.
const MANAGER: &str = "postgres-operator-rolling";

/// Pods, and what a restart would change of each.
pub type Outdated = Vec<(Arc<Pod>, Vec<Difference>)>;

/// Does what is next. `fewer`: as many pods there are to be, where the primary has to hand over
/// first.
pub async fn run(
    context: &Arc<Context>,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
    fewer: Option<i32>,
) -> Rolled {
    if upgrade::runs(context, manifest, cluster) {
        let text = "no pod is disturbed while the script of a major upgrade runs";
        return Rolled { finding: Finding::waiting("UpgradeRuns", text), again: None };
    }
    let set = context.caches.stateful_sets.get(&cluster.id, &cluster.id.name);
    // Between two of one name nobody would make a pod anew.
    let Some(set) = set.filter(|set| set.metadata.deletion_timestamp.is_none()) else {
        return Rolled { finding: Finding::done("UpToDate", ""), again: None };
    };
    let (outdated, newest) = outdated(context, config, cluster, &set);
    let paused = patroni::is_paused(manifest);
    // What the controller has not seen yet may be what a pod was made of.
    let may_mark = !paused && newest.is_some();
    if may_mark && let Err(error) = mark(context, manifest, &outdated).await {
        let finding = Finding::failed("ApplyFailed", error.to_string());
        return Rolled { finding, again: Some(config.operation.resource_check_interval) };
    }
    let pods = context.caches.pods.of(&cluster.id);
    let of_set = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
    let goes = fewer.map_or(of_set, |fewer| fewer.min(of_set));
    let leaving = leave(context, config, &cluster.id, &pods).await;
    let seen = rolling::pods(&pods, &config.labels.pod_role_label, goes, &leaving);
    let is_touched = |pod: &rolling::Pod| pod.marked || pod.goes || pod.leaves_node;
    let told = words::outdated(&outdated);
    let rolls = words::was_rolling(manifest);
    let drained = words::was_draining(manifest);
    if !rolls && !drained && !seen.iter().any(is_touched) {
        let finding = match paused && !told.waits.is_empty() {
            true => words::paused(&told.waits),
            false => told.finding(),
        };
        return Rolled { finding, again: None };
    }
    let held = goes < of_set;
    let look = Seen { paused, rolls, drained, goes, held, pods, seen, told };
    look.go_on(context, config, manifest, cluster).await
}

/// A cluster with something to disturb.
struct Seen {
    paused: bool,
    /// Pods are being made anew, as far as anybody has been told.
    rolls: bool,
    /// The primary leaves its node, by the same.
    drained: bool,
    /// As many pods there are to be.
    goes: i32,
    /// And the StatefulSet has more.
    held: bool,
    pods: Vec<Arc<Pod>>,
    seen: Vec<rolling::Pod>,
    told: words::Told,
}

impl Seen {
    async fn go_on(
        self,
        context: &Arc<Context>,
        config: &Config,
        manifest: &Postgresql,
        cluster: &Cluster,
    ) -> Rolled {
        let Self { paused, rolls, drained, goes, held, pods, seen, told } = self;
        let leader = leader::of(context, config, cluster, &pods).await;
        let pauses = leader::pauses(context, config, cluster).await;
        let (leader, pauses) = match leader.and_then(|leader| Ok((leader, pauses?))) {
            Ok(both) => both,
            Err(error) => {
                let finding = Finding::failed("ReadFailed", error.to_string());
                return Rolled { finding, again: Some(config.operation.resource_check_interval) };
            }
        };
        let (view, switches, restarts) = context.memory.with(&cluster.id, |known| {
            let restarts = known.disturbance.restarts();
            let view = known.rolling.question.answer(Instant::now());
            (view, known.disturbance.switches(), restarts)
        });
        let drain = drain::of(context, config, &pods, leader.as_deref());
        let situation = Situation {
            paused,
            rolls,
            wanted: usize::try_from(goes).unwrap_or(0),
            held,
            pauses,
            pods: seen,
            leader,
            view,
            switches,
            restarts,
            opens: Windows::of(&cluster.spec, config).next(Timestamp::now()),
            overdue: drain.as_ref().is_some_and(|drain| drain.is_overdue),
            drained,
        };
        let step = rolling::next(&situation);
        tracing::debug!(cluster = %cluster.id, ?step, leader = ?situation.leader, "rolling");
        let (pods, situation) = (&pods, &situation);
        let look = Look { context, config, manifest, cluster, pods, situation, drain };
        look.take(step, told).await
    }
}

/// One look at a cluster with something to disturb.
struct Look<'a> {
    context: &'a Arc<Context>,
    config: &'a Config,
    manifest: &'a Postgresql,
    cluster: &'a Cluster,
    pods: &'a [Arc<Pod>],
    situation: &'a Situation,
    /// Of the pod that leads.
    drain: Option<Drain>,
}

impl Look<'_> {
    async fn take(&self, step: Step, told: words::Told) -> Rolled {
        let check = self.config.operation.resource_check_interval;
        match step {
            Step::Nothing(Idle::UpToDate) => {
                let finding = up_to_date(self.context, self.manifest, self.cluster, told);
                Rolled { finding, again: None }
            }
            Step::Nothing(Idle::Paused) => {
                let marked = words::marked(self.situation);
                let text = [told.waits, marked].into_iter().find(|text| !text.is_empty());
                Rolled { finding: words::paused(&text.unwrap_or_default()), again: None }
            }
            Step::Wait(waiting) => self.wait(&waiting),
            Step::Ask => self.ask(),
            Step::Withdraw { at } => self.withdraw(&at),
            Step::SwitchOver { from, candidates, at, .. } => {
                self.switch_over(&from, &candidates, at)
            }
            Step::Delete { pod, why } => {
                let finding = self.delete(&pod, why).await;
                Rolled { finding, again: Some(check) }
            }
        }
    }

    fn wait(&self, waiting: &Waiting) -> Rolled {
        let is_late = self.is_late(waiting.limit());
        let finding = self.finding(&waiting.to_string(), waiting.limit(), is_late);
        let operation = &self.config.operation;
        let again = match waiting {
            // That is a while.
            Waiting::Scheduled(_) | Waiting::Window(_) => self.until_it_opens(),
            _ if self.situation.overdue => operation.repair_period,
            // Nobody tells when a member has caught up.
            Waiting::Silent(_) | Waiting::Streams(_) | Waiting::NoSynchronousStandby => {
                operation.patroni_api_check_interval
            }
            _ => operation.resource_check_interval,
        };
        Rolled { finding, again: Some(again) }
    }

    fn until_it_opens(&self) -> Duration {
        let operation = &self.config.operation;
        let left = self.situation.opens.map(|at| at.duration_since(Timestamp::now()));
        let left = left.and_then(|left| Duration::try_from(left).ok()).unwrap_or_default();
        left.min(operation.repair_period).max(operation.resource_check_interval)
    }

    /// The answer makes us look again; until then there is nothing new to say.
    fn ask(&self) -> Rolled {
        question::ask(self.context, self.config, &self.cluster.id, &self.ready());
        let before = self
            .context
            .memory
            .with(&self.cluster.id, |known| known.picture.findings.get(&Stage::Template).cloned());
        let is_of_this = |finding: &Finding| {
            matches!(finding.outcome, Outcome::Waiting | Outcome::Failed | Outcome::Partly)
                && [words::ROLLS, words::STUCK, words::DRAINS, words::NOT_MOVED]
                    .contains(&finding.reason)
        };
        let finding =
            before.filter(is_of_this).unwrap_or_else(|| self.finding("", Limit::Never, false));
        Rolled { finding, again: Some(self.config.operation.resource_check_interval) }
    }

    /// Whoever may be asked: the leader comes first.
    fn ready(&self) -> Vec<&Arc<Pod>> {
        let mut ready: Vec<_> = self.pods.iter().filter(|pod| rolling::is_ready(pod)).collect();
        ready.sort_by_key(|pod| Some(pod.name_any()) != self.situation.leader);
        ready
    }

    async fn delete(&self, name: &str, why: rolling::Why) -> Finding {
        let Some(pod) = self.pods.iter().find(|pod| pod.name_any() == name) else {
            return Finding::waiting(words::ROLLS, format!("{name} is gone"));
        };
        let reserved = self.context.memory.with(&self.cluster.id, |known| {
            let reserved = known.disturbance.reserve(What::Deletion(name.to_owned()))?;
            known.rolling.waits = None;
            Ok::<_, What>(reserved)
        });
        let _until_it_is_known_to_go = match reserved {
            Ok(reserved) => reserved,
            Err(other) => return Finding::waiting(words::ROLLS, other.to_string()),
        };
        match remake::remake(self.context, pod).await {
            Ok(()) => {
                tracing::info!(cluster = %self.cluster.id, pod = name, ?why, "is made anew");
                if let (Some(drain), rolling::Why::LeavesNode) = (&self.drain, why) {
                    let text = format!("{name} is made anew on another node: {}", drain.text());
                    self.context.tell(self.manifest, &News::normal("NodeDrain", text));
                }
                self.finding(&format!("{name} is made anew"), Limit::Deletion, false)
            }
            Err(error) => Finding::failed("ApplyFailed", error.to_string()),
        }
    }

    /// Whether this kind of thing was waited for too long.
    fn is_late(&self, limit: Limit) -> bool {
        let operation = &self.config.operation;
        let patience = match limit {
            Limit::Never => return false,
            Limit::Deletion => operation.pod_deletion_wait_timeout,
            Limit::Label | Limit::Switchover => operation.pod_label_wait_timeout,
        };
        let now = Instant::now();
        let since = self.context.memory.with(&self.cluster.id, |known| {
            let waits = &mut known.rolling.waits;
            let (_, since) = *match waits {
                Some(known) if known.0 == limit => known,
                _ => waits.insert((limit, now)),
            };
            since
        });
        now.duration_since(since) >= patience
    }

    fn finding(&self, text: &str, limit: Limit, is_late: bool) -> Finding {
        let marked = words::marked(self.situation);
        let drains = self.drain.as_ref().map(Drain::text).unwrap_or_default();
        let parts = [drains.as_str(), text, marked.as_str()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let text = parts.join("; ");
        if let Some(drain) = &self.drain {
            return self.of_drain(drain, text, limit, marked.is_empty());
        }
        let key = match limit {
            Limit::Deletion => "pod_deletion_wait_timeout",
            Limit::Label | Limit::Switchover | Limit::Never => "pod_label_wait_timeout",
        };
        match is_late {
            true => Finding::failed(words::STUCK, format!("for longer than {key}: {text}")),
            false => Finding::waiting(words::ROLLS, text),
        }
    }

    /// What has a time of its own is not late.
    fn of_drain(&self, drain: &Drain, text: String, limit: Limit, is_alone: bool) -> Finding {
        match (drain.is_overdue && limit != Limit::Never, is_alone) {
            (true, _) => {
                self.context.tell(self.manifest, &News::warning("NodeDrain", drain.warning()));
                let text = format!("for longer than master_pod_move_timeout: {text}");
                Finding::partly(words::NOT_MOVED, text)
            }
            (false, true) => Finding::waiting(words::DRAINS, text),
            (false, false) => Finding::waiting(words::ROLLS, text),
        }
    }
}

/// Nothing is left to do, and there was something.
fn up_to_date(
    context: &Context,
    manifest: &Postgresql,
    cluster: &Cluster,
    told: words::Told,
) -> Finding {
    context.memory.with(&cluster.id, |known| known.rolling = Rolling::default());
    if words::was_rolling(manifest) {
        let text = "Rolling update done - pods have been recreated";
        context.tell(manifest, &News::normal("Update", text));
    }
    told.finding()
}

/// Pods with what a restart would change, and the newest template, once its controller has seen it.
/// Whoever is made of that has from elsewhere what is different.
pub fn outdated(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
    set: &StatefulSet,
) -> (Outdated, Option<String>) {
    let newest = newest(set);
    let Some(spec) = &set.spec else { return (Vec::new(), None) };
    let pods = context.caches.pods.of(&cluster.id).into_iter();
    let pods = pods.filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let compared = pods.map(|pod| {
        let revision = pod.labels().get(REVISION).map(String::as_str);
        let differences = match revision.is_some() && revision == newest {
            true => Vec::new(),
            false => restart::differences(&spec.template, Live::Pod(&pod), config),
        };
        (pod, differences)
    });
    (compared.collect(), newest.map(str::to_owned))
}

/// The template that a pod was made of, as the StatefulSet controller counts.
const REVISION: &str = "controller-revision-hash";

/// The revision of the template as it is now, once its controller has seen it.
fn newest(set: &StatefulSet) -> Option<&str> {
    let status = set.status.as_ref()?;
    let is_seen = status.observed_generation == set.metadata.generation;
    status.update_revision.as_deref().filter(|_| is_seen)
}

/// Sets and removes marks, and tells once of all that are new.
async fn mark(
    context: &Context,
    manifest: &Postgresql,
    outdated: &Outdated,
) -> Result<(), ApplyError> {
    let mut set = Vec::new();
    for (pod, differences) in outdated {
        let annotations = match rolling::marking(pod, differences) {
            Marking::Keep => continue,
            Marking::Set(reason) => {
                set.push((Arc::clone(pod), differences.clone()));
                json!({ MARK: "true", REASON: reason })
            }
            Marking::Remove => json!({ MARK: null, REASON: null }),
        };
        annotate(context, pod, &annotations).await?;
    }
    let told = words::outdated(&set);
    if !told.waits.is_empty() {
        let text = format!("Performing rolling update of {}", told.waits);
        context.tell(manifest, &News::normal("Update", text));
    }
    Ok(())
}

async fn annotate(
    context: &Context,
    pod: &Pod,
    annotations: &serde_json::Value,
) -> Result<(), ApplyError> {
    let (name, namespace) = (pod.name_any(), pod.namespace().unwrap_or_default());
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    let patch = json!({ "metadata": { "uid": pod.uid(), "annotations": annotations } });
    let parameters =
        PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    match api.patch(&name, &parameters, &Patch::Merge(&patch)).await {
        Ok(now) => {
            context.caches.pods.wrote(now);
            Ok(())
        }
        // It is gone, or another one; the watch tells.
        Err(error) if has_code(&error, 404) || has_code(&error, 409) => Ok(()),
        Err(error) => Err(ApplyError::of::<Pod>(&name, &error)),
    }
}

/// Whether a pod is the primary by its label, where there is no better record.
fn by_label(pods: &[Arc<Pod>], config: &Config) -> Option<String> {
    let is_well = |pod: &&Arc<Pod>| rolling::is_ready(pod);
    let mut primaries: Vec<_> = pods.iter().filter(|pod| is_primary(pod, config)).collect();
    primaries.sort_by_key(|pod| !is_well(pod));
    primaries.first().map(|pod| pod.name_any())
}

#[cfg(test)]
mod tests;
