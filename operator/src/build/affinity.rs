//! Where pods may run: node affinity, pod anti-affinity, tolerations.
//!
//! In: a manifest and the configuration. Out: what stands in the pod template. The spread
//! constraints of a manifest are taken as they are, without a selector of ours: the reference
//! means to add one and loses it, and adding it would restart running pods.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm,
    PodAffinityTerm, PodAntiAffinity, Toleration, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::api::spec::PostgresSpec;
use crate::config::{Config, Merge, Pods};

/// Of pods with `labels`; none if nothing asks for it.
pub fn affinity(
    spec: &PostgresSpec,
    config: &Config,
    labels: &BTreeMap<String, String>,
) -> Option<Affinity> {
    let node_affinity = node_affinity(spec.node_affinity.as_ref(), &config.pods);
    let pod_anti_affinity =
        config.pods.enable_pod_antiaffinity.then(|| apart(&config.pods, labels));
    (node_affinity.is_some() || pod_anti_affinity.is_some()).then(|| Affinity {
        node_affinity,
        pod_anti_affinity,
        ..Affinity::default()
    })
}

/// The manifest's own joined with the label that ready nodes have.
pub(super) fn node_affinity(said: Option<&NodeAffinity>, pods: &Pods) -> Option<NodeAffinity> {
    let ready: Vec<_> = pods.node_readiness_label.iter().map(requirement).collect();
    if ready.is_empty() {
        return said.cloned();
    }
    let term =
        |expressions| NodeSelectorTerm { match_expressions: Some(expressions), match_fields: None };
    let mut all = said.cloned().unwrap_or_default();
    let required = &mut all.required_during_scheduling_ignored_during_execution;
    match required {
        None => *required = Some(NodeSelector { node_selector_terms: vec![term(ready)] }),
        Some(required) => match pods.node_readiness_label_merge {
            // Fields of a manifest's term are lost here, as in pods of the reference.
            Merge::And if !required.node_selector_terms.is_empty() => {
                for own in &mut required.node_selector_terms {
                    let mut expressions = own.match_expressions.take().unwrap_or_default();
                    expressions.extend(ready.iter().cloned());
                    *own = term(expressions);
                }
            }
            Merge::Or | Merge::And => required.node_selector_terms.push(term(ready)),
        },
    }
    Some(all)
}

fn requirement((key, value): (&String, &String)) -> NodeSelectorRequirement {
    NodeSelectorRequirement {
        key: key.clone(),
        operator: "In".to_owned(),
        values: Some(vec![value.clone()]),
    }
}

fn apart(pods: &Pods, labels: &BTreeMap<String, String>) -> PodAntiAffinity {
    let pod_affinity_term = PodAffinityTerm {
        label_selector: Some(LabelSelector {
            match_labels: Some(labels.clone()),
            ..LabelSelector::default()
        }),
        topology_key: pods.pod_antiaffinity_topology_key.clone(),
        ..PodAffinityTerm::default()
    };
    if pods.pod_antiaffinity_preferred_during_scheduling {
        PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![
                WeightedPodAffinityTerm { pod_affinity_term, weight: 1 },
            ]),
            ..PodAntiAffinity::default()
        }
    } else {
        PodAntiAffinity {
            required_during_scheduling_ignored_during_execution: Some(vec![pod_affinity_term]),
            ..PodAntiAffinity::default()
        }
    }
}

/// The manifest's own, else the configured one.
pub fn tolerations(spec: &PostgresSpec, pods: &Pods) -> Option<Vec<Toleration>> {
    if !spec.tolerations.is_empty() {
        return Some(spec.tolerations.clone());
    }
    let part = |name: &str| pods.toleration.get(name).filter(|text| !text.is_empty()).cloned();
    let one = Toleration {
        key: part("key"),
        operator: part("operator"),
        value: part("value"),
        effect: part("effect"),
        toleration_seconds: None,
    };
    (one != Toleration::default()).then(|| vec![one])
}
