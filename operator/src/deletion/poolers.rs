//! Connection poolers go with their cluster, which they lead to. Their labels are others than those
//! of databases; what is known of them is what the caches have.

use std::sync::Arc;

use kube::ResourceExt;

use super::steps::remove;
use crate::apply::Kind;
use crate::build::names::Role;
use crate::build::pooler::{self, APPLICATION};
use crate::cluster::ClusterId;
use crate::context::Context;
use crate::controller::cache::Cache;
use crate::failure::ApplyError;

/// Deployments and Services, and the lists of users that nothing needs any more.
pub(super) async fn objects(context: &Context, id: &ClusterId) -> Result<(), ApplyError> {
    let caches = &context.caches;
    let names = Role::ALL.map(|role| pooler::name(&id.name, role));
    let lists = Role::ALL.map(|role| pooler::user_list(&id.name, role));
    all(context, &caches.deployments, id, |name| names.iter().any(|own| own == name)).await?;
    all(context, &caches.services, id, |name| names.iter().any(|own| own == name)).await?;
    all(context, &caches.secrets, id, |name| lists.iter().any(|own| own == name)).await
}

/// All of their Secrets, where Secrets go with a cluster.
pub(super) async fn secrets(context: &Context, id: &ClusterId) -> Result<(), ApplyError> {
    all(context, &context.caches.secrets, id, |_| true).await
}

async fn all<K: Kind>(
    context: &Context,
    cache: &Cache<K>,
    id: &ClusterId,
    is_ours: impl Fn(&str) -> bool,
) -> Result<(), ApplyError> {
    let is_of_pooler = |own: &Arc<K>| {
        own.labels().get(APPLICATION.0).is_some_and(|value| value == APPLICATION.1)
            && own.namespace().as_ref() == Some(&id.namespace)
            && is_ours(&own.name_any())
    };
    for object in cache.of(id).into_iter().filter(is_of_pooler) {
        remove(context, &*object).await?;
    }
    Ok(())
}
