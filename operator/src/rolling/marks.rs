//! The marks of pods that are to be made anew. They are annotations of the pods themselves, so
//! that they last as long as what they are about, and anybody may set one.
//!
//! In: a pod, and what a restart would change. Out: whether its mark is to be set or taken away.
//! Never: a mark that somebody else set, taken away.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::restart::{Difference, Kind};

/// `"true"`: the pod is to be made anew. As zalando/postgres-operator calls it.
pub const MARK: &str = "zalando-postgres-operator-rolling-update-required";
/// Beside marks of ours: what for.
pub const REASON: &str = "acid.zalan.do/rolling-update-reason";

/// So much of a reason is kept, in characters.
const LONGEST_REASON: usize = 500;

/// What is to be done with the mark of a pod.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Marking {
    Keep,
    /// With this reason.
    Set(String),
    /// It was ours, and what it was for is no more.
    Remove,
}

/// Whether a pod is to be made anew.
pub fn is_marked(pod: &Pod) -> bool {
    pod.annotations().get(MARK).is_some_and(|value| value == "true")
}

/// `differences`: between the newest template and the pod, if it is made of an older one.
pub fn marking(pod: &Pod, differences: &[Difference]) -> Marking {
    let fields = differences.iter().filter(|own| own.kind == Kind::RollsPods);
    let fields: Vec<String> = fields.map(ToString::to_string).collect();
    let is_ours = pod.annotations().contains_key(REASON);
    match (is_marked(pod), fields.is_empty()) {
        (false, false) => {
            let reason = fields.join(", ");
            Marking::Set(match reason.char_indices().nth(LONGEST_REASON) {
                None => reason,
                Some((end, _)) => format!("{} ...", reason.get(..end).unwrap_or_default()),
            })
        }
        (true, true) if is_ours => Marking::Remove,
        _ => Marking::Keep,
    }
}
