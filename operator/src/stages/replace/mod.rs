//! Another StatefulSet under the same name, around the same pods and volumes: the old one is
//! deleted and leaves its pods behind, and the next look makes the new one, which takes them over.
//! Before anything is done the API server is asked whether it would take the new one: where it would
//! not, there would be none, and a pod that dies would stay away.
//!
//! Where volumes go with their StatefulSet (`when_deleted: delete`), it owns their claims. The
//! collector of garbage lets go of what it knows to belong to it; a claim that has just got its
//! owner may be unknown to it, and would be deleted as soon as that owner is gone. So the old one
//! is told to keep them, and when its controller has heard of that and gives no more owners, they
//! are set free. The collector asks for a claim as it is then before it deletes one. Nothing of
//! this waits: each look does what is next.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::api::postgresql::Postgresql;
use crate::apply;
use crate::build::names;
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::failure::{ApplyError, has_code};
use crate::leader::NAME;
use crate::report::News;

/// What comes next before there can be another one.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Step {
    /// It must not own claims any more.
    Keep,
    /// Its controller has not heard of that yet, or it goes already.
    Wait,
    /// With what it still owns set free before.
    Delete,
}

/// Does what is next. `fixed`: what cannot be changed, which is otherwise in `wanted`.
pub(super) async fn around_its_pods(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    id: &ClusterId,
    live: &StatefulSet,
    (wanted, fixed): (&StatefulSet, &[String]),
) -> Result<(), ApplyError> {
    let step = step(live);
    if step != Step::Wait {
        is_taken(context, id, wanted).await?;
    }
    match step {
        // The watch tells when there is more to do.
        Step::Wait => Ok(()),
        Step::Keep => keep(context, id, live).await,
        Step::Delete => {
            // As they are now: a watch may not have told yet of an owner.
            for claim in claims(context, config, id).await?.iter().filter(|own| is_owned(own, live))
            {
                free(context, live, claim).await?;
            }
            apply::delete(context, live, true).await?;
            let text = format!(
                "The StatefulSet {} is replaced, and its pods stay: {} cannot be changed",
                id.name,
                fixed.join(", ")
            );
            context.tell(manifest, &News::normal("StatefulSet", text));
            // The watch tells when it is gone, and then it is made anew.
            Ok(())
        }
    }
}

/// Asks whether there could be one like this, under a name that nobody has.
async fn is_taken(
    context: &Context,
    id: &ClusterId,
    wanted: &StatefulSet,
) -> Result<(), ApplyError> {
    let mut other = wanted.clone();
    other.metadata.name = None;
    other.metadata.generate_name = Some(format!("{}-", id.name));
    let api: Api<StatefulSet> = Api::namespaced(context.client.clone(), &id.namespace);
    let parameters = PostParams { dry_run: true, field_manager: Some(NAME.to_owned()) };
    match api.create(&parameters, &other).await {
        Err(error) if !says_nothing(&error) => Err(ApplyError::of::<StatefulSet>(&id.name, &error)),
        _ => Ok(()),
    }
}

/// Whether a refusal is about the question: a webhook that knows no dry run, or a quota in which
/// the old one still counts.
fn says_nothing(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else { return false };
    ["does not support dry run", "exceeded quota"].iter().any(|part| status.message.contains(part))
}

async fn claims(
    context: &Context,
    config: &Config,
    id: &ClusterId,
) -> Result<Vec<PersistentVolumeClaim>, ApplyError> {
    let selector = names::selector(&id.name, &config.labels);
    let api: Api<PersistentVolumeClaim> = Api::namespaced(context.client.clone(), &id.namespace);
    let found = api.list(&ListParams::default().labels(&selector)).await;
    let found =
        found.map_err(|error| ApplyError::of::<PersistentVolumeClaim>(&selector, &error))?;
    Ok(found.items)
}

fn step(live: &StatefulSet) -> Step {
    let spec = live.spec.as_ref();
    let policy = spec.and_then(|spec| spec.persistent_volume_claim_retention_policy.as_ref());
    let deletes = policy.is_some_and(|policy| policy.when_deleted.as_deref() == Some("Delete"));
    let heard = live.status.as_ref().and_then(|status| status.observed_generation);
    match (live.metadata.deletion_timestamp.is_some(), deletes) {
        (true, _) => Step::Wait,
        (false, true) => Step::Keep,
        // Whoever has not heard of the policy may own some in a moment.
        (false, false) if heard != live.metadata.generation => Step::Wait,
        (false, false) => Step::Delete,
    }
}

fn is_owned(claim: &PersistentVolumeClaim, live: &StatefulSet) -> bool {
    let uid = live.metadata.uid.as_deref().unwrap_or_default();
    claim.owner_references().iter().any(|owner| owner.uid == uid)
}

async fn keep(context: &Context, id: &ClusterId, live: &StatefulSet) -> Result<(), ApplyError> {
    let policy = json!({ "persistentVolumeClaimRetentionPolicy": { "whenDeleted": "Retain" } });
    let patched = apply::patch(context, live, json!({ "spec": policy })).await;
    let now = patched.map_err(|error| ApplyError::of::<StatefulSet>(&id.name, &error))?;
    context.caches.stateful_sets.wrote(now);
    Ok(())
}

/// Takes the owner away, and leaves all others.
async fn free(
    context: &Context,
    live: &StatefulSet,
    claim: &PersistentVolumeClaim,
) -> Result<(), ApplyError> {
    let uid = live.metadata.uid.as_deref().unwrap_or_default();
    let others = claim.owner_references().iter().filter(|owner| owner.uid != uid);
    let change = json!({ "metadata": { "ownerReferences": others.collect::<Vec<_>>() } });
    match apply::patch(context, claim, change).await {
        Ok(now) => {
            context.caches.claims.wrote(now);
            Ok(())
        }
        Err(error) if has_code(&error, 404) => Ok(()),
        Err(error) => Err(ApplyError::of::<PersistentVolumeClaim>(&claim.name_any(), &error)),
    }
}

#[cfg(test)]
mod tests;
