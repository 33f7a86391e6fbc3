//! Annotations of a manifest that its objects inherit, on the claims that are there; the
//! StatefulSet gives them to new ones alone. Nothing else of a claim is touched by this.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::apply::{self, ensure_against, has_applied};
use crate::build::names;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::failure::ApplyError;
use crate::leader::NAME;
use crate::packed;

type Annotations = BTreeMap<String, String>;

/// Brings them in line; by claim, what the API server has against it. One that fails does not
/// stop the others.
pub(super) async fn run(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
) -> Vec<(String, ApplyError)> {
    let mut wanted = names::inherited_annotations(cluster, &config.labels);
    wanted.retain(|key, _| !config.labels.ignored_annotations.contains(key));
    let mut errors = Vec::new();
    for claim in super::claims(context, cluster).into_iter().filter(|claim| !claim.ends) {
        if let Err(error) = one(context, cluster, &claim.name, &wanted).await {
            errors.push((claim.name, error));
        }
    }
    errors
}

async fn one(
    context: &Context,
    cluster: &Cluster,
    name: &str,
    wanted: &Annotations,
) -> Result<(), ApplyError> {
    let cache = &context.caches.claims;
    let Some(live) = cache.get(&cluster.id, name) else { return Ok(()) };
    let dropped = dropped(&live, wanted);
    if !dropped.is_empty() {
        cache.wrote(drop_all(context, &live, &dropped).await?);
    }
    let Some(live) = cache.get(&cluster.id, name) else { return Ok(()) };
    if wanted.is_empty() && !has_applied(&*live) {
        return Ok(());
    }
    // Those that came with the StatefulSet become ours as well, or nobody would know them later.
    let (_, now) = ensure_against(context, &annotated(&live, wanted), Some(&live)).await?;
    if let Some(now) = now {
        cache.wrote(now);
    }
    Ok(())
}

/// Annotations that are ours, and wanted no more. The controller of StatefulSets may have set them
/// too, so that they would stay after an apply without them.
fn dropped(live: &PersistentVolumeClaim, wanted: &Annotations) -> Vec<String> {
    let ours = live.managed_fields().iter().filter(|own| {
        own.manager.as_deref() == Some(NAME) && own.operation.as_deref() == Some("Apply")
    });
    let keys = ours
        .filter_map(|own| packed::fields(own)?["f:metadata"]["f:annotations"].as_object().cloned());
    keys.flat_map(|keys| keys.into_iter().map(|(key, _)| key))
        .filter_map(|key| key.strip_prefix("f:").map(str::to_owned))
        .filter(|key| !wanted.contains_key(key) && live.annotations().contains_key(key))
        .collect()
}

async fn drop_all(
    context: &Context,
    live: &PersistentVolumeClaim,
    keys: &[String],
) -> Result<PersistentVolumeClaim, ApplyError> {
    let nothing: serde_json::Map<String, Value> =
        keys.iter().map(|key| (key.clone(), Value::Null)).collect();
    let change = json!({ "metadata": { "annotations": nothing } });
    let patched = apply::patch(context, live, change).await;
    patched.map_err(|error| ApplyError::of::<PersistentVolumeClaim>(&live.name_any(), &error))
}

/// What is applied: it is this very claim, and nothing but annotations.
fn annotated(claim: &PersistentVolumeClaim, wanted: &Annotations) -> PersistentVolumeClaim {
    let metadata = ObjectMeta {
        name: claim.metadata.name.clone(),
        namespace: claim.metadata.namespace.clone(),
        uid: claim.metadata.uid.clone(),
        annotations: Some(wanted.clone()).filter(|all| !all.is_empty()),
        ..ObjectMeta::default()
    };
    PersistentVolumeClaim { metadata, ..PersistentVolumeClaim::default() }
}
