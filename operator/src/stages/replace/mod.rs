//! Another StatefulSet under the same name, around the same pods and volumes: the old one is
//! deleted and leaves its pods behind, and the next look makes the new one, which takes them over.
//!
//! Where volumes go with their StatefulSet (`when_deleted: delete`), it owns their claims. The
//! collector of garbage lets go of what it knows to belong to it; a claim that has just got its
//! owner may be unknown to it, and would be deleted as soon as that owner is gone. So the claims
//! are set free first, and seen to be free: nothing of this waits, each look does what is next.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::api::postgresql::Postgresql;
use crate::apply;
use crate::cluster::ClusterId;
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
    /// The claims that it still owns.
    Free(Vec<String>),
    Delete,
}

/// Does what is next. `fixed`: what cannot be changed.
pub(super) async fn around_its_pods(
    context: &Context,
    manifest: &Postgresql,
    id: &ClusterId,
    live: &StatefulSet,
    fixed: &[String],
) -> Result<(), ApplyError> {
    let claims = || context.caches.claims.of(id);
    if let Step::Free(owned) = step(live, claims().iter().map(|claim| &**claim)) {
        for claim in claims().iter().filter(|claim| owned.contains(&claim.name_any())) {
            free(context, id, live, claim).await?;
        }
    }
    match step(live, claims().iter().map(|claim| &**claim)) {
        // The watch tells when there is more to do.
        Step::Wait | Step::Free(_) => Ok(()),
        Step::Keep => keep(context, id, live).await,
        Step::Delete => {
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

fn step<'a>(live: &StatefulSet, claims: impl Iterator<Item = &'a PersistentVolumeClaim>) -> Step {
    if live.metadata.deletion_timestamp.is_some() {
        return Step::Wait;
    }
    let spec = live.spec.as_ref();
    let policy = spec.and_then(|spec| spec.persistent_volume_claim_retention_policy.as_ref());
    let deletes = policy.is_some_and(|policy| policy.when_deleted.as_deref() == Some("Delete"));
    if deletes {
        return Step::Keep;
    }
    let owned = claims.filter(|claim| is_owned(claim, live)).map(ResourceExt::name_any);
    let owned: Vec<String> = owned.collect();
    let heard = live.status.as_ref().and_then(|status| status.observed_generation);
    match (owned.is_empty(), heard == live.metadata.generation) {
        // Whoever has not heard of the policy may own some in a moment.
        (_, false) => Step::Wait,
        (false, true) => Step::Free(owned),
        (true, true) => Step::Delete,
    }
}

fn is_owned(claim: &PersistentVolumeClaim, live: &StatefulSet) -> bool {
    let uid = live.metadata.uid.as_deref().unwrap_or_default();
    claim.owner_references().iter().any(|owner| owner.uid == uid)
}

async fn keep(context: &Context, id: &ClusterId, live: &StatefulSet) -> Result<(), ApplyError> {
    let patch = json!({
        "metadata": { "uid": live.uid(), "resourceVersion": live.resource_version() },
        "spec": { "persistentVolumeClaimRetentionPolicy": { "whenDeleted": "Retain" } },
    });
    let api: Api<StatefulSet> = Api::namespaced(context.client.clone(), &id.namespace);
    let patched = api.patch(&id.name, &parameters(), &Patch::Merge(&patch)).await;
    let now = patched.map_err(|error| ApplyError::of::<StatefulSet>(&id.name, &error))?;
    context.board.wrote("StatefulSet", "patch");
    context.caches.stateful_sets.wrote(now);
    Ok(())
}

/// Takes the owner away, and leaves all others.
async fn free(
    context: &Context,
    id: &ClusterId,
    live: &StatefulSet,
    claim: &PersistentVolumeClaim,
) -> Result<(), ApplyError> {
    let name = claim.name_any();
    let uid = live.metadata.uid.as_deref().unwrap_or_default();
    let others = claim.owner_references().iter().filter(|owner| owner.uid != uid);
    let patch = json!({ "metadata": {
        "uid": claim.uid(), "resourceVersion": claim.resource_version(),
        "ownerReferences": others.collect::<Vec<_>>(),
    } });
    let api: Api<PersistentVolumeClaim> = Api::namespaced(context.client.clone(), &id.namespace);
    match api.patch(&name, &parameters(), &Patch::Merge(&patch)).await {
        Ok(now) => {
            context.board.wrote("PersistentVolumeClaim", "patch");
            context.caches.claims.wrote(now);
            Ok(())
        }
        Err(error) if has_code(&error, 404) => Ok(()),
        Err(error) => Err(ApplyError::of::<PersistentVolumeClaim>(&name, &error)),
    }
}

fn parameters() -> PatchParams {
    PatchParams { field_manager: Some(NAME.to_owned()), ..PatchParams::default() }
}

#[cfg(test)]
mod tests;
