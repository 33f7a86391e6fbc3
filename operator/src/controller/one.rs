//! One watch of one kind.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::cache::{Cache, Change};
use crate::admin::Board;
use crate::failure::describe_watch;

/// Seconds that the API server keeps a watch open before we ask for the next one. Where not even the end
/// has come five later, kube's watcher takes the connection for gone, as when a firewall forgets it, and
/// asks anew.
const WATCH: u32 = 30;

/// What each watch begins with.
pub fn watching() -> watcher::Config {
    watcher::Config::default().timeout(WATCH)
}

/// Keeps a cache as the API server has it, for ever. A watch that ends begins anew.
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
        tracing::warn!(kind, error = describe_watch(error), "a watch ended, and begins anew");
    };
    cache.follow(api, config, changed, broken).await;
}

/// `namespace`: `None` is all.
pub(super) fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}
