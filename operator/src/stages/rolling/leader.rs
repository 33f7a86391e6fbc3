//! Who leads, and whether Patroni is paused, by the objects that Patroni keeps that in: after a
//! crash two pods may carry the label of the primary, and `patronictl pause` is in no manifest.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Endpoints, Pod};
use kube::{Api, ResourceExt};

use super::by_label;
use crate::apply::Kind;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::failure::ApplyError;
use crate::patroni;

/// The name of the pod that leads, if any does.
pub(in crate::stages) async fn of(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
    pods: &[Arc<Pod>],
) -> Result<Option<String>, ApplyError> {
    let own = &cluster.id.name;
    let annotations = if !config.patroni.etcd_host.is_empty() {
        // It is somewhere that we do not look.
        return Ok(by_label(pods, config));
    } else if config.patroni.kubernetes_use_configmaps {
        annotations::<ConfigMap>(context, cluster, &format!("{own}-leader")).await?
    } else {
        annotations::<Endpoints>(context, cluster, own).await?
    };
    Ok(patroni::leader(&annotations).map(str::to_owned))
}

/// Whether Patroni is paused, whoever did it. `None`: that is somewhere that we do not look.
pub(super) async fn pauses(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
) -> Result<Option<bool>, ApplyError> {
    let name = format!("{}-config", cluster.id.name);
    let annotations = if !config.patroni.etcd_host.is_empty() {
        return Ok(None);
    } else if config.patroni.kubernetes_use_configmaps {
        annotations::<ConfigMap>(context, cluster, &name).await?
    } else {
        annotations::<Endpoints>(context, cluster, &name).await?
    };
    Ok(Some(patroni::pauses(&annotations)))
}

async fn annotations<K: Kind>(
    context: &Context,
    cluster: &Cluster,
    name: &str,
) -> Result<BTreeMap<String, String>, ApplyError> {
    let api: Api<K> = Api::namespaced(context.client.clone(), &cluster.id.namespace);
    let found = api.get_opt(name).await.map_err(|error| ApplyError::of::<K>(name, &error))?;
    Ok(found.map(|object| object.annotations().clone()).unwrap_or_default())
}
