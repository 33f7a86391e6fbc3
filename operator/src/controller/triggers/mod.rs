//! What a change of an object means: which clusters are to be looked at. What controllers report
//! about their own work is no reason, or a busy cluster would never be left alone.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::ResourceExt;

use crate::admin::differences;
use crate::api::postgres_team::PostgresTeam;
use crate::api::postgresql::Postgresql;
use crate::apply::Kind;
use crate::cluster::ClusterId;
use crate::context::Context;
use crate::controller::cache::{Cache, Change, is_news};
use crate::controller::lasting::Lasting;
use crate::controller::queue::Why;
use crate::patroni::says_pending;
use crate::rolling::{is_marked, is_ready, not_running};
use crate::stages::pods::is_primary;

/// From now on this one is told of manifests; of all that there are at once.
pub fn listen(lasting: &Lasting, context: &Arc<Context>) {
    let told = Arc::clone(context);
    lasting.listen(Arc::new(move |change| manifest(&told, change)));
    everybody(context);
    for id in lasting.deletions.clusters() {
        context.objects.add(&id, Why::Manifest);
    }
}

fn manifest(context: &Context, change: Change<Postgresql>) {
    match change {
        Change::Seen { before, now } => {
            let Some(id) = ClusterId::of(&*now) else { return };
            // Whoever makes a cluster of that name wants what is still there of it.
            context.deletions.forget(&id);
            if before.as_ref().is_some_and(|before| !is_news(&**before, &*now)) {
                return;
            }
            if let Some(before) = &before {
                context.board.history(&id, differences(&before.spec.value(), &now.spec.value()));
            }
            context.objects.add(&id, Why::Manifest);
            context.databases.add(&id, Why::Manifest);
        }
        Change::Deleted(gone) => {
            let Some(id) = ClusterId::of(&*gone) else { return };
            let ended = context.memory.read(&id, |known| known.ended.clone()).flatten();
            if ended.is_some() && ended == gone.metadata.uid {
                context.memory.forget(&id);
                context.board.cluster_gone(&id);
            } else if context.is_ours(&gone) {
                context.deletions.add(&id, gone);
                context.objects.add(&id, Why::Manifest);
            }
        }
        Change::Missing(gone) => {
            let Some(id) = ClusterId::of(&*gone) else { return };
            tracing::warn!(
                cluster = %id,
                "the manifest is gone, and nobody saw it being deleted: its objects stay as they are; delete them by hand, or apply the manifest again"
            );
            context.memory.forget(&id);
            context.board.cluster_gone(&id);
        }
    }
}

pub(in crate::controller) fn stateful_set(context: &Context, change: Change<StatefulSet>) {
    let reports = |set: &StatefulSet| {
        let status = set.status.as_ref()?;
        let newest = (status.observed_generation, status.update_revision.clone());
        Some((status.ready_replicas, status.replicas, newest))
    };
    object(context, &context.caches.stateful_sets, &change, |before, now| {
        reports(before) != reports(now)
    });
}

pub(in crate::controller) fn deployment(context: &Context, change: Change<Deployment>) {
    let reports = |pooler: &Deployment| {
        let status = pooler.status.as_ref()?;
        Some((status.observed_generation, status.updated_replicas, status.available_replicas))
    };
    object(context, &context.caches.deployments, &change, |before, now| {
        reports(before) != reports(now)
    });
}

pub(in crate::controller) fn service(context: &Context, change: Change<Service>) {
    // It has no generation that would tell.
    object(context, &context.caches.services, &change, |before, now| before.spec != now.spec);
}

pub(in crate::controller) fn budget(context: &Context, change: Change<PodDisruptionBudget>) {
    object(context, &context.caches.budgets, &change, |_, _| false);
}

pub(in crate::controller) fn cron_job(context: &Context, change: Change<CronJob>) {
    object(context, &context.caches.cron_jobs, &change, |_, _| false);
}

pub(in crate::controller) fn secret(context: &Context, change: Change<Secret>) {
    let has_other_data = |before: &Secret, now: &Secret| before.data != now.data;
    if let Some(id) = object(context, &context.caches.secrets, &change, has_other_data) {
        context.databases.add(&id, Why::Object);
    }
}

pub(in crate::controller) fn pod(context: &Context, change: Change<Pod>) {
    let config = context.config();
    let address = |pod: &Pod| pod.status.as_ref().and_then(|status| status.pod_ip.clone());
    let turned = |before: &Pod, now: &Pod| {
        is_ready(before) != is_ready(now)
            || address(before) != address(now)
            || not_running(before) != not_running(now)
            || says_pending(before) != says_pending(now)
    };
    // Patroni writes an annotation at each of its turns.
    let stands = |pod: &Pod| {
        let deleted = pod.metadata.deletion_timestamp.is_some();
        let disturbed = (deleted, is_marked(pod), not_running(pod), says_pending(pod));
        (is_primary(pod, &config), is_ready(pod), address(pod), disturbed, pod.labels().clone())
    };
    if let Change::Seen { before: Some(before), now } = &change
        && stands(before) == stands(now)
        && before.metadata.uid == now.metadata.uid
    {
        return;
    }
    if let Some(id) = object(context, &context.caches.pods, &change, turned)
        && let Change::Seen { now, .. } = &change
        && is_primary(now, &config)
        && is_ready(now)
    {
        context.databases.add(&id, Why::Object);
    }
}

pub(in crate::controller) fn claim(context: &Context, change: Change<PersistentVolumeClaim>) {
    // It has no generation. Of its conditions, only their times change at each turn of a driver.
    let stands = |claim: &PersistentVolumeClaim| {
        let mut status = claim.status.clone().unwrap_or_default();
        for own in status.conditions.iter_mut().flatten() {
            (own.last_probe_time, own.last_transition_time) = (None, None);
        }
        (claim.spec.clone(), status)
    };
    object(context, &context.caches.claims, &change, |before, now| stands(before) != stands(now));
}

pub(in crate::controller) fn team(context: &Context, change: Change<PostgresTeam>) {
    if let Change::Seen { before: Some(before), now } = &change
        && before.spec == now.spec
    {
        return;
    }
    everybody(context);
}

/// All clusters are to be looked at.
pub(crate) fn everybody(context: &Context) {
    for id in context.caches.manifests.clusters() {
        context.objects.add(&id, Why::Surroundings);
        context.databases.add(&id, Why::Surroundings);
    }
}

/// Looks at the cluster of an object, if its change matters; which one that is.
fn object<K: Kind>(
    context: &Context,
    cache: &Cache<K>,
    change: &Change<K>,
    matters: impl Fn(&K, &K) -> bool,
) -> Option<ClusterId> {
    let object = match change {
        Change::Seen { before: Some(before), now } => {
            if !is_news(&**before, &**now) && !matters(before, now) {
                return None;
            }
            now
        }
        Change::Seen { before: None, now } => now,
        Change::Deleted(gone) | Change::Missing(gone) => gone,
    };
    let id = cache.owner(object)?;
    // An object of a cluster without a manifest is nobody's business, unless it is ending.
    let is_known = context.caches.manifests.get(&id, &id.name).is_some()
        || context.begun(&id).is_some()
        || context.deletions.get(&id).is_some();
    if is_known {
        context.objects.add(&id, Why::Object);
    }
    is_known.then_some(id)
}

#[cfg(test)]
mod tests;
