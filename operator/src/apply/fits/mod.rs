//! Whether the configuration fits a cluster that runs: the selector of a StatefulSet cannot be
//! changed, and everything else of a cluster goes by the same labels. Services with other ones
//! would lose their pods. And whether a new cluster has the name of another one's pooler.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::{Api, ResourceExt};

use crate::api::postgresql::Postgresql;
use crate::build::names::{self, Role};
use crate::build::pooler;
use crate::cluster::ClusterId;
use crate::config::{Config, Labels};
use crate::context::Context;
use crate::controller::queue::Ended;
use crate::failure::ApplyError;
use crate::report::{Finding, Stage};
use crate::tell;

/// What is wrong, if a StatefulSet has another selector than the labels ask for. Pure.
pub fn misfit(live: &StatefulSet, cluster: &str, labels: &Labels) -> Option<String> {
    let wanted = names::base_labels(cluster, labels);
    let selector = live.spec.as_ref().and_then(|spec| spec.selector.match_labels.clone());
    let has = selector.unwrap_or_default();
    if has == wanted {
        return None;
    }
    Some(format!(
        "the StatefulSet {} selects its pods by {}, and cluster_labels and cluster_name_label say {}: nothing of this cluster is touched; set them back, or rename the cluster if that StatefulSet is somebody else's",
        live.name_any(),
        words(&has),
        words(&wanted)
    ))
}

fn words(labels: &BTreeMap<String, String>) -> String {
    let all = labels.iter().map(|(key, value)| format!("{key}={value}"));
    all.collect::<Vec<_>>().join(",").escape_debug().to_string()
}

/// Whether the Service that a cluster would have for a role is that of the pooler of another one,
/// whose applications would land here.
pub fn taken(context: &Context, id: &ClusterId, role: Role) -> Option<String> {
    let name = names::service(&id.name, role);
    let other = Role::ALL.iter().find_map(|role| {
        let of = name.strip_suffix(&pooler::name("", *role))?;
        let other = ClusterId { namespace: id.namespace.clone(), name: of.to_owned() };
        let service = context.caches.services.get(&other, &name)?;
        service.labels().contains_key(pooler::LABEL).then_some(other)
    })?;
    Some(format!(
        "the Service {name} is that of a pooler of the cluster {}: give one of the two another name",
        other.name
    ))
}

/// The same of all Services of a cluster that is not there yet: Patroni would lead by the Endpoints of
/// that one.
pub fn name_taken(context: &Context, id: &ClusterId) -> Option<String> {
    let is_new = context.caches.stateful_sets.get(id, &id.name).is_none();
    let mut roles = Role::ALL.into_iter().filter(|_| is_new);
    roles.find_map(|role| taken(context, id, role))
}

/// What is wrong with the StatefulSet that has a cluster's name, whatever its labels are.
///
/// # Errors
/// What the API server has against looking.
pub async fn look(
    context: &Context,
    config: &Config,
    id: &ClusterId,
) -> Result<Option<String>, ApplyError> {
    if let Some(live) = context.caches.stateful_sets.get(id, &id.name) {
        return Ok(misfit(&live, &id.name, &config.labels));
    }
    let api: Api<StatefulSet> = Api::namespaced(context.client.clone(), &id.namespace);
    let live = api.get_opt(&id.name).await;
    let live = live.map_err(|error| ApplyError::of::<StatefulSet>(&id.name, &error))?;
    Ok(live.and_then(|live| misfit(&live, &id.name, &config.labels)))
}

/// How a look at a cluster ends before anything is applied, where nothing may be.
pub async fn stop(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    id: &ClusterId,
) -> Option<Ended> {
    let finding = refusal(context, config, id).await?;
    let generation = manifest.metadata.generation.unwrap_or(0);
    context.memory.with(id, |known| {
        known.picture.generation = Some(generation);
        known.picture.found(generation, [(Stage::Resources, finding)]);
    });
    let _told_again_at_the_next_look = tell::status(context, manifest).await;
    Some(Ended::Failed { at_most: config.operation.repair_period })
}

/// Why nothing may be applied to a cluster, as a finding.
async fn refusal(context: &Context, config: &Config, id: &ClusterId) -> Option<Finding> {
    if let Some(reason) = name_taken(context, id) {
        return Some(Finding::failed("NameTaken", reason));
    }
    match look(context, config, id).await {
        Ok(None) => None,
        Ok(Some(reason)) => Some(Finding::failed("OtherLabels", reason)),
        Err(error) => Some(Finding::failed("ApplyFailed", error.to_string())),
    }
}

#[cfg(test)]
mod tests;
