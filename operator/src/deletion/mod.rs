//! The end of a cluster, and nothing else that deletes: only after an event that says that
//! somebody deleted its manifest, or with its deletionTimestamp. That a manifest is not found
//! means nothing.
//!
//! Nobody is waited for: each look deletes what can go now, and the pods' own end makes us look
//! again. Services and what Patroni keeps go last, because a Patroni that still runs would make
//! them anew, and a name could not be used again.

mod protection;
mod steps;

use std::sync::Arc;
use std::time::Duration;

use crate::api::postgresql::Postgresql;
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::controller::caches::DELETED;
use crate::controller::queue::Ended;
use crate::report::News;
use crate::{finalizer, tell};

use protection::Protection;

/// That a cluster is to end, and how we know.
#[derive(Clone, Debug)]
pub enum Deletion {
    /// An event said so, and nothing was done yet.
    Wanted(Arc<Postgresql>),
    /// The manifest stays until we are done.
    Finalizing(Arc<Postgresql>),
    /// It has begun; the manifest with this uid is gone.
    Begun(String),
    /// Another operator is at the end of what had this name before.
    Elsewhere { manifest: Arc<Postgresql>, controller: String },
}

/// While pods stop.
const AGAIN: Duration = Duration::from_secs(2);

/// Whether a cluster is to end.
pub fn of(
    context: &Context,
    id: &ClusterId,
    manifest: Option<&Arc<Postgresql>>,
) -> Option<Deletion> {
    let begun = context.begun(id);
    let seen = context.memory.read(id, |known| known.deleted.clone()).flatten();
    match manifest {
        // Whoever is here now has another uid than the one whose end has begun.
        Some(manifest)
            if begun.as_ref().is_some_and(|uid| manifest.metadata.uid.as_ref() != Some(uid)) =>
        {
            begun.map(Deletion::Begun)
        }
        Some(manifest) if manifest.metadata.deletion_timestamp.is_some() => {
            context.is_ours(manifest).then(|| Deletion::Finalizing(Arc::clone(manifest)))
        }
        Some(manifest) => match context.caches.tombstone(id) {
            // It would delete what we make.
            Some(other)
                if context.is_ours(manifest) && other.controller != context.controller() =>
            {
                let controller = other.controller;
                Some(Deletion::Elsewhere { manifest: Arc::clone(manifest), controller })
            }
            _ => None,
        },
        None => match (begun, seen) {
            (Some(uid), _) => Some(Deletion::Begun(uid)),
            (None, Some(manifest)) => Some(Deletion::Wanted(manifest)),
            (None, None) => None,
        },
    }
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
            match protection::check(manifest, config) {
                Protection::None => context.tell(manifest, &started()),
                Protection::Refused(reason) => {
                    return refused(context, config, id, deletion, reason).await;
                }
            }
            (Some(&**manifest), manifest.metadata.uid.clone().unwrap_or_default())
        }
        Deletion::Begun(uid) => (None, uid.clone()),
        Deletion::Elsewhere { manifest, controller } => {
            context.tell(manifest, &elsewhere(controller));
            // The end of its last object makes us look again.
            return Ended::Well { again: config.operation.resync_period };
        }
    };
    match steps::run(context, config, id, &uid, manifest).await {
        Ok(steps::Left::Nothing) => {}
        Ok(steps::Left::Pods(number)) => {
            tracing::info!(cluster = %id, pods = number, "waits for pods to stop");
            return Ended::Well { again: AGAIN };
        }
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
    forget(context, id)
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

async fn refused(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    deletion: &Deletion,
    reason: String,
) -> Ended {
    match deletion {
        Deletion::Finalizing(manifest) => {
            context.tell(manifest, &News::warning("Delete", reason));
            let _told_at_the_next_look = tell::status(context, manifest).await;
            Ended::Well { again: config.operation.resync_period }
        }
        Deletion::Wanted(manifest) => {
            let reason =
                format!("{reason}; its objects stay, and a manifest of that name takes them over");
            context.tell(manifest, &News::warning("Delete", reason));
            forget(context, id)
        }
        Deletion::Begun(_) | Deletion::Elsewhere { .. } => forget(context, id),
    }
}

/// Nothing is known of it any more; somebody may have used its name again meanwhile.
fn forget(context: &Context, id: &ClusterId) -> Ended {
    context.memory.forget(id);
    context.identity.forget(id);
    context.board.cluster_gone(id);
    if context.caches.manifests.get(id, &id.name).is_some() {
        return Ended::Well { again: Duration::ZERO };
    }
    Ended::Forget
}

#[cfg(test)]
mod tests;
