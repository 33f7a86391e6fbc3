//! Writing objects: server-side apply as field manager `postgres-operator`, and only where
//! something differs. What is as it should be is not written.

use std::borrow::Cow;
use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cluster::ClusterId;
use crate::context::Context;
use crate::controller::cache::Cache;
use crate::failure::{ApplyError, has_code};
use crate::leader::NAME;

pub mod adopt;
pub mod compare;
pub mod fits;
pub mod immutable;

/// What writing came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Written {
    Created,
    Changed,
    Unchanged,
}

/// What a kind needs for all this.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + DeserializeOwned
    + Serialize
    + Send
    + Sync
    + 'static
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
        + Send
        + Sync
        + 'static
{
}

/// A kind as a label of metrics, of which there are few.
pub(crate) fn counted<K: Kind>() -> &'static str {
    match K::kind(&()) {
        Cow::Borrowed(kind) => kind,
        Cow::Owned(_) => "other",
    }
}

/// Brings one object of a cluster in line; its cache says how it is.
///
/// # Errors
/// What the API server has against it.
pub async fn ensure<K: Kind>(
    context: &Context,
    cache: &Cache<K>,
    cluster: &ClusterId,
    wanted: &K,
) -> Result<Written, ApplyError> {
    let live = cache.get(cluster, &wanted.name_any());
    let (written, now) = ensure_against(context, wanted, live.as_deref()).await?;
    if let Some(now) = now {
        cache.wrote(now);
    }
    Ok(written)
}

/// The same, for an object that no cache has.
///
/// # Errors
/// What the API server has against it.
pub async fn ensure_against<K: Kind>(
    context: &Context,
    wanted: &K,
    live: Option<&K>,
) -> Result<(Written, Option<K>), ApplyError> {
    let name = wanted.name_any();
    let to_json = |object: &K| {
        serde_json::to_value(object)
            .map_err(|error| ApplyError::new(&K::kind(&()), &name, error.to_string()))
    };
    if let Some(live) = live {
        let differs = compare::needs_apply(&to_json(wanted)?, &to_json(live)?, NAME);
        if differs.is_empty() {
            return Ok((Written::Unchanged, None));
        }
        tracing::debug!(kind = %K::kind(&()), name, fields = %differs.join(", "), "differs");
    }
    let api: Api<K> =
        Api::namespaced(context.client.clone(), &wanted.namespace().unwrap_or_default());
    let parameters = PatchParams::apply(NAME).force();
    let applied = api.patch(&name, &parameters, &Patch::Apply(wanted)).await;
    let now = match applied {
        // What somebody else put into a list stays beside ours, and may make it invalid. Then
        // the list is ours alone.
        Err(error) if live.is_some() && has_code(&error, 422) => {
            let parameters =
                PatchParams { field_manager: Some(NAME.to_owned()), ..PatchParams::default() };
            // The first answer tells more about what is wrong, if that does not help either.
            let replaced = api.patch(&name, &parameters, &Patch::Merge(wanted)).await;
            replaced.map_err(|_| ApplyError::of::<K>(&name, &error))?
        }
        applied => applied.map_err(|error| ApplyError::of::<K>(&name, &error))?,
    };
    let written = if live.is_some() { Written::Changed } else { Written::Created };
    let (kind, namespace) = (K::kind(&()), wanted.namespace().unwrap_or_default());
    let word = if live.is_some() { "changed" } else { "created" };
    context.board.wrote(counted::<K>(), "apply");
    tracing::info!(%kind, name, namespace, "{word}");
    Ok((written, Some(now)))
}

/// Whether some field of an object may be ours by an earlier apply.
pub fn has_applied<K: Kind>(live: &K) -> bool {
    live.managed_fields().iter().any(|own| {
        own.manager.as_deref() == Some(NAME) && own.operation.as_deref() == Some("Apply")
    })
}

/// Creates an object that must not be there yet: `None` if it is.
///
/// # Errors
/// Anything else that the API server has against it.
pub async fn create<K: Kind>(context: &Context, wanted: &K) -> Result<Option<K>, ApplyError> {
    let api: Api<K> =
        Api::namespaced(context.client.clone(), &wanted.namespace().unwrap_or_default());
    let parameters = PostParams { field_manager: Some(NAME.to_owned()), ..PostParams::default() };
    match api.create(&parameters, wanted).await {
        Ok(now) => {
            context.board.wrote(counted::<K>(), "create");
            Ok(Some(now))
        }
        // A quota or an admission says 409 as well, where nothing is there.
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(None),
        Err(error) => Err(ApplyError::of::<K>(&wanted.name_any(), &error)),
    }
}

/// What a deletion came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Removal {
    Gone,
    /// Somebody still has to do with it.
    Ends,
}

/// Deletes this very object, and not what somebody may have made in its place since it was seen.
/// With `orphan`, what belongs to it stays.
///
/// # Errors
/// What the API server has against it.
pub async fn delete<K: Kind>(
    context: &Context,
    object: &K,
    orphan: bool,
) -> Result<Removal, ApplyError> {
    let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    let api: Api<K> = Api::namespaced(context.client.clone(), &namespace);
    let policy = if orphan { PropagationPolicy::Orphan } else { PropagationPolicy::Background };
    let parameters = DeleteParams {
        propagation_policy: Some(policy),
        preconditions: Some(Preconditions { uid: object.uid(), resource_version: None }),
        ..DeleteParams::default()
    };
    match api.delete(&name, &parameters).await {
        Ok(answer) => {
            context.board.wrote(counted::<K>(), "delete");
            let is_held = |left: K| !left.finalizers().is_empty();
            Ok(if answer.left().is_some_and(is_held) { Removal::Ends } else { Removal::Gone })
        }
        Err(error) if has_code(&error, 404) => Ok(Removal::Gone),
        Err(error) => Err(ApplyError::of::<K>(&name, &error)),
    }
}
