//! What is deleted, and in which order.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{
    ConfigMap, Endpoints, PersistentVolumeClaim, Pod, Secret, Service,
};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use crate::api::postgresql::Postgresql;
use crate::apply::{Kind, Removal, delete};
use crate::build::backup;
use crate::build::names::{self, Role};
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::failure::ApplyError;

use super::{poolers, secrets, tombstone};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Left {
    Nothing,
    /// They stop.
    Pods(usize),
    /// Somebody else still has to do with the master Service, such as a cloud with its load
    /// balancer.
    Service,
}

/// Everything that can go now. What does not carry the labels of the cluster is somebody else's,
/// whatever it is called.
pub(super) async fn run(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    uid: &str,
    manifest: Option<&Postgresql>,
) -> Result<Left, String> {
    tombstone::put(context, config, id, uid).await.map_err(|error| error.to_string())?;
    let mut errors = Vec::new();
    let selector = names::selector(&id.name, &config.labels);
    let own_name = std::slice::from_ref(&id.name);
    // No backup of a cluster that goes.
    let backup = [backup::name(&id.name, config)];
    note(&mut errors, named::<CronJob>(context, id, &selector, &backup).await);
    let keys = [backup::credentials_name(&id.name, config)];
    note(&mut errors, named::<Secret>(context, id, &selector, &keys).await);
    note(&mut errors, named::<StatefulSet>(context, id, &selector, own_name).await);
    note(&mut errors, delete_all::<PodDisruptionBudget>(context, id, &selector).await);
    // Pods that no StatefulSet owned would stay.
    note(&mut errors, delete_all::<Pod>(context, id, &selector).await);
    if config.deletion.enable_persistent_volume_claim_deletion {
        note(&mut errors, delete_all::<PersistentVolumeClaim>(context, id, &selector).await);
    }
    if config.deletion.enable_secrets_deletion {
        note(&mut errors, secrets::delete(context, config, id, uid, manifest).await);
        note(&mut errors, poolers::secrets(context, id).await);
    }
    let pods = match list::<Pod>(context, &id.namespace, &selector).await {
        Ok(pods) => pods.len(),
        Err(error) => {
            errors.push(error.to_string());
            0
        }
    };
    if !errors.is_empty() {
        return Err(errors.join("; "));
    }
    if pods > 0 {
        return Ok(Left::Pods(pods));
    }
    services(context, id, &selector).await.map_err(|errors| errors.join("; "))
}

/// What Patroni keeps, and the Services; the master Service is the last: it says that all this
/// was wanted.
async fn services(context: &Context, id: &ClusterId, selector: &str) -> Result<Left, Vec<String>> {
    let mut errors = Vec::new();
    // With what Patroni keeps, a new cluster of that name would wait for the old one for ever.
    note(&mut errors, delete_all::<Endpoints>(context, id, selector).await);
    note(&mut errors, delete_all::<ConfigMap>(context, id, selector).await);
    // The first is Patroni's, with the labels of its cluster.
    let before = [format!("{}-config", id.name), names::service(&id.name, Role::Replica)];
    note(&mut errors, named::<Service>(context, id, selector, &before).await);
    note(&mut errors, poolers::objects(context, id).await);
    if !errors.is_empty() {
        return Err(errors);
    }
    let own_name = std::slice::from_ref(&id.name);
    let last = named::<Service>(context, id, selector, own_name).await;
    match last.map_err(|error| vec![error.to_string()])? {
        Removal::Ends => Ok(Left::Service),
        Removal::Gone => {
            // The event comes later, and nobody should take it for one that is still there.
            if let Some(service) = context.caches.services.get(id, &id.name) {
                context.caches.services.forget(&service);
            }
            let removed = tombstone::remove(context, id).await;
            removed.map_err(|error| vec![error.to_string()])?;
            Ok(Left::Nothing)
        }
    }
}

fn note<T>(errors: &mut Vec<String>, result: Result<T, ApplyError>) {
    if let Err(error) = result {
        errors.push(error.to_string());
    }
}

pub(super) async fn list<K: Kind>(
    context: &Context,
    namespace: &str,
    selector: &str,
) -> Result<Vec<K>, ApplyError> {
    let api: Api<K> = Api::namespaced(context.client.clone(), namespace);
    let found = api.list(&ListParams::default().labels(selector)).await;
    Ok(found.map_err(|error| ApplyError::of::<K>(selector, &error))?.items)
}

async fn delete_all<K: Kind>(
    context: &Context,
    id: &ClusterId,
    selector: &str,
) -> Result<(), ApplyError> {
    for object in list::<K>(context, &id.namespace, selector).await? {
        remove(context, &object).await?;
    }
    Ok(())
}

/// Those with the labels of the cluster and one of the names: users may have made others.
async fn named<K: Kind>(
    context: &Context,
    id: &ClusterId,
    selector: &str,
    names: &[String],
) -> Result<Removal, ApplyError> {
    let mut all = Removal::Gone;
    for object in list::<K>(context, &id.namespace, selector).await? {
        if names.contains(&object.name_any()) && remove(context, &object).await? == Removal::Ends {
            all = Removal::Ends;
        }
    }
    Ok(all)
}

/// One that stops already has its own time for it.
pub(super) async fn remove<K: Kind>(context: &Context, object: &K) -> Result<Removal, ApplyError> {
    match object.meta().deletion_timestamp {
        Some(_) => Ok(Removal::Ends),
        None => delete(context, object, false).await,
    }
}
