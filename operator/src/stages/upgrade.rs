//! Whether the server of a cluster has the version that it is to have, and the script that brings
//! it there. What is to be done says `crate::upgrade::plan`; here it is done. Whoever has to be asked
//! for that is asked beside the queue.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use tokio::time::Instant;

use crate::api::postgresql::Postgresql;
use crate::build::statefulset::is_standby;
use crate::cluster::{Cluster, ClusterId};
use crate::config::Config;
use crate::context::Context;
use crate::disturbance::What;
use crate::failure::ApplyError;
use crate::patroni;
use crate::report::Finding;
use crate::stages::pods::primary_of;
use crate::upgrade::attempt::{self, Attempt};
use crate::upgrade::note::{FAILURE, NOTE, Note};
use crate::upgrade::plan::{Script, Situation, Step, next};
use crate::upgrade::question::{self, Answer, Asked};
use crate::upgrade::version::{self, Held};
use crate::upgrade::{Tries, is_under_way};
use crate::windows::Windows;

/// What something tells us of, nearly always, is looked for again after this.
const AGAIN: Duration = Duration::from_secs(15);

/// What one look came to.
#[derive(Debug)]
pub struct Looked {
    /// `None`: somebody is being asked, and until then there is nothing new to say.
    pub finding: Option<Finding>,
    /// When to look again, if nothing happens before.
    pub again: Option<Duration>,
}

/// `None`: there is no server, or nobody can say which version it is to have. `rolls`: whether
/// pods are being made anew, or may be.
pub async fn run(
    context: &Arc<Context>,
    config: &Arc<Config>,
    manifest: &Postgresql,
    cluster: &Cluster,
    rolls: bool,
) -> Option<Looked> {
    let id = &cluster.id;
    // Before the manifest: a script that ends meanwhile is noted first, and forgotten then.
    let runs_here = context.memory.with(id, |known| known.disturbance.upgrades());
    // Stages before this one may have written to it, and notes are written by nobody but us.
    let newest = context.caches.manifests.get(id, &id.name);
    let manifest = newest.as_deref().unwrap_or(manifest);
    let wanted = version::number(&cluster.spec.postgresql.version)?;
    let set = context.caches.stateful_sets.get(id, &id.name)?;
    let replicas = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
    let expected = usize::try_from(replicas).ok().filter(|expected| *expected > 0)?;
    let now = situation(context, config, manifest, cluster, (wanted, expected, runs_here));
    let Some(now) = now else { return Some(Looked { finding: None, again: None }) };
    let now = Situation { is_disturbed: rolls || now.is_disturbed, ..now };
    Some(take(next(&now), &now, context, config, manifest, cluster).await)
}

async fn take(
    step: Step,
    now: &Situation,
    context: &Arc<Context>,
    config: &Arc<Config>,
    manifest: &Postgresql,
    cluster: &Cluster,
) -> Looked {
    let (id, wanted) = (&cluster.id, now.wanted);
    let looked = |finding, again| Looked { finding: Some(finding), again };
    let failed = |error: ApplyError| Finding::failed("ApplyFailed", error.to_string());
    let waits = |text: String| Finding::waiting("UpgradeRuns", text);
    let finding = match step {
        Step::UpToDate { forget } => {
            context.memory.with(id, |known| known.upgrade.tries = Tries::default());
            let forgotten = if forget { attempt::forget(context, id).await } else { Ok(()) };
            forgotten.map_or_else(failed, |()| up_to_date(manifest, wanted))
        }
        Step::Succeeded => attempt::end(context, config, manifest, id, wanted, true)
            .await
            .map_or_else(failed, |()| up_to_date(manifest, wanted)),
        Step::CutOff => match attempt::end(context, config, manifest, id, wanted, false).await {
            Ok(()) => return looked(waits("nobody saw its end".to_owned()), Some(AGAIN)),
            Err(error) => failed(error),
        },
        Step::Run(pod) => {
            let from = now.running.unwrap_or_default();
            let text = format!("upgrades from {from} to {wanted} on {pod}");
            let upgrade = What::Upgrade(pod.clone());
            let reserved = context.memory.with(id, |known| known.disturbance.reserve(upgrade));
            let Ok(reserved) = reserved else { return looked(waits(text), Some(AGAIN)) };
            let attempt = Attempt { pod, pods: now.expected, from, to: wanted };
            attempt::start(context, config, manifest, id, attempt, reserved);
            waits(text)
        }
        Step::Runs => waits(format!("upgrades to {wanted}")),
        Step::Wait(reason, text) => {
            let again = later(context, config, now, id, reason);
            let text = if now.problem.is_some() { text } else { with_problem(context, id, text) };
            return looked(Finding::waiting(reason, text), Some(again));
        }
        Step::Stop(reason, text) => Finding::partly(reason, text),
    };
    looked(finding, None)
}

/// When to look again for what something waits.
fn later(
    context: &Context,
    config: &Config,
    now: &Situation,
    id: &ClusterId,
    reason: &str,
) -> Duration {
    let left = context.memory.with(id, |known| {
        let (at, own) = (Instant::now(), &known.upgrade);
        own.question.left(at).or(own.tries.left(at))
    });
    match (reason, now.opens) {
        ("WaitsForWindow", Some(opens)) => until(opens).max(AGAIN),
        ("NoPrimary" | "Paused" | "UpgradeRuns" | "UpgradeNotStarted", _) => left.unwrap_or(AGAIN),
        _ => config.operation.resource_check_interval,
    }
}

/// What the script could not be started for is told until it was.
fn with_problem(context: &Context, id: &ClusterId, text: String) -> String {
    let problem = context.memory.with(id, |known| known.upgrade.tries.problem().map(str::to_owned));
    problem.map_or(text.clone(), |problem| format!("{text}; the last try: {problem}"))
}

fn until(opens: Timestamp) -> Duration {
    Duration::try_from(opens.duration_since(Timestamp::now())).unwrap_or_default()
}

/// In mode `full` a cluster may have another version than its manifest says.
fn up_to_date(manifest: &Postgresql, wanted: u32) -> Finding {
    let spec = manifest.spec.value();
    let own = spec["postgresql"]["version"].as_str().unwrap_or_default();
    let text = match version::number(own) {
        Some(own) if own != wanted => {
            format!("{wanted}; the manifest says {own}, which is older than minimal_major_version")
        }
        _ => wanted.to_string(),
    };
    Finding::done("UpToDate", text)
}

/// What is known, and `None` where somebody is being asked.
fn situation(
    context: &Arc<Context>,
    config: &Arc<Config>,
    manifest: &Postgresql,
    cluster: &Cluster,
    (wanted, expected, runs_here): (u32, usize, bool),
) -> Option<Situation> {
    let id = &cluster.id;
    let at = Instant::now();
    let (is_disturbed, problem) = context.memory.with(id, |known| {
        let disturbed = known.disturbance.now().is_some();
        let own = &known.upgrade;
        let problem = own.tries.problem().filter(|_| own.tries.left(at).is_some());
        (disturbed, problem.map(str::to_owned))
    });
    let note = manifest.annotations().get(NOTE).and_then(|text| Note::parse(text));
    let opens = Windows::of(&cluster.spec, config).next(Timestamp::now());
    let is_allowed = version::is_allowed(&cluster.spec.team_id, config);
    let all = opens.is_none() && is_allowed;
    let answer = match runs_here {
        true => Answer::default(),
        false => heard(context, config, id, (wanted, note.as_ref(), all))?,
    };
    let is_lost_for_long = context.memory.with(id, |known| {
        let is_lost = answer.script == Some(Script::Ended) && answer.running.is_none();
        let since = &mut known.upgrade.lost_since;
        *since = since.filter(|_| is_lost).or(is_lost.then_some(at));
        since.is_some_and(|since| since.elapsed() > config.operation.resource_check_timeout)
    });
    Some(Situation {
        wanted,
        running: answer.running,
        is_allowed,
        is_standby: is_standby(&cluster.spec),
        runs_here,
        note,
        script: answer.script,
        is_lost_for_long,
        problem,
        has_failed: manifest.annotations().contains_key(FAILURE),
        is_disturbed,
        is_paused: patroni::is_paused(manifest) || answer.is_paused,
        opens,
        expected,
        pods: answer.pods,
        members: answer.members,
    })
}

/// What was answered, or is known without a question; `None`: somebody is being asked. No more is
/// asked than it takes: a cluster that has the version is asked once. `all`: the script may run, so
/// that all pods matter.
fn heard(
    context: &Arc<Context>,
    config: &Arc<Config>,
    id: &ClusterId,
    (wanted, note, all): (u32, Option<&Note>, bool),
) -> Option<Answer> {
    let running = context.memory.with(id, |known| known.upgrade.running);
    if running == Some(wanted) && note.is_none() {
        return Some(Answer { running, ..Answer::default() });
    }
    let lost = note.filter(|note| matches!(note, Note::Running(..))).cloned();
    let primary = primary_of(&context.caches.pods.of(id), config);
    if primary.is_none() && lost.is_none() {
        // The watch tells when there is one.
        return Some(Answer::default());
    }
    let all = all && lost.is_none();
    let asked = Asked { wanted, primary: primary.and_then(|pod| pod.uid()), lost, all };
    let now = Instant::now();
    let answer = context.memory.with(id, |known| known.upgrade.question.answer(now, &asked));
    if answer.is_none() {
        question::ask(context, config, id, asked);
    }
    answer
}

/// The version for which pods are to be made now, and why not the one that the cluster is to have.
pub(super) fn for_pods(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
    live: Option<&StatefulSet>,
) -> (Option<u32>, Option<Held>) {
    let Some(wanted) = version::number(&cluster.spec.postgresql.version) else {
        return (None, None);
    };
    let pods = context.caches.pods.of(&cluster.id);
    let template = live.and_then(|set| set.spec.as_ref()?.template.spec.as_ref());
    let live = match live {
        Some(_) => template.and_then(|spec| version::of_pod(&spec.containers)),
        // Between two StatefulSets of one name the pods are all that there is.
        None => version::of_pods(&pods, primary_of(&pods, config).as_deref()),
    };
    // Nobody is asked here: the stage itself does that, and then there is another look.
    let running = context.memory.with(&cluster.id, |known| known.upgrade.running);
    let is_open = Windows::of(&cluster.spec, config).is_open(Timestamp::now());
    let is_allowed = version::is_allowed(&cluster.spec.team_id, config);
    let has_run = pods.iter().any(|pod| pod.labels().contains_key(&config.labels.pod_role_label));
    let upgrades = !has_run || is_allowed && !is_standby(&cluster.spec);
    match version::for_pods(wanted, live, running, (is_open, upgrades)) {
        Ok(version) => (Some(version), None),
        Err((version, held)) => (Some(version), Some(held)),
    }
}

/// Whether the script runs, as far as this process or the manifest knows.
pub fn runs(context: &Context, manifest: &Postgresql, cluster: &Cluster) -> bool {
    let is_ours = context.memory.with(&cluster.id, |known| known.disturbance.upgrades());
    is_ours || is_under_way(manifest)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    use super::*;
    use crate::build::vectors;
    use crate::testing::FakeApi;

    /// A context that knows the primary of the cluster, made for a version.
    fn with_primary(config: &Config, version: &str) -> Arc<Context> {
        let context = FakeApi::empty().context(config.clone(), None);
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {
                "name": "acid-minimal-cluster-0", "namespace": "default", "uid": "1",
                "labels": {
                    "application": "spilo", "cluster-name": "acid-minimal-cluster",
                    "spilo-role": "master",
                },
            },
            "spec": { "containers": [{
                "name": "postgres", "env": [{ "name": "PGVERSION", "value": version }],
            }] },
            // It has no address, and so nobody gets an answer.
            "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
        }))
        .unwrap();
        context.caches.pods.wrote(pod);
        Arc::new(context)
    }

    #[tokio::test]
    async fn a_stateful_set_that_is_made_again_has_the_version_that_was_held() {
        let mut config = vectors::config();
        config.upgrade.major_version_upgrade_mode = "manual".to_owned();
        let mut cluster = vectors::cluster();
        cluster.spec.postgresql.version = "15".to_owned();
        let context = with_primary(&config, "16");
        let found = for_pods(&context, &config, &cluster, None);
        assert_eq!(found, (Some(16), Some(Held::Unknown)), "nobody knows what the server has");
        context.memory.with(&cluster.id, |known| known.upgrade.running = Some(16));
        let found = for_pods(&context, &config, &cluster, None);
        assert_eq!(found, (Some(16), Some(Held::Downgrade(16))));
        config.upgrade.major_version_upgrade_mode = "off".to_owned();
        cluster.spec.postgresql.version = "17".to_owned();
        let found = for_pods(&context, &config, &cluster, None);
        assert_eq!(found, (Some(16), Some(Held::NoUpgrade)));
    }

    #[tokio::test]
    async fn a_primary_that_does_not_answer_is_asked_beside_the_queue_and_then_left_alone() {
        let mut config = vectors::config();
        config.operation.repair_period = Duration::from_secs(300);
        let cluster = vectors::cluster();
        let context = with_primary(&config, "15");
        let config = Arc::new(config);
        let set = json!({
            "metadata": {
                "name": "acid-minimal-cluster", "namespace": "default",
                "labels": { "application": "spilo", "cluster-name": "acid-minimal-cluster" },
            },
            "spec": { "replicas": 1, "selector": {}, "template": {} },
        });
        context.caches.stateful_sets.wrote(serde_json::from_value(set).unwrap());
        let manifest = serde_json::from_value(json!({
            "apiVersion": "acid.zalan.do/v1", "kind": "postgresql", "metadata": {}, "spec": {},
        }));
        let manifest = manifest.unwrap();
        let first = run(&context, &config, &manifest, &cluster, false).await.unwrap();
        assert!(first.finding.is_none() && first.again.is_none(), "{first:?}");
        let left = || {
            let now = Instant::now();
            context.memory.with(&cluster.id, |known| known.upgrade.question.left(now))
        };
        while left().is_none() {
            tokio::task::yield_now().await;
        }
        let then = run(&context, &config, &manifest, &cluster, false).await.unwrap();
        assert_eq!(then.finding.map(|finding| finding.reason), Some("NoPrimary"));
        assert!(then.again.is_some_and(|again| again <= Duration::from_secs(2)));
    }
}
