//! That a deletion was wanted has to survive us: it is written down before anything is gone, and
//! taken away after everything.
//!
//! On the master Service; where a cluster has none, on an empty Secret of its own.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::apply::{create, delete};
use crate::build::names;
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::controller::caches::{DELETED, Tombstone};
use crate::failure::{ApplyError, has_code};

/// The Secret's.
pub(super) fn name(id: &ClusterId) -> String {
    names::tombstone(&id.name)
}

/// Puts it, unless it is there, or there is nothing that could be forgotten.
pub(super) async fn put(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    uid: &str,
) -> Result<(), ApplyError> {
    if context.begun(id).is_some() || !context.caches.has_objects(id) {
        return Ok(());
    }
    let controller = context.controller().to_owned();
    let tombstone = Tombstone { controller, uid: uid.to_owned() }.to_string();
    if on_service(context, id, &tombstone).await? {
        return Ok(());
    }
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(name(id)),
            namespace: Some(id.namespace.clone()),
            labels: Some(names::base_labels(&id.name, &config.labels)),
            annotations: Some(BTreeMap::from([(DELETED.to_owned(), tombstone)])),
            ..ObjectMeta::default()
        },
        ..Secret::default()
    };
    let made = match create(context, &secret).await? {
        Some(made) => made,
        None => renewed(context, id, &secret).await?,
    };
    context.caches.secrets.wrote(made);
    Ok(())
}

/// One that is there already has not come to the cache yet, or never does for want of labels; and it
/// may be left of another deletion.
async fn renewed(context: &Context, id: &ClusterId, wanted: &Secret) -> Result<Secret, ApplyError> {
    let name = name(id);
    let failed = |reason: &str| ApplyError::new("Secret", &name, reason);
    let found = fresh(context, id).await?.ok_or_else(|| failed("it comes and goes"))?;
    if !is_ours(context, &found) {
        return Err(failed(
            "it is somebody else's, and the operator needs one of that name to note that the cluster is being deleted: rename or delete it",
        ));
    }
    let is_in = |wanted: &BTreeMap<String, String>, live: &BTreeMap<String, String>| {
        wanted.iter().all(|(key, value)| live.get(key) == Some(value))
    };
    if is_in(wanted.labels(), found.labels()) && is_in(wanted.annotations(), found.annotations()) {
        return Ok(found);
    }
    // The uid: of this very Secret.
    let metadata = json!({
        "labels": wanted.labels(), "annotations": wanted.annotations(), "uid": found.uid(),
    });
    let patch = Patch::Merge(json!({ "metadata": metadata }));
    let api: Api<Secret> = Api::namespaced(context.client.clone(), &id.namespace);
    let written = api.patch(&name, &PatchParams::default(), &patch).await;
    written.map_err(|error| ApplyError::of::<Secret>(&name, &error))
}

/// As the API server has it now.
async fn fresh(context: &Context, id: &ClusterId) -> Result<Option<Secret>, ApplyError> {
    let name = name(id);
    let api: Api<Secret> = Api::namespaced(context.client.clone(), &id.namespace);
    api.get_opt(&name).await.map_err(|error| ApplyError::of::<Secret>(&name, &error))
}

/// Somebody may have a Secret of that name, and so may another operator.
fn is_ours(context: &Context, secret: &Secret) -> bool {
    let text = secret.annotations().get(DELETED);
    text.is_some_and(|text| Tombstone::parse(text).controller == context.controller())
}

/// Whether there is a master Service that has it now.
async fn on_service(
    context: &Context,
    id: &ClusterId,
    tombstone: &str,
) -> Result<bool, ApplyError> {
    let Some(known) = context.caches.services.get(id, &id.name) else { return Ok(false) };
    let api: Api<Service> = Api::namespaced(context.client.clone(), &id.namespace);
    let annotations = BTreeMap::from([(DELETED, tombstone)]);
    // The uid: of this very Service.
    let metadata = json!({ "annotations": annotations, "uid": known.uid() });
    let patch = Patch::Merge(json!({ "metadata": metadata }));
    match api.patch(&id.name, &PatchParams::default(), &patch).await {
        Ok(now) => {
            context.caches.services.wrote(now);
            Ok(true)
        }
        Err(error) if has_code(&error, 404) => {
            context.caches.services.forget(&known);
            Ok(false)
        }
        Err(error) => Err(ApplyError::of::<Service>(&id.name, &error)),
    }
}

/// Takes the Secret away; the Service takes its own with it.
pub(super) async fn remove(context: &Context, id: &ClusterId) -> Result<(), ApplyError> {
    // The cache may not know it yet, and whatever stays here would end a cluster that has the name
    // later.
    let Some(secret) = fresh(context, id).await? else {
        if let Some(gone) = context.caches.secrets.get(id, &name(id)) {
            context.caches.secrets.forget(&gone);
        }
        return Ok(());
    };
    if !is_ours(context, &secret) {
        return Ok(());
    }
    delete(context, &secret, false).await?;
    context.caches.secrets.forget(&secret);
    Ok(())
}
