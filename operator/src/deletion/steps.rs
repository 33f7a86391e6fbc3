//! What is deleted, and in which order.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{
    ConfigMap, Endpoints, PersistentVolumeClaim, Pod, Secret, Service,
};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::api::postgresql::Postgresql;
use crate::apply::{ApplyError, Kind, delete, has_code};
use crate::build::names::{self, Role};
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::controller::caches::{DELETED, Tombstone};
use crate::report::News;
use crate::secrets::Mark;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Left {
    Nothing,
    /// They stop.
    Pods(usize),
}

pub(super) async fn run(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    uid: &str,
    manifest: Option<&Postgresql>,
) -> Result<Left, String> {
    let mut errors = Vec::new();
    mark(context, id, uid).await.map_err(|error| error.to_string())?;
    if let Some(manifest) = manifest {
        tell_what_stays(context, id, manifest).await;
    }
    let selector = selector(config, id);
    note(&mut errors, delete::<StatefulSet>(context, &id.namespace, &id.name, false).await);
    note(&mut errors, delete_all::<PodDisruptionBudget>(context, id, &selector).await);
    // Pods that no StatefulSet owned would stay.
    note(&mut errors, delete_all::<Pod>(context, id, &selector).await);
    if config.deletion.enable_persistent_volume_claim_deletion {
        note(&mut errors, delete_all::<PersistentVolumeClaim>(context, id, &selector).await);
    }
    if config.deletion.enable_secrets_deletion {
        note(&mut errors, delete_secrets(context, config, id, uid, &selector).await);
    }
    let pods = match list::<Pod>(context, &id.namespace, &selector).await {
        Ok(pods) => pods.len(),
        Err(error) => {
            errors.push(error.to_string());
            0
        }
    };
    if !errors.is_empty() {
        return Err(errors.join("; "));
    }
    if pods > 0 {
        return Ok(Left::Pods(pods));
    }
    // The master Service is the last: it says that all this was wanted.
    note(&mut errors, of_patroni(context, id, &selector).await);
    let replica = names::service(&id.name, Role::Replica);
    note(&mut errors, delete::<Service>(context, &id.namespace, &replica, false).await);
    if errors.is_empty() {
        note(&mut errors, delete::<Service>(context, &id.namespace, &id.name, false).await);
    }
    if errors.is_empty() { Ok(Left::Nothing) } else { Err(errors.join("; ")) }
}

fn note<T>(errors: &mut Vec<String>, result: Result<T, ApplyError>) {
    if let Err(error) = result {
        errors.push(error.to_string());
    }
}

fn selector(config: &Config, id: &ClusterId) -> String {
    let labels = names::base_labels(&id.name, &config.labels);
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// Before anything is gone: that it was wanted has to survive us.
async fn mark(context: &Context, id: &ClusterId, uid: &str) -> Result<(), ApplyError> {
    let api: Api<Service> = Api::namespaced(context.client.clone(), &id.namespace);
    let known = context.caches.services.get(id, &id.name);
    if known.as_ref().is_none_or(|known| known.annotations().contains_key(DELETED)) {
        return Ok(());
    }
    let controller = context.controller().to_owned();
    let tombstone = Tombstone { controller, uid: uid.to_owned() }.to_string();
    let annotations = BTreeMap::from([(DELETED, tombstone)]);
    let patch = json!({ "metadata": { "annotations": annotations } });
    match api.patch(&id.name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Ok(now) => {
            context.caches.services.wrote(now);
            Ok(())
        }
        Err(error) if has_code(&error, 404) => Ok(()),
        Err(error) => Err(ApplyError::of::<Service>(&id.name, &error)),
    }
}

async fn list<K: Kind>(
    context: &Context,
    namespace: &str,
    selector: &str,
) -> Result<Vec<K>, ApplyError> {
    let api: Api<K> = Api::namespaced(context.client.clone(), namespace);
    let found = api.list(&ListParams::default().labels(selector)).await;
    Ok(found.map_err(|error| ApplyError::of::<K>(selector, &error))?.items)
}

async fn delete_all<K: Kind>(
    context: &Context,
    id: &ClusterId,
    selector: &str,
) -> Result<(), ApplyError> {
    for object in list::<K>(context, &id.namespace, selector).await? {
        // One that stops already has its own time for it.
        if object.meta().deletion_timestamp.is_none() {
            delete::<K>(context, &id.namespace, &object.name_any(), false).await?;
        }
    }
    Ok(())
}

/// Those in other namespaces, too: by their labels and by the mark that says for which manifest
/// they were made. In another namespace there may be a cluster of the same name.
async fn delete_secrets(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    uid: &str,
    selector: &str,
) -> Result<(), ApplyError> {
    let api: Api<Secret> = match config.secrets.enable_cross_namespace_secret {
        true => Api::all(context.client.clone()),
        false => Api::namespaced(context.client.clone(), &id.namespace),
    };
    let found = api.list(&ListParams::default().labels(selector)).await;
    let found = found.map_err(|error| ApplyError::of::<Secret>(selector, &error))?;
    for secret in found.items.iter().filter(|secret| is_of(secret, id, uid)) {
        let (namespace, name) = (secret.namespace().unwrap_or_default(), secret.name_any());
        delete::<Secret>(context, &namespace, &name, false).await?;
    }
    Ok(())
}

/// Whether a Secret with the labels of a cluster goes with the manifest.
pub(super) fn is_of(secret: &Secret, id: &ClusterId, uid: &str) -> bool {
    match Mark::of(secret) {
        Some(mark) => mark.cluster == *id && mark.uid == uid,
        None => secret.namespace().as_ref() == Some(&id.namespace),
    }
}

/// What Patroni keeps: with it, a new cluster of that name would wait for the old one for ever.
async fn of_patroni(context: &Context, id: &ClusterId, selector: &str) -> Result<(), ApplyError> {
    for suffix in names::PATRONI_SUFFIXES {
        let name = format!("{}-{suffix}", id.name);
        delete::<Endpoints>(context, &id.namespace, &name, false).await?;
        delete::<ConfigMap>(context, &id.namespace, &name, false).await?;
    }
    // Patroni makes this one, with the labels of its cluster.
    let config = format!("{}-config", id.name);
    delete::<Service>(context, &id.namespace, &config, false).await?;
    delete::<Endpoints>(context, &id.namespace, &id.name, false).await?;
    delete_all::<Endpoints>(context, id, selector).await?;
    delete_all::<ConfigMap>(context, id, selector).await
}

/// What the reference made for features that are not ours is never touched.
async fn tell_what_stays(context: &Context, id: &ClusterId, manifest: &Postgresql) {
    let mut stays = Vec::new();
    for name in [format!("{}-pooler", id.name), format!("{}-pooler-repl", id.name)] {
        if exists::<Deployment>(context, id, &name).await {
            stays.push(format!("Deployment {name}"));
        }
    }
    let backup = format!("logical-backup-{}", id.name);
    if exists::<CronJob>(context, id, &backup).await {
        stays.push(format!("CronJob {backup}"));
    }
    if !stays.is_empty() {
        let text = format!("The deletion leaves what is not managed here: {}", stays.join(", "));
        context.tell(manifest, &News::warning("Delete", text));
    }
}

async fn exists<K: Kind>(context: &Context, id: &ClusterId, name: &str) -> bool {
    let api: Api<K> = Api::namespaced(context.client.clone(), &id.namespace);
    matches!(api.get_opt(name).await, Ok(Some(_)))
}
