//! Objects that Patroni made, and the Endpoints that the API server makes of a Service: they get
//! the owners and the inherited annotations of their cluster, and nothing else of ours. With
//! owners they go with the manifest even where no operator runs.
//!
//! In: what is there. Out: what the API server has against it. Never: an object that was not
//! there, or was made again meanwhile.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Endpoints, Service};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::Value;

use crate::apply::{Kind, ensure_against, has_all, has_applied};
use crate::build::endpoints::are_patronis;
use crate::build::meta;
use crate::build::names::{self, PATRONI_SUFFIXES, Role};
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::failure::ApplyError;

/// Adopts them all. One that fails does not stop the others.
pub(super) async fn adopt(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
) -> Vec<ApplyError> {
    let mut errors = Vec::new();
    let own = &cluster.id.name;
    let mut patronis: Vec<String> =
        PATRONI_SUFFIXES.iter().map(|suffix| format!("{own}-{suffix}")).collect();
    let config_service = format!("{own}-config");
    if let Some(live) = context.caches.services.get(&cluster.id, &config_service) {
        match one::<Service>(context, config, cluster, &live).await {
            Ok(Some(now)) => context.caches.services.wrote(now),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
    }
    if are_patronis(config) {
        patronis.push(names::service(own, Role::Replica));
        match list::<Endpoints>(context, config, cluster).await {
            Ok(all) => {
                remember(context, cluster, &all);
                remember_system(context, cluster, &all);
                adopt_all(context, config, cluster, &patronis, &all, &mut errors).await;
            }
            Err(error) => errors.push(error),
        }
    } else {
        match list::<ConfigMap>(context, config, cluster).await {
            Ok(all) => {
                remember_system(context, cluster, &all);
                adopt_all(context, config, cluster, &patronis, &all, &mut errors).await;
            }
            Err(error) => errors.push(error),
        }
    }
    errors
}

async fn adopt_all<K: Kind + Default>(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
    patronis: &[String],
    all: &[K],
    errors: &mut Vec<ApplyError>,
) {
    for live in all.iter().filter(|live| patronis.contains(&live.name_any())) {
        if let Err(error) = one(context, config, cluster, live).await {
            errors.push(error);
        }
    }
}

/// Everything with the labels of the cluster, which Patroni writes as well.
async fn list<K: Kind>(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
) -> Result<Vec<K>, ApplyError> {
    let api: Api<K> = Api::namespaced(context.client.clone(), &cluster.id.namespace);
    let selector = names::selector(&cluster.id.name, &config.labels);
    // What the API server has in its memory will do: whoever comes later is met at the next look.
    let which = ListParams::default().labels(&selector).match_any();
    let found = api.list(&which).await;
    Ok(found.map_err(|error| ApplyError::of::<K>(&cluster.id.name, &error))?.items)
}

async fn one<K: Kind + Default>(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
    live: &K,
) -> Result<Option<K>, ApplyError> {
    let name = live.name_any();
    let mut metadata = meta::meta(&name, cluster, config, BTreeMap::new(), BTreeMap::new());
    metadata.labels = None;
    let is_nothing = metadata.owner_references.is_none() && metadata.annotations.is_none();
    if is_nothing && !has_applied(live) {
        return Ok(None);
    }
    metadata.uid = live.uid();
    let mut wanted = K::default();
    *wanted.meta_mut() = metadata;
    if has_all(&wanted, live) {
        return Ok(None);
    }
    let (_, now) = ensure_against(context, &wanted, Some(live)).await?;
    Ok(now)
}

/// By this a Patroni of ours is told from that of a cluster with the same name.
fn remember_system<K: Kind>(context: &Context, cluster: &Cluster, all: &[K]) {
    let name = format!("{}-config", cluster.id.name);
    let kept = all.iter().find(|own| own.name_any() == name);
    let system = kept.and_then(|own| own.annotations().get("initialize").cloned());
    let system = system.filter(|system| !system.is_empty());
    context.memory.with(&cluster.id, |known| known.system = system);
}

/// For the HTTP API, which shows both.
fn remember(context: &Context, cluster: &Cluster, all: &[Endpoints]) {
    let of = |role: Role| {
        let name = names::service(&cluster.id.name, role);
        let found = all.iter().find(|own| own.name_any() == name);
        found.and_then(|own| serde_json::to_value(own).ok())
    };
    let endpoints: [Option<Value>; 2] = [of(Role::Master), of(Role::Replica)];
    context.memory.with(&cluster.id, |known| known.endpoints = endpoints);
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use serde_json::json;

    use super::remember_system;
    use crate::build::tests::{cluster, config};
    use crate::testing::FakeApi;

    #[tokio::test]
    async fn what_patroni_keeps_says_which_system_a_cluster_is() {
        let (context, cluster) = (FakeApi::empty().context(config(), None), cluster(json!({})));
        let object = |name: &str, system: &str| -> ConfigMap {
            let metadata = json!({ "name": name, "annotations": { "initialize": system } });
            serde_json::from_value(json!({ "metadata": metadata })).expect("an object")
        };
        let known = || context.memory.read(&cluster.id, |known| known.system.clone()).flatten();
        let own = object("acid-minimal-cluster-config", "7");
        remember_system(&context, &cluster, &[object("acid-other-config", "8"), own]);
        assert_eq!(known().as_deref(), Some("7"));
        // Bootstrapped anew.
        remember_system(&context, &cluster, &[object("acid-minimal-cluster-config", "")]);
        assert_eq!(known(), None);
    }
}
