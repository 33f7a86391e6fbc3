//! Whether the server of a cluster has the version that it is to have, and the script that brings
//! it there. What is to be done says `crate::upgrade::plan`; here it is asked for and done.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;
use tokio::time::Instant;

use crate::api::postgresql::Postgresql;
use crate::build::statefulset::is_standby;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::disturbance::What;
use crate::failure::ApplyError;
use crate::patroni;
use crate::report::Finding;
use crate::upgrade::attempt::{self, Attempt};
use crate::upgrade::note::{FAILURE, NOTE, Note};
use crate::upgrade::plan::{Situation, Step, next};
use crate::upgrade::version::{self, Held};
use crate::upgrade::{ask, is_under_way};
use crate::windows::Windows;

/// What something tells us of, nearly always, is looked for again after this.
const AGAIN: Duration = Duration::from_secs(15);

/// What one look came to.
#[derive(Debug)]
pub struct Looked {
    pub finding: Finding,
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
    // Stages before this one may have written to it, and notes are written by nobody but us.
    let newest = context.caches.manifests.get(id, &id.name);
    let manifest = newest.as_deref().unwrap_or(manifest);
    let wanted = version::number(&cluster.spec.postgresql.version)?;
    let set = context.caches.stateful_sets.get(id, &id.name)?;
    let replicas = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(0);
    let expected = usize::try_from(replicas).ok().filter(|expected| *expected > 0)?;
    let now = situation(context, config, manifest, cluster, (wanted, expected)).await;
    let now = Situation { is_disturbed: rolls || now.is_disturbed, ..now };
    let step = next(&now);
    let looked = |finding, again| Some(Looked { finding, again });
    let failed = |error: ApplyError| Finding::failed("ApplyFailed", error.to_string());
    let waits = |text: String| Finding::waiting("UpgradeRuns", text);
    let finding = match step {
        Step::UpToDate { forget } => {
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
            let attempt = Attempt { pod, pods: expected, from, to: wanted };
            match attempt::start(context, config, manifest, id, attempt, reserved).await {
                Ok(()) => waits(text),
                Err(error) => failed(error),
            }
        }
        Step::Runs => waits(format!("upgrades to {wanted}")),
        Step::Wait(reason, text) => {
            let again = match (reason, now.opens) {
                ("WaitsForWindow", Some(opens)) => until(opens).max(AGAIN),
                ("NoPrimary" | "Paused", _) => AGAIN,
                _ => config.operation.resource_check_interval,
            };
            return looked(
                Finding::waiting(reason, with_problem(context, cluster, text)),
                Some(again),
            );
        }
        Step::Stop(reason, text) => Finding::partly(reason, text),
    };
    looked(finding, None)
}

/// What the script could not be started for is told until it was.
fn with_problem(context: &Context, cluster: &Cluster, text: String) -> String {
    let problem = context.memory.with(&cluster.id, |known| known.upgrade.problem.clone());
    problem.map_or(text.clone(), |problem| format!("{text}; the last try: {problem}"))
}

fn until(opens: Timestamp) -> Duration {
    Duration::try_from(opens.duration_since(Timestamp::now())).unwrap_or_default()
}

/// In mode `full` a cluster may have another version than its manifest says.
fn up_to_date(manifest: &Postgresql, wanted: u32) -> Finding {
    let own = manifest.spec["postgresql"]["version"].as_str().unwrap_or_default();
    let text = match version::number(own) {
        Some(own) if own != wanted => {
            format!("{wanted}; the manifest says {own}, which is older than minimal_major_version")
        }
        _ => wanted.to_string(),
    };
    Finding::done("UpToDate", text)
}

/// Asks no more than it takes: a cluster that has the version is asked once.
async fn situation(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
    (wanted, expected): (u32, usize),
) -> Situation {
    let id = &cluster.id;
    let note = manifest.annotations().get(NOTE).and_then(|text| Note::parse(text));
    let has_failed = manifest.annotations().contains_key(FAILURE);
    let is_lost = matches!(note, Some(Note::Running(_)));
    let (runs_here, seen, is_lost_for_long, is_disturbed) = context.memory.with(id, |known| {
        let disturbed = known.disturbance.now().is_some();
        let own = &mut known.upgrade;
        let lost = is_lost && own.runs.is_none();
        own.lost_since = own.lost_since.filter(|_| lost).or(lost.then(Instant::now));
        let limit = config.operation.resource_check_timeout;
        let long = own.lost_since.is_some_and(|since| since.elapsed() > limit);
        (own.runs.is_some(), own.running, long, disturbed)
    });
    let primary = match seen == Some(wanted) && note.is_none() || runs_here {
        true => None,
        false => ask::primary(context, config, cluster).await,
    };
    let running = match &primary {
        Some(primary) => primary.major(),
        None => seen.filter(|seen| *seen == wanted && note.is_none()),
    };
    let windows = Windows::of(&cluster.spec, config);
    let mut now = Situation {
        wanted,
        running,
        is_allowed: version::is_allowed(&cluster.spec.team_id, config),
        is_standby: is_standby(&cluster.spec),
        runs_here,
        note,
        is_lost_for_long,
        has_failed,
        is_disturbed,
        is_paused: patroni::is_paused(manifest),
        opens: windows.next(Timestamp::now()),
        expected,
        pods: Vec::new(),
        members: None,
    };
    let is_behind = running.is_some_and(|running| running < wanted);
    let is_open = now.opens.is_none() && !is_lost && !runs_here && now.is_allowed;
    if is_behind
        && is_open
        && let Some(primary) = &primary
    {
        now.pods = ask::pods(context, config, cluster).await;
        now.members = ask::members(context, config, cluster, primary).await;
    }
    now
}

/// The cluster for which pods are to be made now, and why not for the version that it is to have.
pub(super) async fn for_pods(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
    live: Option<&StatefulSet>,
) -> (Option<u32>, Option<Held>) {
    let Some(wanted) = version::number(&cluster.spec.postgresql.version) else {
        return (None, None);
    };
    let template = live.and_then(|set| set.spec.as_ref()?.template.spec.as_ref());
    let live = template.and_then(|spec| version::of_pod(&spec.containers));
    let running = match live {
        Some(live) if wanted < live => ask::known(context, config, cluster).await,
        _ => None,
    };
    let is_open = Windows::of(&cluster.spec, config).is_open(Timestamp::now());
    match version::for_pods(wanted, live, running, is_open) {
        Ok(version) => (Some(version), None),
        Err((version, held)) => (Some(version), Some(held)),
    }
}

/// Whether the script runs, as far as this process or the manifest knows.
pub fn runs(context: &Context, manifest: &Postgresql, cluster: &Cluster) -> bool {
    let is_ours = context.memory.with(&cluster.id, |known| known.upgrade.runs.is_some());
    is_ours || is_under_way(manifest)
}
