//! Annotations of the template arrive at pods that run: they need no restart.
//!
//! In: the template of the StatefulSet and the pods made of an older one. Out: what the API
//! server has against it. Never: an annotation of somebody else, taken away or changed for one
//! that is not in the template.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;

use crate::apply::{ensure_against, has_applied};
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::failure::ApplyError;

type Annotations = BTreeMap<String, String>;

/// Brings them in line. One that fails does not stop the others.
pub async fn run(context: &Context, config: &Config, cluster: &Cluster) -> Vec<ApplyError> {
    let set = context.caches.stateful_sets.get(&cluster.id, &cluster.id.name);
    let Some(spec) = set.as_ref().and_then(|set| set.spec.as_ref()) else { return Vec::new() };
    let template = spec.template.metadata.as_ref().and_then(|own| own.annotations.clone());
    let mut wanted: Annotations = template.unwrap_or_default();
    wanted.retain(|key, _| !config.labels.ignored_annotations.contains(key));
    let mut errors = Vec::new();
    for pod in context.caches.pods.of(&cluster.id).iter().filter(|pod| lacks(pod, &wanted)) {
        let annotated = annotated(pod, &wanted);
        match ensure_against(context, &annotated, Some(pod)).await {
            Ok((_, Some(now))) => context.caches.pods.wrote(now),
            Ok((_, None)) => {}
            Err(error) => errors.push(error),
        }
    }
    errors
}

/// Whether something is missing, or ours and not wanted any more.
fn lacks(pod: &Pod, wanted: &Annotations) -> bool {
    let is_there = |(key, value): (&String, &String)| pod.annotations().get(key) == Some(value);
    pod.metadata.deletion_timestamp.is_none() && (has_applied(pod) || !wanted.iter().all(is_there))
}

/// What is applied: it is this very pod, and nothing but annotations.
fn annotated(pod: &Pod, wanted: &Annotations) -> Pod {
    let metadata = ObjectMeta {
        name: pod.metadata.name.clone(),
        namespace: pod.metadata.namespace.clone(),
        uid: pod.metadata.uid.clone(),
        annotations: Some(wanted.clone()).filter(|all| !all.is_empty()),
        ..ObjectMeta::default()
    };
    Pod { metadata, ..Pod::default() }
}

#[cfg(test)]
mod tests;
