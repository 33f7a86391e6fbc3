//! What would a changed template do to pods that run? The comparison before anything is touched.
//!
//! In: the template that a cluster should have, and the one that its StatefulSet has or a pod
//! that was made of an older one. Out: each difference that counts, in words, and whether it
//! restarts pods. What is compared is what zalando/postgres-operator compares, but by meaning:
//! amounts, environments and JSON that say the same are the same, and so is what the API server
//! or admission filled in. A running cluster that is taken over must give no difference here.
//! Values that may be secret are never shown.
//!
//! What only a live pod has is mostly not ours: labels and annotations, containers without our
//! variables, init containers, a default priority class, mounts of tokens. That something of
//! ours was *removed* from those shows between two templates; so compare these first.

mod facts;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Pod, PodSpec, PodTemplateSpec};

use self::facts::{Fact, Facts, Side};
use crate::config::Config;

/// What the wanted template is compared with.
#[derive(Clone, Copy, Debug)]
pub enum Live<'a> {
    /// Of the StatefulSet.
    Template(&'a PodTemplateSpec),
    /// Made of some template, and completed by admission.
    Pod(&'a Pod),
}

/// What it takes for a change to arrive.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// Pods have to be made anew.
    RollsPods,
    /// The template changes, pods stay as they are until something else restarts them.
    Template,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// `containers[postgres].env[SCOPE]`.
    pub field: String,
    /// As it is, or `(none)`, or `(hidden)`.
    pub from: String,
    /// As it should be, likewise.
    pub to: String,
    pub kind: Kind,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} -> {})", self.field, shown(&self.from), shown(&self.to))
    }
}

/// So much of a value is shown, in characters.
const LONGEST: usize = 60;

fn shown(value: &str) -> String {
    let mut shown: String = value.escape_debug().take(LONGEST).collect();
    if value.escape_debug().count() > LONGEST {
        shown.push_str(" ...");
    }
    shown
}

const NONE: &str = "(none)";
const HIDDEN: &str = "(hidden)";

/// All differences, by field: first what is of the pod, then of its containers.
pub fn differences(wanted: &PodTemplateSpec, live: Live<'_>, config: &Config) -> Vec<Difference> {
    let none = PodSpec::default();
    let (metadata, spec, is_pod) = match live {
        Live::Template(template) => (template.metadata.as_ref(), template.spec.as_ref(), false),
        Live::Pod(pod) => (Some(&pod.metadata), pod.spec.as_ref(), true),
    };
    let side = Side {
        is_pod,
        annotations: metadata.and_then(|it| it.annotations.clone()).unwrap_or_default(),
        lazy: config.operation.enable_lazy_spilo_upgrade,
        ignored: &config.labels.ignored_annotations,
    };
    let (wanted_spec, spec) = (wanted.spec.as_ref().unwrap_or(&none), spec.unwrap_or(&none));
    let mut all = Vec::new();
    let tolerated = wanted_spec.tolerations.as_deref().unwrap_or_default();
    let of_wanted = facts::of_pod(wanted.metadata.as_ref(), wanted_spec, tolerated, &side);
    let of_live = facts::of_pod(metadata, spec, tolerated, &side);
    compare("", &of_wanted, &of_live, &side, &mut all);
    for (list, wanted, live) in [
        ("containers", Some(&wanted_spec.containers), Some(&spec.containers)),
        ("initContainers", wanted_spec.init_containers.as_ref(), spec.init_containers.as_ref()),
    ] {
        let wanted = facts::of_containers(wanted, &side);
        let live = facts::of_containers(live, &side);
        compare_containers(list, &wanted, &live, &side, &mut all);
    }
    all
}

fn compare(prefix: &str, wanted: &Facts, live: &Facts, side: &Side<'_>, all: &mut Vec<Difference>) {
    let fields: BTreeSet<&String> = wanted.keys().chain(live.keys()).collect();
    for field in fields {
        let (to, from) = (wanted.get(field), live.get(field));
        let same = to.map(|fact| &fact.value) == from.map(|fact| &fact.value);
        let Some(any) = to.or(from).filter(|_| !same) else { continue };
        if to.is_none() && side.is_pod && side.may_be_filled_in(field) {
            continue;
        }
        let hidden = to.is_some_and(|it| it.hidden) || from.is_some_and(|it| it.hidden);
        let shown = |fact: Option<&Fact>| match fact {
            None => NONE.to_owned(),
            Some(_) if hidden => HIDDEN.to_owned(),
            Some(fact) => fact.value.clone(),
        };
        let field = format!("{prefix}{field}");
        all.push(Difference { field, from: shown(from), to: shown(to), kind: any.kind });
    }
}

fn compare_containers(
    list: &str,
    wanted: &BTreeMap<String, (Facts, bool)>,
    live: &BTreeMap<String, (Facts, bool)>,
    side: &Side<'_>,
    all: &mut Vec<Difference>,
) {
    let names: BTreeSet<&String> = wanted.keys().chain(live.keys()).collect();
    let image = |facts: &Facts| facts.get("image").map_or("", |it| it.value.as_str()).to_owned();
    for name in names {
        let field = format!("{list}[{name}]");
        let (from, to) = match (live.get(name), wanted.get(name)) {
            (Some((live, _)), Some((wanted, _))) => {
                compare(&format!("{field}."), wanted, live, side, all);
                continue;
            }
            // Something else put it into the pod, or it has done its work.
            (Some((_, ours)), None) if side.is_pod && (list == "initContainers" || !ours) => {
                continue;
            }
            (live, wanted) => (live.map(|it| image(&it.0)), wanted.map(|it| image(&it.0))),
        };
        let shown = |image: Option<String>| image.unwrap_or_else(|| NONE.to_owned());
        let (from, to) = (shown(from), shown(to));
        all.push(Difference { field, from, to, kind: Kind::RollsPods });
    }
}

#[cfg(test)]
mod tests;
