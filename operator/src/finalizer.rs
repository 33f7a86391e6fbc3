//! The finalizer on a manifest, where `enable_finalizers` asks for it: the API server then keeps
//! a deleted manifest until its objects are gone.

use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::api::postgresql::Postgresql;
use crate::config::Config;
use crate::context::Context;
use crate::failure::{ApplyError, has_code};
use crate::report::Finding;

const FINALIZER: &str = "postgres-operator.acid.zalan.do";

/// Puts it on, or takes it off, as configured.
pub async fn ensure(context: &Context, config: &Config, manifest: &Postgresql) -> Finding {
    let wanted = config.operation.enable_finalizers;
    match set(context, manifest, wanted).await {
        // Who deletes a manifest meanwhile is heard of by the watch, and by it alone.
        Ok(_) => Finding::done("Ready", ""),
        Err(error) => Finding::failed("FinalizerFailed", error.to_string()),
    }
}

/// Takes it off: nothing of the cluster is left that has to go. A manifest that goes with it is
/// forgotten, and its deletion is not told of again.
///
/// # Errors
/// What the API server has against it.
pub async fn remove(context: &Context, manifest: &Postgresql) -> Result<(), ApplyError> {
    if let Some(gone) = set(context, manifest, false).await? {
        context.caches.manifests.forget(&gone);
    }
    Ok(())
}

/// So often somebody else may have changed the manifest at the same moment.
const TRIES: usize = 4;

/// The manifest as it was last, if it is gone now.
async fn set(
    context: &Context,
    manifest: &Postgresql,
    wanted: bool,
) -> Result<Option<Postgresql>, ApplyError> {
    let name = manifest.name_any();
    let api: Api<Postgresql> =
        Api::namespaced(context.client.clone(), &manifest.namespace().unwrap_or_default());
    let failed = |error: &kube::Error| ApplyError::of::<Postgresql>(&name, error);
    let mut newest = manifest.clone();
    for tries_left in (0..TRIES).rev() {
        let Some(patch) = patch(&newest, wanted) else { return Ok(None) };
        match api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await {
            Ok(now) if now.metadata.deletion_timestamp.is_some() && now.finalizers().is_empty() => {
                // Nobody keeps it any more: it went with this very answer.
                return Ok(Some(now));
            }
            Ok(now) => {
                context.caches.manifests.wrote(now);
                return Ok(None);
            }
            Err(error) if has_code(&error, 404) => return Ok(Some(newest)),
            Err(error) if has_code(&error, 409) && tries_left > 0 => {
                let found = api.get_opt(&name).await.map_err(|error| failed(&error))?;
                // Another one under its name is looked at when its turn comes.
                match found.filter(|found| found.uid() == manifest.uid()) {
                    Some(found) => newest = found,
                    None => return Ok(None),
                }
            }
            Err(error) => return Err(failed(&error)),
        }
    }
    Ok(None)
}

/// The finalizers as they should be, unless they are so.
fn patch(manifest: &Postgresql, wanted: bool) -> Option<Value> {
    let mut all = manifest.finalizers().to_vec();
    let has = all.iter().any(|one| one == FINALIZER);
    // Nobody may add one to what is being deleted.
    if has == wanted || (wanted && manifest.metadata.deletion_timestamp.is_some()) {
        return None;
    }
    all.retain(|one| one != FINALIZER);
    if wanted {
        all.push(FINALIZER.to_owned());
    }
    // Others may have finalizers here, too, and a merge replaces the list.
    let version = manifest.resource_version();
    Some(json!({ "metadata": { "finalizers": all, "resourceVersion": version } }))
}
