//! A template that would restart pods, in a StatefulSet that another operator made or the Deployment
//! of a pooler: it is not written before somebody accepts it. Pure.
//!
//! In: the object that we want and the one that is there. Out: what would restart its pods, and
//! the object with the template left out, so that everything else of it is kept up meanwhile.
//! That it is held stands in an annotation of the object, and in whose the template is by its
//! managed fields, so that it survives us.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt;
use ring::digest::{Context, SHA256};

use crate::apply::{self, adopt, has_applied, immutable};
use crate::build::pooler::VERSION;
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::leader::NAME;
use crate::packed;
use crate::report::Finding;
use crate::restart::{self, Difference, Kind, Live};

#[cfg(test)]
mod tests;

/// On what is held: its id.
pub const HELD: &str = "acid.zalan.do/restarts-held";
/// On a manifest: the id of what somebody looked at and lets through.
pub const ACCEPT: &str = "acid.zalan.do/accept-restarts";
/// The reason of what is told of it.
pub const REASON: &str = "RestartsHeld";

/// What waits for somebody.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// `StatefulSet default/c`.
    pub object: String,
    /// The same for the same differences.
    pub id: String,
    /// All differences of the template; some of them restart pods.
    pub differences: Vec<Difference>,
    /// Fields for which the StatefulSet has to be replaced. They wait as well.
    pub replaced: Vec<String>,
}

/// What is held of a StatefulSet, whoever has accepted it: nothing where it is ours, or where no
/// pod would be restarted. `live` as it is before anything is written.
pub fn held(wanted: &StatefulSet, live: &StatefulSet, config: &Config) -> Option<Held> {
    if !is_foreign(live, config) {
        return None;
    }
    let none = PodTemplateSpec::default();
    let template = live.spec.as_ref().map_or(&none, |spec| &spec.template);
    let wanted_template = &wanted.spec.as_ref()?.template;
    let differences = restart::differences(wanted_template, Live::Template(template), config);
    if !differences.iter().any(|own| own.kind == Kind::RollsPods) {
        return None;
    }
    let json = |set: &StatefulSet| serde_json::to_value(set).unwrap_or_default();
    // Another selector is refused before anything is looked at.
    let replaced = immutable::needs_recreation(&json(wanted), &json(live)).unwrap_or_default();
    let object = named(wanted);
    Some(Held { object, id: id(&differences), differences, replaced })
}

/// The same of the Deployment of a pooler, whose controller makes its pods anew for any change of
/// the template. Where no pod of it serves, nobody is cut off, and nothing is held.
pub fn of_pooler(wanted: &Deployment, live: &Deployment, config: &Config) -> Option<Held> {
    let serves = live.status.as_ref().and_then(|status| status.available_replicas) > Some(0);
    if !is_foreign(live, config) || !(serves || live.annotations().contains_key(HELD)) {
        return None;
    }
    let (wanted_spec, spec) = (wanted.spec.as_ref()?, live.spec.as_ref()?);
    let template = Live::Template(&spec.template);
    let mut differences = restart::differences(&wanted_spec.template, template, config);
    let version = format!("annotations[{VERSION}]");
    for one in &mut differences {
        one.kind = Kind::RollsPods;
        // A list that was not written yet has no version that stays.
        if one.field == version {
            "another list of users".clone_into(&mut one.to);
        }
    }
    if wanted_spec.selector != spec.selector {
        differences.push(Difference {
            field: "selector".to_owned(),
            from: labels(&spec.selector),
            to: labels(&wanted_spec.selector),
            kind: Kind::RollsPods,
        });
    }
    let object = named(wanted);
    (!differences.is_empty()).then(|| Held {
        object,
        id: id(&differences),
        differences,
        replaced: Vec::new(),
    })
}

fn labels(selector: &LabelSelector) -> String {
    let all = selector.match_labels.iter().flatten();
    all.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

fn named<K: apply::Kind>(object: &K) -> String {
    let namespace = object.namespace().unwrap_or_default();
    format!("{} {namespace}/{}", K::kind(&()), object.name_any())
}

/// Whether the template is not ours: nothing of it was ever applied, or it was held, or whoever had
/// it before us has changed it since.
fn is_foreign<K: apply::Kind>(live: &K, config: &Config) -> bool {
    if !is_taken_over(live) {
        return true;
    }
    let mut live = serde_json::to_value(live).unwrap_or_default();
    packed::unpack(&mut live);
    let makers = adopt::makers(&live, &config.labels.cluster_name_label, NAME);
    adopt::has_template(&live, &makers)
}

/// Whether it is there to stay, and all of its template is ours: nothing is held of it.
pub fn is_ours(live: &StatefulSet, config: &Config) -> bool {
    live.metadata.deletion_timestamp.is_none() && !is_foreign(live, config)
}

/// What is held where somebody deleted the StatefulSet while its template was held, and left its
/// pods: a new one would have them made anew.
pub fn of_orphans(wanted: &StatefulSet, pods: &[Arc<Pod>], config: &Config) -> Option<Held> {
    let object = named(wanted);
    let wanted = &wanted.spec.as_ref()?.template;
    let different = |pod: &Arc<Pod>| restart::differences(wanted, Live::Pod(pod), config);
    let rolls = |all: &Vec<Difference>| all.iter().any(|own| own.kind == Kind::RollsPods);
    let differences = pods.iter().map(different).find(rolls)?;
    Some(Held { object, id: id(&differences), differences, replaced: Vec::new() })
}

/// The id in the message of a condition, with what comes before it.
pub(super) fn id_in(message: &str) -> Option<&str> {
    message.split_once("\" on the manifest").map(|(before, _)| before)
}

/// Whether the template was once ours, whatever became of it.
pub fn is_taken_over<K: apply::Kind>(live: &K) -> bool {
    has_applied(live) && !live.annotations().contains_key(HELD)
}

/// Names the differences that restart pods. Hidden values are not in it.
fn id(differences: &[Difference]) -> String {
    let mut context = Context::new(&SHA256);
    for one in differences.iter().filter(|own| own.kind == Kind::RollsPods) {
        for part in [&one.field, &one.from, &one.to] {
            context.update(part.as_bytes());
            context.update(b"\n");
        }
    }
    let hash = context.finish();
    hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

impl Held {
    /// Whether somebody has accepted just this, by the annotations of the manifest.
    pub fn is_accepted(&self, annotations: &BTreeMap<String, String>) -> bool {
        let accepted = annotations.get(ACCEPT).into_iter().flat_map(|text| text.split(','));
        accepted.map(str::trim).any(|id| id == self.id)
    }

    /// Leaves out what is held: the template as it is stays the one of whoever made it.
    pub fn keep(&self, wanted: &mut StatefulSet, live: &StatefulSet) {
        let annotations = wanted.metadata.annotations.get_or_insert_default();
        annotations.insert(HELD.to_owned(), self.id.clone());
        if let (Some(wanted), Some(live)) = (&mut wanted.spec, &live.spec) {
            wanted.template = PodTemplateSpec::default();
            wanted.selector.clone_from(&live.selector);
            wanted.service_name.clone_from(&live.service_name);
            wanted.pod_management_policy.clone_from(&live.pod_management_policy);
            wanted.volume_claim_templates.clone_from(&live.volume_claim_templates);
        }
    }

    /// The same of a Deployment.
    pub fn keep_pooler(&self, wanted: &mut Deployment, live: &Deployment) {
        let annotations = wanted.metadata.annotations.get_or_insert_default();
        annotations.insert(HELD.to_owned(), self.id.clone());
        if let (Some(wanted), Some(live)) = (&mut wanted.spec, &live.spec) {
            wanted.template = PodTemplateSpec::default();
            wanted.selector.clone_from(&live.selector);
        }
    }

    fn words(&self) -> String {
        let restarts = self.differences.iter().filter(|own| own.kind == Kind::RollsPods);
        let fields: Vec<String> = restarts.map(ToString::to_string).collect();
        let mut text = format!("{}: {}", self.object, fields.join(", "));
        if !self.replaced.is_empty() {
            text = format!("{text}; waits as well: {}", self.replaced.join(", "));
        }
        text
    }
}

/// What accepts all of these.
pub fn ids(all: &[Held]) -> String {
    let ids: BTreeSet<&str> = all.iter().map(|held| held.id.as_str()).collect();
    ids.into_iter().collect::<Vec<_>>().join(",")
}

/// For the condition. The way out comes first: the rest may be cut.
pub fn finding(all: &[Held], cluster: &ClusterId) -> Finding {
    let words: Vec<String> = all.iter().map(Held::words).collect();
    let text = format!(
        "the template of another operator stays, and no pod is restarted, until somebody runs: operator adopt --accept-restarts {cluster} (or sets the annotation {ACCEPT}: \"{}\" on the manifest). Restarts pods of {}",
        ids(all),
        words.join("; ")
    );
    Finding::partly(REASON, text)
}
