//! A pod is deleted, and its StatefulSet makes it anew.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Preconditions};
use kube::{Api, ResourceExt};

use crate::context::Context;
use crate::failure::{ApplyError, has_code};

/// Deletes this very pod, and not the one that came after it: a decision may be late. From then on
/// the cache knows that it goes, or another look could choose another pod.
pub(super) async fn remake(context: &Context, pod: &Pod) -> Result<(), ApplyError> {
    let (name, namespace) = (pod.name_any(), pod.namespace().unwrap_or_default());
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    let parameters = DeleteParams {
        preconditions: Some(Preconditions { uid: pod.uid(), resource_version: None }),
        ..DeleteParams::default()
    };
    match api.delete(&name, &parameters).await {
        Ok(answer) => {
            context.board.wrote("Pod", "delete");
            match answer.left() {
                Some(left) if left.metadata.deletion_timestamp.is_some() => {
                    context.caches.pods.wrote(left);
                }
                _ => context.caches.pods.forget(pod),
            }
            Ok(())
        }
        Err(error) if has_code(&error, 404) => {
            context.caches.pods.forget(pod);
            Ok(())
        }
        // It was made anew meanwhile, and the watch tells.
        Err(error) if has_code(&error, 409) => Ok(()),
        Err(error) => Err(ApplyError::of::<Pod>(&name, &error)),
    }
}
