//! Workers: each takes one cluster at a time, while we lead and until we stop.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::queue::{Ended, Queue, Why};
use crate::admin::PassResult;
use crate::cluster::ClusterId;
use crate::context::Context;
use crate::{identity, reconcile};

/// What a worker works on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Objects,
    Databases,
}

impl Kind {
    fn queue(self, context: &Context) -> &Queue {
        match self {
            Self::Objects => &context.objects,
            Self::Databases => &context.databases,
        }
    }

    fn step(self) -> &'static str {
        match self {
            Self::Objects => "sync objects",
            Self::Databases => "sync roles and databases",
        }
    }
}

/// Works until the queue is closed. `leading`: nothing is touched while it says no, and what is
/// under way ends there; the next leader sees how far it went.
pub async fn work(
    context: Arc<Context>,
    kind: Kind,
    number: usize,
    mut leading: watch::Receiver<bool>,
) {
    loop {
        let leads = tokio::select! {
            leads = leading.wait_for(|leads| *leads) => leads.is_ok(),
            () = kind.queue(&context).closed() => return,
        };
        if !leads {
            return;
        }
        let next = tokio::select! {
            next = kind.queue(&context).next() => next,
            _ = leading.wait_for(|leads| !leads) => continue,
        };
        let Some((id, why)) = next else { return };
        let ended = tokio::select! {
            ended = look(&context, kind, number, &id, why) => ended,
            // Come again as soon as we lead.
            _ = leading.wait_for(|leads| !leads) => {
                Ended::Well { again: std::time::Duration::ZERO }
            }
        };
        context.board.worker_idle(number);
        if ended == Ended::Forget {
            forget(&context, &id);
        }
        kind.queue(&context).done(&id, ended);
    }
}

/// Nothing is kept of a cluster that is not there, or not ours: work on it made an entry.
fn forget(context: &Context, id: &ClusterId) {
    let manifest = context.caches.manifests.get(id, &id.name);
    if manifest.is_none_or(|manifest| !context.is_ours(&manifest)) && context.begun(id).is_none() {
        context.board.cluster_gone(id);
        context.memory.forget(id);
    }
}

async fn look(
    context: &Arc<Context>,
    kind: Kind,
    number: usize,
    id: &ClusterId,
    why: Why,
) -> Ended {
    context.board.worker_begins(number, id, kind.step());
    let start = Instant::now();
    tracing::debug!(cluster = %id, worker = number, why = why.word(), "begins: {}", kind.step());
    let task = {
        let (context, id) = (Arc::clone(context), id.clone());
        async move {
            match kind {
                Kind::Objects => reconcile::reconcile(&context, &id).await,
                Kind::Databases => identity::sync(&context, &id).await,
            }
        }
    };
    // A task of its own: a bug that panics ends this look, not the worker.
    let mut task = Abort(tokio::spawn(task));
    let ended = (&mut task.0).await.unwrap_or_else(|error| {
        tracing::error!(cluster = %id, %error, "a bug ended the work on a cluster");
        Ended::Failed { at_most: context.config().operation.repair_period }
    });
    let elapsed = start.elapsed();
    let result = match ended {
        Ended::Failed { .. } => PassResult::Failed,
        Ended::Well { .. } | Ended::Forget => PassResult::Done,
    };
    context.board.passed(result, elapsed);
    if kind == Kind::Objects && context.objects.waiting().iter().all(|one| one.due_in.is_some()) {
        context.board.synced();
    }
    tracing::debug!(cluster = %id, worker = number, ms = elapsed.as_millis(), "done");
    ended
}

/// Dropping a handle of a task would let it run on.
struct Abort<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Abort<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
