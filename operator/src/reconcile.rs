//! One look at a cluster: observe -> validate -> build -> apply -> report.
//!
//! Every stage says how it went and none stops the next; a StatefulSet alone is not made before the
//! two Secrets that its pods need. No stage waits for a pod, a volume or a database; whatever
//! changes makes us look again.

use std::sync::Arc;

use crate::adopt;
use crate::apply::fits;
use crate::cluster::ClusterId;
use crate::context::Context;
use crate::controller::queue::{Ended, Why};
use crate::deletion;
use crate::finalizer;
use crate::report::{Finding, Outcome, Stage};
use crate::stages::{
    backup, patroni_config, pod_annotations, pods, pooler, resources, rolling, rotation, secrets,
    stateful_set, upgrade, volumes,
};
use crate::tell;
use crate::validate::{Accepted, validate};

/// Brings the objects of one cluster in line with its manifest.
pub async fn reconcile(context: &Arc<Context>, id: &ClusterId) -> Ended {
    let config = context.config();
    let manifest = context.caches.manifests.get(id, &id.name);
    if let Some(deletion) = deletion::of(context, id, manifest.as_ref()) {
        return deletion::proceed(context, &config, id, &deletion).await;
    }
    let Some(manifest) = manifest else { return Ended::Forget };
    if !context.is_ours(&manifest) {
        return Ended::Forget;
    }
    let accepted = match validate(&manifest, &config) {
        Ok(accepted) => accepted,
        Err(error) => {
            context.memory.with(id, |known| {
                known.picture.refused = Some(error);
                known.picture.generation = manifest.metadata.generation;
            });
            let _told_again_at_the_next_look = tell::status(context, &manifest).await;
            // Only a new manifest or another configuration makes a difference.
            return Ended::Well { again: config.operation.resync_period };
        }
    };
    let mut notes = accepted.roles.notes.clone();
    notes.extend(crate::rotation::notes(&accepted.cluster.spec, &config));
    notes.extend(crate::validate::notes(&accepted.cluster, &config));
    notes.extend(stateful_set::missing_source(context, &config, &accepted.cluster));
    notes.extend(context.identity.notes(&accepted, &config));
    notes.extend(crate::patroni::pause_complaint(&manifest));
    context.memory.with(id, |known| {
        known.picture.refused = None;
        known.picture.notes = notes;
    });
    let Accepted { cluster, roles, databases: _ } = &accepted;
    if let Some(ended) = fits::stop(context, &config, &manifest, id).await {
        return ended;
    }
    let finalizer = finalizer::ensure(context, &config, &manifest).await;
    let resources = resources::run(context, &config, &manifest, cluster).await;
    let secrets = secrets::run(context, &config, &manifest, cluster, roles).await;
    let rotated = rotation::run(context, &config, &manifest, cluster, roles).await;
    let secrets = worst([secrets, rotated]);
    let volumes = volumes::run(context, &config, &manifest, cluster).await;
    let of_new = volumes.of_new;
    let workload = stateful_set::run(context, &config, &manifest, cluster, of_new).await;
    let fewer = workload.fewer;
    let takeover = workload.held.and_then(|held| adopt::finding(&manifest, held.as_ref()));
    if let Some(news) = takeover.as_ref().and_then(|own| adopt::news(&manifest, own)) {
        context.tell(&manifest, &news);
    }
    let takeover = takeover.map(|finding| (Stage::Takeover, finding));
    let workload = workload.finding;
    let backup = backup::run(context, &config, &manifest, cluster).await;
    let waits = [Some(&workload), backup.as_ref()]
        .into_iter()
        .flatten()
        .any(|finding| finding.outcome == Outcome::Waiting);
    let annotated = pod_annotations::run(context, &config, cluster).await;
    let annotated = annotated.iter().map(|error| Finding::failed("ApplyFailed", error.to_string()));
    let rolled = rolling::run(context, &config, &manifest, cluster, fewer).await;
    let pods = pods::look(context, &config, cluster);
    let rolls = rolled.finding.outcome != Outcome::Done;
    let version = upgrade::run(context, &config, &manifest, cluster, rolls).await;
    let version_again = version.as_ref().and_then(|looked| looked.again);
    let asks = patroni_config::run(context, &config, &manifest, cluster);
    let poolers = pooler::run(context, &config, &manifest, &accepted, pods.has_primary).await;
    let optional = [
        takeover,
        poolers.map(|finding| (Stage::Pooler, finding)),
        backup.map(|finding| (Stage::LogicalBackup, finding)),
        version.map(|looked| (Stage::Version, looked.finding)),
    ];
    let has_new_primary = context.memory.with(id, |known| {
        let picture = &mut known.picture;
        let is_new = pods.has_primary && !picture.has_primary;
        picture.has_primary = pods.has_primary;
        picture.generation = Some(cluster.generation);
        let found = [
            (
                Stage::Resources,
                worst([finalizer, resources, workload].into_iter().chain(annotated)),
            ),
            (Stage::Secrets, secrets),
            (Stage::Pods, pods.ready),
            (Stage::Template, rolled.finding),
            (Stage::Volumes, volumes.finding),
        ];
        picture.found(cluster.generation, found.into_iter().chain(optional.into_iter().flatten()));
        is_new
    });
    if pods.has_primary {
        // What failed while there was none is no reason to wait.
        let why = if has_new_primary { Why::Primary } else { Why::Object };
        context.databases.add(id, why);
    }
    let written = tell::status(context, &manifest).await;
    let failed = context.memory.with(id, |known| {
        let failed = |finding: &Finding| finding.outcome == Outcome::Failed;
        [Stage::Resources, Stage::Secrets, Stage::Pooler, Stage::LogicalBackup, Stage::Version]
            .iter()
            .any(|stage| known.picture.findings.get(stage).is_some_and(failed))
    });
    let resync = config.operation.resync_period;
    if failed || written.is_err() || volumes.is_to_be_tried_again {
        return Ended::Failed { at_most: config.operation.repair_period };
    }
    // What it waits for is nothing that tells us.
    let check = waits.then_some(config.operation.resource_check_interval);
    let grows = volumes.may_change_unseen.then_some(config.operation.repair_period);
    let sooner = [check, grows, rolled.again, version_again, asks].into_iter().flatten();
    Ended::Well { again: sooner.fold(resync, Ord::min) }
}

/// One finding for several steps: the worst, with the words of all that are as bad.
fn worst(findings: impl IntoIterator<Item = Finding>) -> Finding {
    let mut findings: Vec<Finding> = findings.into_iter().collect();
    let badness = |finding: &Finding| match finding.outcome {
        Outcome::Failed => 4,
        Outcome::Waiting => 3,
        Outcome::Partly => 2,
        Outcome::Off => 1,
        Outcome::Done => 0,
    };
    findings.sort_by_key(|finding| std::cmp::Reverse(badness(finding)));
    let most = findings.first().map_or(0, badness);
    findings.retain(|finding| badness(finding) == most);
    let messages: Vec<String> = findings
        .iter()
        .map(|finding| finding.message.clone())
        .filter(|message| !message.is_empty())
        .collect();
    match findings.into_iter().next() {
        Some(first) => Finding { message: messages.join("; "), ..first },
        None => Finding::done("Ready", ""),
    }
}
