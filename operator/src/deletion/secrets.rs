//! The Secrets of a cluster that ends, in whichever namespace.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::steps::{list, remove};
use super::{leaves, tombstone};
use crate::api::postgresql::Postgresql;
use crate::build::names;
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::failure::{ApplyError, describe, has_code};
use crate::mark::Mark;
use crate::report::News;
use crate::roles::ManifestRoles;
use crate::validate::validate;

/// Deletes them, by their labels and by the mark that says for which manifest they were made: in
/// another namespace there may be a cluster of the same name.
pub(super) async fn delete(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    uid: &str,
    manifest: Option<&Postgresql>,
) -> Result<(), ApplyError> {
    let selector = names::selector(&id.name, &config.labels);
    let found = match config.secrets.enable_cross_namespace_secret {
        true => everywhere(context, config, id, manifest, &selector).await?,
        false => list(context, &id.namespace, &selector).await?,
    };
    let kept = [tombstone::name(id), leaves::streams_secret(config, id)];
    let goes = |secret: &&Secret| is_of(secret, id, uid) && !kept.contains(&secret.name_any());
    for secret in found.iter().filter(goes) {
        remove(context, secret).await?;
    }
    Ok(())
}

/// With the rights for some namespaces alone, those in which the manifest wants Secrets.
async fn everywhere(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    manifest: Option<&Postgresql>,
    selector: &str,
) -> Result<Vec<Secret>, ApplyError> {
    let api: Api<Secret> = Api::all(context.client.clone());
    let refused = match api.list(&ListParams::default().labels(selector)).await {
        Ok(found) => return Ok(found.items),
        Err(error) if has_code(&error, 403) => describe(&error),
        Err(error) => return Err(ApplyError::of::<Secret>(selector, &error)),
    };
    let mut all: Vec<Secret> = list(context, &id.namespace, selector).await?;
    let mut unseen = vec![format!("all namespaces: {refused}")];
    for namespace in elsewhere(context, config, id, manifest) {
        let api: Api<Secret> = Api::namespaced(context.client.clone(), &namespace);
        match api.list(&ListParams::default().labels(selector)).await {
            Ok(found) => all.extend(found.items),
            Err(error) if has_code(&error, 403) => {
                unseen.push(format!("{namespace}: {}", describe(&error)));
            }
            // That may be over at the next look.
            Err(error) => return Err(ApplyError::of::<Secret>(selector, &error)),
        }
    }
    // Nobody waits for that: what is there stays, and it is said.
    let text = format!("Secrets in other namespaces may stay: {}", unseen.join("; "));
    match manifest {
        Some(manifest) => context.tell(manifest, &News::warning("Delete", text)),
        None => tracing::warn!(cluster = %id, "{text}"),
    }
    Ok(all)
}

/// The other namespaces in which a cluster has Secrets, as far as that is known: by its manifest, and
/// by what was seen there.
fn elsewhere(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    manifest: Option<&Postgresql>,
) -> BTreeSet<String> {
    let known = context.memory.read(id, |known| known.accepted.clone()).flatten();
    let read = || validate(manifest?, config).ok();
    let named = |roles: &ManifestRoles| {
        let places = roles.roles.values().filter_map(|role| role.secret.as_ref());
        places.filter_map(|place| place.namespace.clone()).collect::<BTreeSet<_>>()
    };
    let mut all = match known {
        Some(accepted) => named(&accepted.roles),
        None => read().map(|accepted| named(&accepted.roles)).unwrap_or_default(),
    };
    all.extend(context.caches.secrets.of(id).iter().filter_map(|seen| seen.namespace()));
    all.remove(&id.namespace);
    all
}

/// Whether a Secret with the labels of a cluster goes with the manifest.
fn is_of(secret: &Secret, id: &ClusterId, uid: &str) -> bool {
    match Mark::of(secret) {
        Some(mark) => mark.cluster == *id && mark.uid == uid,
        None => secret.namespace().as_ref() == Some(&id.namespace),
    }
}
