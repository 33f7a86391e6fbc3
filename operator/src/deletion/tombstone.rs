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
    // One that is there already has not come to the cache yet.
    if let Some(made) = create(context, &secret).await? {
        context.caches.secrets.wrote(made);
    }
    Ok(())
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
    let Some(secret) = context.caches.secrets.get(id, &name(id)) else { return Ok(()) };
    delete(context, &*secret, false).await?;
    context.caches.secrets.forget(&secret);
    Ok(())
}
