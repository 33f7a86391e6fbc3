//! Follows the nodes, and looks at the clusters that have to do with one that turned.

use futures_util::{StreamExt, pin_mut};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::runtime::{WatchStreamExt, watcher};

use crate::context::Context;
use crate::controller::queue::Why;
use crate::controller::watching;
use crate::failure::{describe_watch, has_code};

/// Keeps the nodes as the API server has them, for ever. Without the right to, that is said once,
/// and everything else goes on.
pub async fn follow(context: &Context) {
    let api: Api<Node> = Api::all(context.client.clone());
    let events = watcher(api, watching()).default_backoff();
    pin_mut!(events);
    let mut is_told = false;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                // A list begins with that before it is refused.
                is_told &= matches!(event, watcher::Event::Init);
                let config = context.config();
                let readiness = &config.pods.node_readiness_label;
                let turned = context.nodes.take(event, readiness, Timestamp::now());
                wake(context, &turned);
            }
            Err(error) if is_refused(&error) => {
                context.nodes.refused();
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(
                        error = describe_watch(&error),
                        "nodes cannot be listed: no primary is moved from a node that is drained; packaging/kustomize/rbac.yaml has the rights"
                    );
                }
            }
            Err(error) => {
                context.board.watch_restarted("Node");
                let error = describe_watch(&error);
                tracing::warn!(kind = "Node", error, "a watch ended, and begins anew");
            }
        }
    }
}

/// Looks at the clusters with pods on nodes that turned; and at those with pods that have to
/// leave, because one that turned may be where they can go.
pub(super) fn wake(context: &Context, turned: &[String]) {
    if turned.is_empty() {
        return;
    }
    let config = context.config();
    let is_there = |pod: &Pod| {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
        node.is_some_and(|node| turned.contains(node))
    };
    for pod in context.caches.pods.all() {
        let concerns = is_there(&pod) || super::leaves(context, &config, &pod);
        let id = context.caches.pods.owner(&pod).filter(|_| concerns);
        if let Some(id) = id.filter(|id| context.caches.manifests.get(id, &id.name).is_some()) {
            context.objects.add(&id, Why::Surroundings);
        }
    }
}

fn is_refused(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => has_code(error, 403) || has_code(error, 401),
        watcher::Error::WatchError(status) => status.code == 403,
        watcher::Error::NoResourceVersion => false,
    }
}
