//! The watches: all kinds that the operator follows, in the namespaces that it is for.

use std::fmt::Debug;
use std::sync::Arc;

use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::cache::{Cache, Change};
use super::triggers;
use crate::admin::Board;
use crate::apply::describe;
use crate::context::Context;

/// Follows everything but the manifests until the set is dropped. `namespace`: `None` is all.
pub fn watch(context: &Arc<Context>, namespace: Option<&str>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let config = context.config();
    let labels = &config.labels.cluster_labels;
    let selector =
        labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
    let ours = watcher::Config::default().labels(&selector);
    let all = watcher::Config::default();
    macro_rules! follow {
        ($cache:ident, $kind:literal, $config:expr, $trigger:path) => {
            let (context, config) = (Arc::clone(context), $config.clone());
            let api = api(&context.client, namespace);
            tasks.spawn(async move {
                let changed = |change| $trigger(&context, change);
                follow(&context.board, $kind, &context.caches.$cache, api, config, changed).await;
            });
        };
    }
    follow!(stateful_sets, "StatefulSet", ours, triggers::stateful_set);
    follow!(services, "Service", ours, triggers::service);
    follow!(budgets, "PodDisruptionBudget", ours, triggers::budget);
    follow!(secrets, "Secret", ours, triggers::secret);
    follow!(pods, "Pod", ours, triggers::pod);
    if config.identity.enable_postgres_team_crd {
        follow!(teams, "PostgresTeam", all, triggers::team);
    }
    tasks
}

pub(super) async fn follow<K>(
    board: &Board,
    kind: &'static str,
    cache: &Cache<K>,
    api: Api<K>,
    config: watcher::Config,
    changed: impl Fn(Change<K>),
) where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let broken = |error: &watcher::Error| {
        board.watch_restarted(kind);
        tracing::warn!(kind, error = said(error), "a watch ended, and begins anew");
    };
    cache.follow(api, config, changed, broken).await;
}

fn said(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => describe(error),
        watcher::Error::WatchError(status) => status.message.escape_debug().to_string(),
        watcher::Error::NoResourceVersion => "a list without a resource version".to_owned(),
    }
}

pub(super) fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}
