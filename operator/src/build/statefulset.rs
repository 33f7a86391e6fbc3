//! The StatefulSet of a cluster.
//!
//! In: a cluster, the configuration, and what had to be looked up. Out: the object, and notices.
//! Its pods are never replaced by Kubernetes (`OnDelete`): who may restart a database, and when,
//! is not decided by a controller that knows nothing of primaries.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
    StatefulSetUpdateStrategy,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use regex_lite::Regex;

use super::facts::PodFacts;
use super::meta::meta;
use super::names::{self, Role};
use super::pod::{self, Notice};
use super::volumes;
use crate::api::spec::PostgresSpec;
use crate::cluster::Cluster;
use crate::config::{Config, PodManagementPolicy};

/// The object, and what the people of the cluster should know about it.
pub fn stateful_set(
    cluster: &Cluster,
    config: &Config,
    facts: &PodFacts,
) -> (StatefulSet, Vec<Notice>) {
    let (replicas, limited) = instances(cluster, config);
    let (template, mut notices) = pod::template(cluster, config, facts);
    notices.extend(limited);
    if replicas == 0 && !config.volumes.retain_when_scaled {
        let text = "there are to be no instances: the volumes are kept, although when_scaled is delete, or the database would be gone";
        notices.push(Notice::new("VolumesKept", text));
    }
    let labels = names::labels(cluster, &config.labels);
    let annotations = downscaler_annotations(cluster, config);
    let base = names::base_labels(&cluster.id.name, &config.labels);
    let spec = StatefulSetSpec {
        replicas: Some(replicas),
        selector: LabelSelector { match_labels: Some(base), ..LabelSelector::default() },
        service_name: Some(names::service(&cluster.id.name, Role::Master)),
        template,
        volume_claim_templates: Some(vec![volumes::claim(cluster, config)]),
        update_strategy: Some(StatefulSetUpdateStrategy {
            type_: Some("OnDelete".to_owned()),
            rolling_update: None,
        }),
        pod_management_policy: Some(
            match config.pods.pod_management_policy {
                PodManagementPolicy::OrderedReady => "OrderedReady",
                PodManagementPolicy::Parallel => "Parallel",
            }
            .to_owned(),
        ),
        persistent_volume_claim_retention_policy: Some(retention(config, replicas)),
        ..StatefulSetSpec::default()
    };
    let metadata = meta(&cluster.id.name, cluster, config, labels, annotations);
    (StatefulSet { metadata, spec: Some(spec), status: None }, notices)
}

/// `when_scaled: delete` is for replicas that are one too many. Where none is to be left, the volume
/// of the primary would go as well, and with it the database.
fn retention(config: &Config, replicas: i32) -> StatefulSetPersistentVolumeClaimRetentionPolicy {
    let policy = |retain| Some(if retain { "Retain" } else { "Delete" }.to_owned());
    StatefulSetPersistentVolumeClaimRetentionPolicy {
        when_deleted: policy(config.volumes.retain_when_deleted),
        when_scaled: policy(config.volumes.retain_when_scaled || replicas == 0),
    }
}

/// Annotations of the manifest that a downscaler reads on what has replicas.
pub(super) fn downscaler_annotations(
    cluster: &Cluster,
    config: &Config,
) -> BTreeMap<String, String> {
    let patterns: Vec<_> = config
        .labels
        .downscaler_annotations
        .iter()
        .filter_map(|pattern| Regex::new(pattern).ok())
        .collect();
    cluster
        .annotations
        .iter()
        .filter(|(key, _)| patterns.iter().any(|pattern| pattern.is_match(key)))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Whether a cluster follows another one: by `standby`, or by the variable that stood for it.
pub fn is_standby(spec: &PostgresSpec) -> bool {
    let archive = |name: &str| {
        let store = name.strip_prefix("STANDBY_WALE_").and_then(|it| it.strip_suffix("_PREFIX"));
        store.is_some_and(|store| ["S3", "GS", "GSC", "SWIFT"].contains(&store))
    };
    let says = |value: &Option<String>| value.as_ref().is_some_and(|value| !value.is_empty());
    spec.standby.is_some() || spec.env.iter().any(|one| archive(&one.name) && says(&one.value))
}

/// How many pods there are to be, and why it is another number than the manifest's.
pub fn instances(cluster: &Cluster, config: &Config) -> (i32, Option<Notice>) {
    let wanted = cluster.spec.number_of_instances;
    let limits = &config.operation;
    let key = limits.ignore_instance_limits_annotation_key.as_ref();
    if key.is_some_and(|key| cluster.annotations.get(key).is_some_and(|value| value == "true")) {
        return (wanted, None);
    }
    if is_standby(&cluster.spec) && wanted == 1 {
        return (1, None);
    }
    let mut granted = wanted;
    if limits.max_instances >= 0 {
        granted = granted.min(limits.max_instances);
    }
    if limits.min_instances >= 0 {
        granted = granted.max(limits.min_instances);
    }
    let notice = (granted != wanted).then(|| {
        let text = format!("{wanted} instances are asked for, the configuration grants {granted}");
        Notice::new("InstanceLimits", text)
    });
    (granted, notice)
}
