//! What the operator would do to the objects of one cluster, by the stages that do it, with an API
//! server that is asked and never told; and what would be done to pods and servers that run. Nothing
//! here talks to a database, and Patroni is asked and never told as well.

use k8s_openapi::Resource;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;

use super::held::{self, ACCEPT};
use super::outlook::Outlook;
use super::rehearsal::Rehearsal;
use super::running;
use crate::api::postgresql::Postgresql;
use crate::apply::fits;
use crate::build::resources::Quantity;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::finalizer;
use crate::packed;
use crate::report::{Finding, Outcome};
use crate::restart::{self, Kind, Live};
use crate::rolling::{Marking, is_marked, marking};
use crate::stages::rolling::outdated;
use crate::stages::{
    backup, pod_annotations, pooler, resources, rotation, secrets, stateful_set, volumes,
};
use crate::validate::Accepted;

#[cfg(test)]
mod tests;

/// What is held of a StatefulSet, whether or not somebody has accepted it.
#[derive(Clone, Debug)]
pub struct Held {
    pub held: held::Held,
    pub is_accepted: bool,
}

/// Looks at the objects. `context` has to be one whose client sends nothing.
pub async fn rehearse(
    context: &Context,
    rehearsal: &Rehearsal,
    config: &Config,
    manifest: &Postgresql,
    accepted: &Accepted,
    outlook: &mut Outlook,
) {
    let Accepted { cluster, roles, .. } = accepted;
    if let Some(reason) = fits::name_taken(context, &cluster.id) {
        return outlook.errors.push(reason);
    }
    match fits::look(context, config, &cluster.id).await {
        Ok(None) => {}
        Ok(Some(reason)) => return outlook.errors.push(reason),
        Err(error) => return outlook.errors.push(error.to_string()),
    }
    claims(context, rehearsal, cluster);
    let findings = [
        finalizer::ensure(context, config, manifest).await,
        resources::run(context, config, manifest, cluster).await,
        secrets::run(context, config, manifest, cluster, roles).await,
        rotation::run(context, config, manifest, cluster, roles).await,
    ];
    for finding in findings {
        take(finding, outlook);
    }
    let volumes = volumes::run(context, config, manifest, cluster).await;
    take(volumes.finding, outlook);
    // Whether the primary is there is nobody's business here.
    let poolers = pooler::run(context, config, manifest, accepted, false).await;
    if let Some(finding) = poolers.finding {
        // Its pods are replaced once the databases answer what the new ones ask.
        outlook.restarts |= finding.reason == pooler::LOOKUP_FIRST;
        if is_error(&finding) || finding.reason == pooler::LOOKUP_FIRST {
            take(finding, outlook);
        }
    }
    for held in poolers.held.iter().flatten() {
        outlook.notes.push(note(held));
        outlook.template(&held.object, &held.differences, Some(held), false);
    }
    if let Some(finding) = backup::run(context, config, manifest, cluster).await {
        take(finding, outlook);
    }
    outlook.writes(&rehearsal.take());
    // What is rehearsed is in the caches from here on.
    pods(context, config, cluster, outlook);
    running::look(context, config, manifest, cluster, outlook).await;
    workload(context, config, manifest, cluster, volumes.of_new, outlook).await;
    let annotated = pod_annotations::run(context, config, cluster).await;
    outlook.errors.extend(annotated.iter().map(ToString::to_string));
    outlook.writes(&rehearsal.take());
}

/// Tells the rehearsal of the claims: they are watched, and nobody may read one by its name.
fn claims(context: &Context, rehearsal: &Rehearsal, cluster: &Cluster) {
    for claim in context.caches.claims.of(&cluster.id) {
        let namespace = &cluster.id.namespace;
        let name = claim.name_any();
        let path = format!("/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}");
        let Ok(mut object) = serde_json::to_value(&*claim) else { continue };
        packed::unpack(&mut object);
        object["kind"] = PersistentVolumeClaim::KIND.into();
        rehearsal.knows(path, object);
    }
}

/// Whether something could not be done, or not be looked at.
fn is_error(finding: &Finding) -> bool {
    finding.outcome == Outcome::Failed || finding.reason == "NotListed"
}

fn take(finding: Finding, outlook: &mut Outlook) {
    match finding.outcome {
        _ if is_error(&finding) => outlook.errors.push(finding.message),
        Outcome::Waiting | Outcome::Partly => outlook.notes.push(finding.message),
        Outcome::Done | Outcome::Off | Outcome::Failed => {}
    }
}

async fn workload(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
    of_new: Option<Quantity>,
    outlook: &mut Outlook,
) {
    let wanted = match stateful_set::wanted(context, config, cluster, of_new).await {
        Ok((wanted, _)) => wanted,
        Err(finding) => return take(Finding { outcome: Outcome::Failed, ..finding }, outlook),
    };
    let live = context.caches.stateful_sets.get(&cluster.id, &cluster.id.name);
    if let Some(live) = live.as_deref() {
        compare(config, cluster, &wanted, live, outlook);
    }
    let (written, held) =
        stateful_set::put(context, config, manifest, cluster, wanted, live.as_deref()).await;
    if let (None, Some(held)) = (&live, held) {
        let object = format!("StatefulSet {}", cluster.id);
        outlook.template(&object, &held.differences, Some(&held), false);
    }
    if let Err(error) = written {
        outlook.errors.push(error.to_string());
    }
}

fn compare(
    config: &Config,
    cluster: &Cluster,
    wanted: &StatefulSet,
    live: &StatefulSet,
    outlook: &mut Outlook,
) {
    let (Some(wanted_spec), Some(live_spec)) = (&wanted.spec, &live.spec) else { return };
    let template = Live::Template(&live_spec.template);
    let differences = restart::differences(&wanted_spec.template, template, config);
    let held = held::held(wanted, live, config);
    let is_ours = held.is_none();
    let held = held.filter(|held| !held.is_accepted(&cluster.annotations));
    if let Some(held) = &held {
        outlook.notes.push(note(held));
    }
    let object = format!("StatefulSet {}", cluster.id);
    outlook.template(&object, &differences, held.as_ref(), is_ours);
}

fn note(held: &held::Held) -> String {
    format!(
        "what restarts pods of {} is held: {ACCEPT}: \"{}\" on the manifest lets it through",
        held.object, held.id
    )
}

/// Pods that are made anew for what was changed before us, as a rolling update sees them.
fn pods(context: &Context, config: &Config, cluster: &Cluster, outlook: &mut Outlook) {
    let set = context.caches.stateful_sets.get(&cluster.id, &cluster.id.name);
    let Some(set) = set else { return };
    for (pod, differences) in outdated(context, config, cluster, &set).0 {
        let object = format!("Pod {}/{}", cluster.id.namespace, pod.name_any());
        if is_marked(&pod) && marking(&pod, &differences) != Marking::Remove {
            outlook.restarts = true;
            let why = "restarts it: somebody has marked it for that before";
            outlook.change(&object, "", "as it is", "restarted", why);
        }
        for one in differences.iter().filter(|one| one.kind == Kind::RollsPods) {
            outlook.restarts = true;
            let why = "restarts it: the template of its StatefulSet was changed before";
            outlook.change(&object, one.field.clone(), &one.from, &one.to, why);
        }
    }
}

/// What is held of the StatefulSet of a cluster.
///
/// # Errors
/// Why that cannot be said.
pub async fn template(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
) -> Result<Option<Held>, String> {
    let (wanted, _) =
        stateful_set::wanted(context, config, cluster, None).await.map_err(|own| own.message)?;
    let live = context.caches.stateful_sets.get(&cluster.id, &cluster.id.name);
    let held = stateful_set::held(context, config, cluster, &wanted, live.as_deref());
    Ok(held.map(|held| {
        let is_accepted = held.is_accepted(&cluster.annotations);
        Held { held, is_accepted }
    }))
}

/// What is held of its poolers, and not accepted. `context` has to be one whose client sends nothing.
pub async fn of_poolers(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    accepted: &Accepted,
) -> Vec<held::Held> {
    pooler::run(context, config, manifest, accepted, false).await.held.unwrap_or_default()
}
