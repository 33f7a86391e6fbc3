//! What nobody asks for any more: objects of poolers that are switched off, and Secrets of roles
//! that they had. Each goes by its uid, and only what an operator made.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use teams_sync::role::RoleName;

use super::objects::asks;
use crate::apply::{Kind, delete};
use crate::build::names::{self, Role};
use crate::build::pooler::{self, APPLICATION, LABEL, Pooler};
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::controller::cache::Cache;
use crate::failure::ApplyError;
use crate::leader::NAME;
use crate::roles::ManifestRoles;
use crate::secrets;
use crate::stages::secrets::needed;
use crate::validate::Accepted;

/// Deletes what is not for `wanted`, but for Secrets of roles; what the API server had against it.
pub(super) async fn objects(
    context: &Context,
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
    errors
}

/// Deletes Secrets of roles that poolers had, and that nobody has any more.
pub(super) async fn secrets(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    roles: &ManifestRoles,
) -> Vec<ApplyError> {
    if !context.caches.deployments.is_filled() {
        // Nobody knows yet which of them a pooler runs with.
        return Vec::new();
    }
    let needed = needed(context, config, roles).into_iter().map(|(name, _, _)| name);
    let needed: BTreeSet<String> = needed.collect();
    let named = named(context, id);
    let mut errors = Vec::new();
    for secret in context.caches.secrets.of(id).into_iter().filter(|own| is_of_pooler(&**own)) {
        let role = role_of(&secret, id, config);
        let is_former = role.is_some_and(|role| !needed.contains(&role));
        if is_former && !named.contains(&secret.name_any()) {
            errors.extend(one(context, &context.caches.secrets, Some(secret)).await);
        }
    }
    errors
}

/// The role that a Secret is for, where it has the name of such a one.
fn role_of(secret: &Secret, id: &ClusterId, config: &Config) -> Option<String> {
    let role = secrets::credentials(secret).ok()?.username;
    let is_its = secret.namespace().as_ref() == Some(&id.namespace)
        && secret.name_any() == names::secret(&role, &id.name, config);
    is_its.then_some(role)
}

/// Secrets that Deployments of poolers name.
fn named(context: &Context, id: &ClusterId) -> BTreeSet<String> {
    let all = context.caches.deployments.of(id);
    let secrets = all.iter().filter_map(|own| Some(asks(own)?.1.to_owned()));
    secrets.collect()
}

/// Roles that pods of poolers may still run as.
pub fn roles_in_use(context: &Context, config: &Config, accepted: &Accepted) -> BTreeSet<RoleName> {
    let id = &accepted.cluster.id;
    let named = named(context, id);
    let of_manifest = accepted.roles.roles.keys();
    let of_manifest = of_manifest
        .filter(|role| named.contains(&names::secret(role.as_str(), &id.name, config)))
        .cloned();
    let secrets = context.caches.secrets.of(id).into_iter();
    let secrets = secrets.filter(|own| is_of_pooler(&**own) || named.contains(&own.name_any()));
    let of_secrets = secrets.filter_map(|own| RoleName::parse(&role_of(&own, id, config)?).ok());
    of_manifest.chain(of_secrets).collect()
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
