//! A PersistentVolumeClaim, as far as its size is concerned.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimStatus};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use kube::ResourceExt;
use serde_json::Value;

use crate::build::resources::Quantity;
use crate::build::volumes::DATA;
use crate::packed;

/// A data volume of a cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim {
    pub name: String,
    /// The pod that it is for.
    pub pod: String,
    /// Whether that pod is there.
    pub is_used: bool,
    pub class: Option<String>,
    pub phase: Phase,
    /// What it asks for.
    pub asked: Option<Quantity>,
    /// What it has.
    pub there: Option<Quantity>,
    pub growth: Growth,
    /// Whether somebody else than an operator or a StatefulSet asked for as much as it asks for.
    pub is_by_hand: bool,
    /// Somebody has deleted it.
    pub ends: bool,
}

/// Whether there is a volume.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    Pending,
    Bound,
    Lost,
}

/// What the driver and the node say of its growth.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Growth {
    /// Nothing, or that they are at it.
    Quiet,
    /// The disk has grown, and the file system on it has not.
    FileSystem,
    /// Why they cannot.
    Stuck(String),
}

/// Before there was a field for it.
const OLD_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
/// What asks for a size because a manifest says so: an operator, or the controller of
/// StatefulSets.
const BY_MANIFEST: [&str; 2] = ["postgres-operator", "kube-controller-manager"];
const STORAGE: &str = "storage";

impl Claim {
    /// `pods`: the names of those that are there. `None`: it is no data volume of that cluster,
    /// whatever its labels say.
    pub fn of(
        claim: &PersistentVolumeClaim,
        cluster: &str,
        pods: &BTreeSet<String>,
    ) -> Option<Self> {
        let name = claim.name_any();
        let pod = name.strip_prefix(DATA)?.strip_prefix('-')?.to_owned();
        let ordinal = pod.strip_prefix(cluster)?.strip_prefix('-')?;
        if ordinal.is_empty() || !ordinal.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (spec, status) = (claim.spec.as_ref(), claim.status.as_ref());
        let requests = spec.and_then(|spec| spec.resources.as_ref()?.requests.as_ref());
        let size = |amount: Option<&ApiQuantity>| Quantity::parse(&amount?.0).ok();
        let class = claim.annotations().get(OLD_CLASS);
        let class = class.or(spec.and_then(|spec| spec.storage_class_name.as_ref()));
        Some(Self {
            is_used: pods.contains(&pod),
            class: class.filter(|class| !class.is_empty()).cloned(),
            phase: match status.and_then(|status| status.phase.as_deref()) {
                Some("Bound") => Phase::Bound,
                Some("Lost") => Phase::Lost,
                _ => Phase::Pending,
            },
            asked: size(requests.and_then(|all| all.get(STORAGE))),
            there: size(status.and_then(|status| status.capacity.as_ref()?.get(STORAGE))),
            growth: status.map_or(Growth::Quiet, growth),
            is_by_hand: is_by_hand(claim),
            ends: claim.metadata.deletion_timestamp.is_some(),
            name,
            pod,
        })
    }

    /// Whether it is to have more than it has.
    pub fn is_growing(&self) -> bool {
        matches!((self.asked, self.there), (Some(asked), Some(there)) if there < asked)
    }
}

/// Conditions tell more than the word of newer servers; older ones have the conditions alone.
fn growth(status: &PersistentVolumeClaimStatus) -> Growth {
    let conditions = || status.conditions.iter().flatten().filter(|own| own.status == "True");
    let find = |type_: &str| conditions().find(|own| own.type_ == type_);
    let word = status.allocated_resource_statuses.as_ref().and_then(|all| all.get(STORAGE));
    let word = word.map_or("", String::as_str);
    let error = find("ControllerResizeError").or_else(|| find("NodeResizeError"));
    if let Some(error) = error {
        let message = error.message.as_deref().filter(|text| !text.is_empty());
        return Growth::Stuck(message.unwrap_or(&error.type_).escape_debug().to_string());
    }
    if word.ends_with("Infeasible") || word.ends_with("Failed") {
        return Growth::Stuck(word.escape_debug().to_string());
    }
    let waits = find("FileSystemResizePending").is_some() || word == "NodeResizePending";
    if waits { Growth::FileSystem } else { Growth::Quiet }
}

/// Whoever has not written down what it set is nobody in particular.
fn is_by_hand(claim: &PersistentVolumeClaim) -> bool {
    let owns = |fields: &Value| {
        !fields["f:spec"]["f:resources"]["f:requests"][format!("f:{STORAGE}")].is_null()
    };
    let mut owners = claim
        .managed_fields()
        .iter()
        .filter(|own| packed::fields(own).is_some_and(|fields| owns(&fields)));
    let is_known = |manager: &str| BY_MANIFEST.contains(&manager);
    let first = owners.next();
    first.is_some_and(|first| {
        !std::iter::once(first)
            .chain(owners)
            .any(|own| own.manager.as_deref().is_some_and(is_known))
    })
}
