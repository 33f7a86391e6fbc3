//! One look at a cluster: observe -> validate -> build -> apply -> report.
//!
//! Every stage says how it went and none stops the next; a StatefulSet alone is not made before the
//! two Secrets that its pods need. No stage waits for a pod, a volume or a database; whatever
//! changes makes us look again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;

use crate::adopt;
use crate::api::postgresql::Postgresql;
use crate::apply::fits;
use crate::cluster::{Cluster, ClusterId};
use crate::config::Config;
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
    let notes = notes(context, &config, &manifest, &accepted);
    context.memory.with(id, |known| {
        known.picture.refused = None;
        known.picture.notes = notes;
    });
    if let Some(ended) = fits::stop(context, &config, &manifest, id).await {
        return ended;
    }
    let looked = stages(context, &config, &manifest, &accepted).await;
    adopt::forget_acceptance(context, &config, &manifest, &looked.found).await;
    remember(context, &accepted.cluster, looked.found, looked.has_primary);
    let written = tell::status(context, &manifest).await;
    if has_failed(context, id) || written.is_err() || looked.fails_unseen {
        return Ended::Failed { at_most: config.operation.repair_period };
    }
    Ended::Well { again: looked.again.min(config.operation.resync_period) }
}

/// What a manifest says, and gets not, or not as it says.
fn notes(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    accepted: &Accepted,
) -> Vec<String> {
    let cluster = &accepted.cluster;
    let mut notes = accepted.roles.notes.clone();
    notes.extend(crate::rotation::notes(&cluster.spec, config));
    notes.extend(crate::validate::notes(cluster, config));
    notes.extend(stateful_set::missing_source(context, config, cluster));
    notes.extend(context.identity.notes(accepted, config));
    notes.extend(crate::patroni::pause_complaint(manifest));
    notes
}

/// What came of all stages.
struct Looked {
    found: Vec<(Stage, Finding)>,
    has_primary: bool,
    /// When to look again, as what is waited for is nothing that tells us.
    again: Duration,
    /// Something failed that its finding does not call so.
    fails_unseen: bool,
}

async fn stages(
    context: &Arc<Context>,
    config: &Arc<Config>,
    manifest: &Arc<Postgresql>,
    accepted: &Accepted,
) -> Looked {
    let Accepted { cluster, roles, databases: _ } = accepted;
    let finalizer = finalizer::ensure(context, config, manifest).await;
    let resources = resources::run(context, config, manifest, cluster).await;
    let secrets = secrets::run(context, config, manifest, cluster, roles).await;
    let rotated = rotation::run(context, config, manifest, cluster, roles).await;
    let volumes = volumes::run(context, config, manifest, cluster).await;
    let workload = stateful_set::run(context, config, manifest, cluster, volumes.of_new).await;
    let is_held = workload.held.as_ref().is_some_and(Option::is_some);
    let backup = backup::run(context, config, manifest, cluster).await;
    let annotated = pod_annotations::run(context, config, cluster).await;
    let annotated = annotated.iter().map(|error| Finding::failed("ApplyFailed", error.to_string()));
    let rolled = rolling::run(context, config, manifest, cluster, workload.fewer).await;
    let pods = pods::look(context, config, cluster);
    let rolls = rolled.finding.outcome != Outcome::Done;
    let version = upgrade::run(context, config, manifest, cluster, rolls).await;
    let asks = patroni_config::run(context, config, manifest, cluster);
    let poolers = pooler::run(context, config, manifest, accepted, pods.has_primary).await;
    let is_known = workload.held.is_some() && poolers.held.is_some();
    let held = workload.held.flatten().into_iter().chain(poolers.held.unwrap_or_default());
    let held: Vec<_> = held.collect();
    let takeover = Some(&held).filter(|held| is_known || !held.is_empty());
    let takeover = takeover.and_then(|held| adopt::finding(manifest, held));
    if let Some(news) = takeover.as_ref().and_then(|own| adopt::news(manifest, own)) {
        context.tell(manifest, &news);
    }
    let waits = [Some(&workload.finding), backup.as_ref()]
        .into_iter()
        .flatten()
        .any(|finding| finding.outcome == Outcome::Waiting);
    let again = [
        waits.then_some(config.operation.resource_check_interval),
        volumes.may_change_unseen.then_some(config.operation.repair_period),
        rolled.again,
        version.as_ref().and_then(|version| version.again),
        asks,
    ];
    let objects = worst([finalizer, resources, workload.finding].into_iter().chain(annotated));
    let found = [
        (Stage::Resources, Some(objects)),
        (Stage::Secrets, Some(worst([secrets, rotated]))),
        (Stage::Pods, Some(pods.ready)),
        (Stage::Template, Some(adopt::of_pods(rolled.finding, is_held))),
        (Stage::Volumes, Some(volumes.finding)),
        (Stage::Takeover, takeover),
        (Stage::Pooler, poolers.finding),
        (Stage::LogicalBackup, backup),
        (Stage::Version, version.and_then(|version| version.finding)),
    ];
    let found = found.into_iter().filter_map(|(stage, finding)| Some((stage, finding?)));
    Looked {
        found: found.collect(),
        has_primary: pods.has_primary,
        again: again.into_iter().flatten().min().unwrap_or(Duration::MAX),
        fails_unseen: volumes.is_to_be_tried_again,
    }
}

/// Keeps what was found, and has the databases looked at where there is a primary.
fn remember(context: &Context, cluster: &Cluster, found: Vec<(Stage, Finding)>, has_primary: bool) {
    let depends = Depends::of(context, cluster, &found);
    let (has_new_primary, has_changed) = context.memory.with(&cluster.id, |known| {
        let picture = &mut known.picture;
        let is_new = has_primary && !picture.has_primary;
        picture.has_primary = has_primary;
        picture.generation = Some(cluster.generation);
        picture.found(cluster.generation, found);
        (is_new, known.depends.replace(depends.clone()) != Some(depends))
    });
    match (has_primary, has_new_primary, has_changed) {
        (false, _, _) => {}
        // What failed while there was none is no reason to wait.
        (true, true, _) => context.databases.add(&cluster.id, Why::Primary),
        (true, false, true) => context.databases.add(&cluster.id, Why::Object),
        // This look may have come again for a pod that is waited for, each second.
        (true, false, false) => context.databases.add_later(&cluster.id, UNCHANGED, Why::Object),
    }
}

/// What is in them is looked at so often, however often nothing has changed beside them.
const UNCHANGED: Duration = Duration::from_secs(60);

/// What work on roles and databases depends on, as far as a look at objects knows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Depends {
    generation: i64,
    /// Name -> version: what we write ourselves no watch tells of.
    secrets: BTreeMap<String, Option<String>>,
    findings: Vec<(Stage, Finding)>,
}

impl Depends {
    fn of(context: &Context, cluster: &Cluster, findings: &[(Stage, Finding)]) -> Self {
        let secrets = context.caches.secrets.of(&cluster.id);
        let secrets = secrets.iter().map(|own| (own.name_any(), own.resource_version()));
        let (generation, secrets) = (cluster.generation, secrets.collect());
        Self { generation, secrets, findings: findings.to_vec() }
    }
}

/// Whether a stage failed that is tried again here.
fn has_failed(context: &Context, id: &ClusterId) -> bool {
    let failed = |finding: &Finding| finding.outcome == Outcome::Failed;
    context.memory.with(id, |known| {
        [Stage::Resources, Stage::Secrets, Stage::Pooler, Stage::LogicalBackup, Stage::Version]
            .iter()
            .any(|stage| known.picture.findings.get(stage).is_some_and(failed))
    })
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::{UNCHANGED, remember};
    use crate::build::tests::{cluster, config};
    use crate::controller::queue::Ended;
    use crate::report::{Finding, Stage};
    use crate::testing::FakeApi;

    #[tokio::test(start_paused = true)]
    async fn databases_are_looked_at_when_something_changes_and_not_with_every_look_at_objects() {
        let (context, mut cluster) = (FakeApi::empty().context(config(), None), cluster(json!({})));
        let found = |text: &str| vec![(Stage::Template, Finding::waiting("RollingUpdate", text))];
        let again = Duration::from_secs(1800);
        let due = || context.databases.waiting().first().and_then(|own| own.due_in);
        let look = async |cluster: &super::Cluster, text: &str| {
            remember(&context, cluster, found(text), true);
            let due = due();
            if due.is_none() {
                context.databases.next().await.expect("it is due");
                context.databases.done(&cluster.id, Ended::Well { again });
            }
            due
        };
        assert_eq!(look(&cluster, "waits").await, None, "there is a primary");
        for _ in 0..30 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(look(&cluster, "waits").await.is_some_and(|due| due <= UNCHANGED));
        }
        assert_eq!(look(&cluster, "is made anew").await, None);
        cluster.generation += 1;
        assert_eq!(look(&cluster, "is made anew").await, None);
        let secret = json!({
            "metadata": {
                "name": "app", "namespace": "default", "resourceVersion": "7",
                "labels": { "application": "spilo", "cluster-name": "acid-minimal-cluster" },
            },
        });
        context.caches.secrets.wrote(serde_json::from_value(secret).expect("a Secret"));
        assert_eq!(look(&cluster, "is made anew").await, None, "we have written a Secret");
        assert!(look(&cluster, "is made anew").await.is_some());
    }
}
