//! The metadata that all objects of a cluster share: labels, inherited annotations, owners.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::names;
use crate::api::{GROUP, VERSION};
use crate::cluster::Cluster;
use crate::config::Config;

/// Of an object called `name`, with the labels given and annotations beside the inherited ones.
pub fn meta(
    name: &str,
    cluster: &Cluster,
    config: &Config,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
) -> ObjectMeta {
    let mut all = annotations;
    all.extend(names::inherited_annotations(cluster, &config.labels));
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(cluster.id.namespace.clone()),
        labels: Some(labels),
        annotations: Some(all).filter(|all| !all.is_empty()),
        owner_references: Some(owner_references(cluster, config)).filter(|all| !all.is_empty()),
        ..ObjectMeta::default()
    }
}

/// The owners of the manifest, as owners and no more, and the manifest itself if `enable_owner_references` says so.
pub fn owner_references(cluster: &Cluster, config: &Config) -> Vec<OwnerReference> {
    let mut all = cluster.owner_references.clone();
    for owner in &mut all {
        // They control the manifest; an object has one controller at most.
        owner.controller = None;
        owner.block_owner_deletion = None;
    }
    if config.operation.enable_owner_references {
        all.push(OwnerReference {
            api_version: format!("{GROUP}/{VERSION}"),
            kind: "postgresql".to_owned(),
            name: cluster.id.name.clone(),
            uid: cluster.uid.clone(),
            controller: Some(true),
            ..OwnerReference::default()
        });
    }
    all
}
