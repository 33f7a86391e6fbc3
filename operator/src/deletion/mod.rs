//! The end of a cluster, and nothing else that deletes: only after an event that says that
//! somebody deleted its manifest, or with its deletionTimestamp. That a manifest is not found
//! means nothing.
//!
//! Nobody is waited for: each look deletes what can go now, and the pods' own end makes us look
//! again. Services and what Patroni keeps go last, because a Patroni that still runs would make
//! them anew, and a name could not be used again.

mod leaves;
mod poolers;
mod protection;
mod secrets;
mod steps;
mod tombstone;

use std::sync::Arc;
use std::time::Duration;

use crate::api::postgresql::Postgresql;
use crate::apply::fits;
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::controller::caches::DELETED;
use crate::controller::queue::Ended;
use crate::finalizer;
use crate::report::News;

use protection::Protection;

/// That a cluster is to end, and how we know.
#[derive(Clone, Debug)]
pub enum Deletion {
    /// An event said so, and nothing was done yet.
    Wanted(Arc<Postgresql>),
    /// The manifest stays until we are done. One that is protected is not deleted.
    Finalizing(Arc<Postgresql>),
    /// It has begun; the manifest with this uid is gone.
    Begun(String),
    /// Nothing of it is there, and somebody else keeps the manifest.
    Over,
    /// Another operator is at the end of what had this name before.
    Elsewhere { manifest: Arc<Postgresql>, controller: String },
}

/// While something stops; it doubles from there on, and each event makes us look at once.
const AGAIN: Duration = Duration::from_secs(2);

/// Whether a cluster is to end.
pub fn of(
    context: &Context,
    id: &ClusterId,
    manifest: Option<&Arc<Postgresql>>,
) -> Option<Deletion> {
    let ended = context.memory.read(id, |known| known.ended.clone()).flatten();
    let seen = context.deletions.get(id).filter(|manifest| context.is_ours(manifest));
    let present = manifest.filter(|manifest| context.is_ours(manifest)).or(seen.as_ref());
    if let Some(tombstone) = context.caches.tombstone(id)
        && tombstone.controller != context.controller()
    {
        // It would delete what we make.
        let manifest = Arc::clone(present?);
        return Some(Deletion::Elsewhere { manifest, controller: tombstone.controller });
    }
    let begun = context.begun(id);
    let Some(manifest) = manifest else {
        return begun.map(Deletion::Begun).or_else(|| seen.map(Deletion::Wanted));
    };
    let uid = manifest.metadata.uid.as_ref();
    match begun {
        // Whoever is here now has another uid than the one whose end has begun.
        Some(begun) if uid != Some(&begun) => return Some(Deletion::Begun(begun)),
        _ if manifest.metadata.deletion_timestamp.is_none() => return None,
        _ if !context.is_ours(manifest) => return None,
        _ if ended.is_some() && uid == ended.as_ref() => return Some(Deletion::Over),
        Some(_) => {}
        None => {
            if let Protection::Refused(reason) = protection::check(manifest, &context.config()) {
                return refused(context, id, manifest, &reason);
            }
        }
    }
    Some(Deletion::Finalizing(Arc::clone(manifest)))
}

/// A cluster that is not deleted is kept up like any other. Where there is none, because its end was
/// reached and nobody remembers, or before it began, none is made for a manifest that goes.
fn refused(
    context: &Context,
    id: &ClusterId,
    manifest: &Postgresql,
    reason: &str,
) -> Option<Deletion> {
    let caches = &context.caches;
    let is_there = caches.stateful_sets.get(id, &id.name).is_some()
        || caches.services.get(id, &id.name).is_some()
        || !caches.pods.of(id).is_empty();
    let what = match is_there {
        true => "the cluster stays, and is kept up",
        false => "there is no cluster, and none is made",
    };
    context.tell(manifest, &News::warning("Delete", format!("{reason}; {what}")));
    (!is_there).then_some(Deletion::Over)
}

/// The next steps of it.
pub async fn proceed(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    deletion: &Deletion,
) -> Ended {
    let (manifest, uid) = match deletion {
        Deletion::Wanted(manifest) | Deletion::Finalizing(manifest) => {
            (Some(&**manifest), manifest.metadata.uid.clone().unwrap_or_default())
        }
        Deletion::Begun(uid) => (None, uid.clone()),
        Deletion::Over => return Ended::Well { again: config.operation.resync_period },
        Deletion::Elsewhere { manifest, controller } => {
            context.tell(manifest, &elsewhere(controller));
            // The end of its last object makes us look again.
            return Ended::Well { again: config.operation.resync_period };
        }
    };
    if let Deletion::Wanted(manifest) = deletion
        && let Protection::Refused(reason) = protection::check(manifest, config)
    {
        let text =
            format!("{reason}; its objects stay, and a manifest of that name takes them over");
        context.tell(manifest, &News::warning("Delete", text));
        return forget(context, config, id, &uid);
    }
    match fits::look(context, config, id).await {
        Ok(None) => {}
        // By the labels of today, its pods and volumes would not be found.
        Ok(Some(reason)) => return misfits(context, config, id, deletion, &reason),
        Err(error) => {
            tracing::warn!(cluster = %id, %error, "the deletion waits");
            return Ended::Failed { at_most: config.operation.repair_period };
        }
    }
    if let Some(manifest) = manifest {
        context.tell(manifest, &started());
    }
    leaves::tell(context, config, id, manifest).await;
    match steps::run(context, config, id, &uid, manifest).await {
        Ok(steps::Left::Nothing) => {}
        Ok(left) => return waits(context, config, id, left),
        Err(errors) => {
            let text = format!("could not delete everything: {errors}");
            match manifest {
                Some(manifest) => context.tell(manifest, &News::warning("Delete", text)),
                None => tracing::warn!(cluster = %id, "{text}"),
            }
            return Ended::Failed { at_most: config.operation.repair_period };
        }
    }
    if let Deletion::Finalizing(manifest) = deletion
        && let Err(error) = finalizer::remove(context, manifest).await
    {
        tracing::warn!(cluster = %id, %error, "the finalizer could not be removed");
        return Ended::Failed { at_most: config.operation.repair_period };
    }
    tracing::info!(cluster = %id, "is deleted");
    forget(context, config, id, &uid)
}

/// Something stops by itself, and may take its time: a node that is gone never answers.
fn waits(context: &Context, config: &Config, id: &ClusterId, left: steps::Left) -> Ended {
    tracing::info!(cluster = %id, ?left, "the deletion waits");
    let before = context.memory.with(id, |known| {
        known.waits = known.waits.saturating_add(1);
        known.waits - 1
    });
    let again = AGAIN.saturating_mul(1 << before.min(20));
    Ended::Well { again: again.min(config.operation.repair_period.max(AGAIN)) }
}

/// One with a finalizer, or that has begun, waits until somebody sets it right.
fn misfits(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    deletion: &Deletion,
    reason: &str,
) -> Ended {
    match deletion {
        Deletion::Wanted(manifest) => {
            let text = format!("{reason}; the cluster is not deleted, and its objects stay");
            context.tell(manifest, &News::warning("Delete", text));
            forget(context, config, id, manifest.metadata.uid.as_deref().unwrap_or_default())
        }
        Deletion::Finalizing(manifest) => {
            context.tell(manifest, &News::warning("Delete", reason.to_owned()));
            Ended::Failed { at_most: config.operation.repair_period }
        }
        Deletion::Begun(_) | Deletion::Over | Deletion::Elsewhere { .. } => {
            tracing::warn!(cluster = %id, "the deletion waits: {reason}");
            Ended::Failed { at_most: config.operation.repair_period }
        }
    }
}

fn started() -> News {
    News::normal("Delete", "Started deletion of cluster resources")
}

fn elsewhere(controller: &str) -> News {
    let text = format!(
        "another operator (CONTROLLER_ID {controller:?}) deletes the cluster that had this name before; this one waits until its master Service is gone, or has no annotation {DELETED}"
    );
    News::warning("Delete", text)
}

/// Nothing is known of it any more.
fn forget(context: &Context, config: &Config, id: &ClusterId, uid: &str) -> Ended {
    context.memory.forget(id);
    context.deletions.done(id, uid);
    context.identity.forget(id);
    context.board.cluster_gone(id);
    let Some(manifest) = context.caches.manifests.get(id, &id.name) else {
        return match context.deletions.get(id) {
            // Somebody has used its name again, and deleted that as well.
            Some(_) => Ended::Well { again: Duration::ZERO },
            None => Ended::Forget,
        };
    };
    if manifest.metadata.uid.as_deref() == Some(uid) {
        // Somebody else keeps it, and there is nothing left for us to do.
        context.memory.with(id, |known| known.ended = Some(uid.to_owned()));
        return Ended::Well { again: config.operation.resync_period };
    }
    // Somebody has used its name again meanwhile.
    Ended::Well { again: Duration::ZERO }
}

#[cfg(test)]
mod tests;
