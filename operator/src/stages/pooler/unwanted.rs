//! What nobody asks for any more: objects of poolers that are switched off, and Secrets of roles
//! that they had. Each goes by its uid, and only what an operator made.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;

use crate::apply::{Kind, delete};
use crate::build::names::{self, Role};
use crate::build::pooler::{self, APPLICATION, LABEL, Pooler};
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::controller::cache::Cache;
use crate::failure::ApplyError;
use crate::leader::NAME;
use crate::secrets;

/// Deletes what is not for `wanted`; what the API server had against it.
pub(super) async fn remove(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    wanted: Option<&Pooler>,
) -> Vec<ApplyError> {
    let caches = &context.caches;
    let mut errors = Vec::new();
    let is_wanted = |role| wanted.is_some_and(|wanted| wanted.roles.contains(&role));
    for role in Role::ALL.into_iter().filter(|role| !is_wanted(*role)) {
        let name = pooler::name(&id.name, role);
        errors.extend(one(context, &caches.deployments, caches.deployments.get(id, &name)).await);
        errors.extend(one(context, &caches.services, caches.services.get(id, &name)).await);
        let list = pooler::user_list(&id.name, role);
        errors.extend(one(context, &caches.secrets, caches.secrets.get(id, &list)).await);
    }
    let user = wanted.map(|wanted| wanted.user.as_str());
    for secret in caches.secrets.of(id).into_iter().filter(|own| is_former(own, id, config, user)) {
        errors.extend(one(context, &caches.secrets, Some(secret)).await);
    }
    errors
}

/// Whether a Secret is that of a role that poolers had, and `user` is not.
fn is_former(secret: &Secret, id: &ClusterId, config: &Config, user: Option<&str>) -> bool {
    let Ok(credentials) = secrets::credentials(secret) else { return false };
    let role = credentials.username.as_str();
    secret.namespace().as_ref() == Some(&id.namespace)
        && secret.name_any() == names::secret(role, &id.name, config)
        && user != Some(role)
}

/// One of them, unless it is somebody else's or goes already.
async fn one<K: Kind>(
    context: &Context,
    cache: &Cache<K>,
    object: Option<Arc<K>>,
) -> Option<ApplyError> {
    let object = object.filter(|own| is_of_pooler(&**own) && is_operators(&**own))?;
    if object.meta().deletion_timestamp.is_some() {
        return None;
    }
    match delete(context, &*object, false).await {
        Ok(_) => {
            cache.forget(&object);
            let kind = K::kind(&());
            tracing::info!(%kind, name = object.name_any(), "deleted: nobody asks for a pooler");
            None
        }
        Err(error) => Some(error),
    }
}

fn is_of_pooler<K: Kind>(object: &K) -> bool {
    let labels = object.labels();
    labels.get(APPLICATION.0).is_some_and(|value| value == APPLICATION.1)
        && labels.contains_key(LABEL)
}

/// This one, or the one that it replaces: both have that name.
fn is_operators<K: Kind>(object: &K) -> bool {
    object.managed_fields().iter().any(|own| own.manager.as_deref() == Some(NAME))
}
