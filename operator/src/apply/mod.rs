//! Writing objects: server-side apply as field manager `postgres-operator`, and only where
//! something differs. What is as it should be is not written.

use std::borrow::Cow;
use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cluster::ClusterId;
use crate::context::Context;
use crate::controller::cache::Cache;
use crate::failure::{ApplyError, has_code};
use crate::leader::NAME;
use crate::packed;
use adopt::{Extent, MERGE};

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

/// Brings one object of a cluster in line, all of which is ours; its cache says how it is. One that
/// somebody else made is taken over.
///
/// # Errors
/// What the API server has against it.
pub async fn ensure<K: Kind>(
    context: &Context,
    cache: &Cache<K>,
    cluster: &ClusterId,
    wanted: &K,
) -> Result<Written, ApplyError> {
    ensure_extent(context, cache, cluster, wanted, Extent::All).await
}

/// The same, for so much of it.
///
/// # Errors
/// What the API server has against it.
pub async fn ensure_extent<K: Kind>(
    context: &Context,
    cache: &Cache<K>,
    cluster: &ClusterId,
    wanted: &K,
    extent: Extent,
) -> Result<Written, ApplyError> {
    let live = cache.get(cluster, &wanted.name_any());
    let (written, now) = match live.as_deref() {
        Some(live) => ensure_whole(context, wanted, live, extent).await?,
        None => ensure_against(context, wanted, None).await?,
    };
    if let Some(now) = now {
        cache.wrote(now);
    }
    Ok(written)
}

/// Brings an object in line that is all ours: what others than we made of it by plain updates is
/// taken over before the first apply, so that it can be removed as well. Where that is all as it
/// should be, nothing is written.
///
/// # Errors
/// What the API server has against it.
pub async fn ensure_whole<K: Kind>(
    context: &Context,
    wanted: &K,
    live: &K,
    extent: Extent,
) -> Result<(Written, Option<K>), ApplyError> {
    let mut live = Cow::Borrowed(live);
    for _ in 0..ATTEMPTS {
        let mut imagined = to_json(&*live)?;
        imagined["kind"] = K::kind(&()).into();
        let makers = adopt::makers(&imagined, &context.config().labels.cluster_name_label, NAME);
        let Some(fields) = adopt::adopted(&imagined, NAME, &makers, extent) else { break };
        imagined["metadata"]["managedFields"] = fields;
        if compare::needs_apply(&to_json(wanted)?, &imagined, NAME).is_empty() {
            return Ok((Written::Unchanged, None));
        }
        let fields = &imagined["metadata"]["managedFields"];
        let (now, is_done) = take_over(context, &*live, fields).await?;
        live = Cow::Owned(now);
        if is_done {
            let (written, now) = ensure_against(context, wanted, Some(&*live)).await?;
            return Ok((written, Some(now.unwrap_or_else(|| live.into_owned()))));
        }
    }
    ensure_against(context, wanted, Some(&*live)).await
}

/// How often somebody else may be quicker.
const ATTEMPTS: u32 = 3;

/// Writes managed fields, and nothing else; the object as it is then, and whether that was done.
async fn take_over<K: Kind>(
    context: &Context,
    live: &K,
    fields: &Value,
) -> Result<(K, bool), ApplyError> {
    let (name, namespace) = (live.name_any(), live.namespace().unwrap_or_default());
    let failed = |error: kube::Error| ApplyError::of::<K>(&name, &error);
    let api: Api<K> = Api::namespaced(context.client.clone(), &namespace);
    let version = live.resource_version();
    let patch = json!({ "metadata": { "resourceVersion": version, "managedFields": fields } });
    let parameters = PatchParams { field_manager: Some(NAME.to_owned()), ..PatchParams::default() };
    match api.patch(&name, &parameters, &Patch::Merge(&patch)).await {
        Ok(now) => {
            context.board.wrote(counted::<K>(), "adopt");
            tracing::info!(kind = %K::kind(&()), name, namespace, "taken over");
            Ok((now, true))
        }
        Err(error) if has_code(&error, 409) => Ok((api.get(&name).await.map_err(failed)?, false)),
        Err(error) => Err(failed(error)),
    }
}

/// Changes this very object, as it was seen.
///
/// # Errors
/// What the API server has against it: 409 where it is another one by now, or was changed.
pub async fn patch<K: Kind>(
    context: &Context,
    live: &K,
    mut change: Value,
) -> Result<K, kube::Error> {
    change["metadata"]["uid"] = json!(live.uid());
    change["metadata"]["resourceVersion"] = json!(live.resource_version());
    let namespace = live.namespace().unwrap_or_default();
    let api: Api<K> = Api::namespaced(context.client.clone(), &namespace);
    let parameters = PatchParams { field_manager: Some(NAME.to_owned()), ..PatchParams::default() };
    let now = api.patch(&live.name_any(), &parameters, &Patch::Merge(&change)).await?;
    context.board.wrote(counted::<K>(), "patch");
    Ok(now)
}

fn to_json<K: Kind>(object: &K) -> Result<Value, ApplyError> {
    let mut json = serde_json::to_value(object)
        .map_err(|error| ApplyError::new(&K::kind(&()), &object.name_any(), error.to_string()))?;
    packed::unpack(&mut json);
    Ok(json)
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
                PatchParams { field_manager: Some(MERGE.to_owned()), ..PatchParams::default() };
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

/// Whether an object that was never ours has everything that we want of it: then it is left alone.
pub fn has_all<K: Kind>(wanted: &K, live: &K) -> bool {
    let same = |wanted: &Value, live: &Value| compare::differences(wanted, live, None).is_empty();
    match (to_json(wanted), to_json(live)) {
        (Ok(wanted), Ok(live_json)) => !has_applied(live) && same(&wanted, &live_json),
        _ => false,
    }
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
