//! One cluster whose manifest was understood: what everything else is built from.
//!
//! In: a [`Postgresql`] as it is in the API server. Out: a [`Cluster`], or the field that keeps
//! it from being one. Nothing behind this file asks again whether a manifest makes sense.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::api::spec::PostgresSpec;

/// Namespace and name: what a cluster is called everywhere in this program.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ClusterId {
    pub namespace: String,
    pub name: String,
}

impl ClusterId {
    /// Of an object that is called like its cluster. The API server has none without a name.
    pub fn of<K: kube::Resource>(object: &K) -> Option<Self> {
        let meta = object.meta();
        Some(Self { namespace: meta.namespace.clone()?, name: meta.name.clone()? })
    }
}

impl std::fmt::Display for ClusterId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A manifest that can be worked with.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    pub id: ClusterId,
    pub uid: String,
    pub generation: i64,
    /// Of the manifest itself.
    pub labels: BTreeMap<String, String>,
    /// Of the manifest itself.
    pub annotations: BTreeMap<String, String>,
    /// Of the manifest itself.
    pub owner_references: Vec<OwnerReference>,
    pub spec: PostgresSpec,
}

impl Cluster {
    /// `metadata`: of its manifest.
    pub fn new(id: ClusterId, metadata: &ObjectMeta, spec: PostgresSpec) -> Self {
        Self {
            id,
            uid: metadata.uid.clone().unwrap_or_default(),
            generation: metadata.generation.unwrap_or(0),
            labels: metadata.labels.clone().unwrap_or_default(),
            annotations: metadata.annotations.clone().unwrap_or_default(),
            owner_references: metadata.owner_references.clone().unwrap_or_default(),
            spec,
        }
    }
}
