//! Pods as the API server has them, as far as a rolling update looks at them.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{self as api, ContainerStatus};
use kube::ResourceExt;

use super::{Pod, Stranded, is_marked};
use crate::build::budget::CRITICAL_OPERATION;
use crate::build::containers::POSTGRES;
use crate::build::names::Role;
use crate::patroni;

/// Whether its containers run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Life {
    Runs,
    /// PostgreSQL may run, and something beside it does not.
    Partly,
    /// PostgreSQL does not run.
    Dead,
}

/// What is known of all pods of a cluster. `goes`: the lowest number that is one too many;
/// `leaving`: whose nodes are about to go, and what keeps each pod there.
pub fn pods(
    pods: &[Arc<api::Pod>],
    role_label: &str,
    goes: i32,
    leaving: &BTreeMap<String, Option<Stranded>>,
) -> Vec<Pod> {
    let seen = pods.iter().filter_map(|pod| {
        let name = pod.name_any();
        let ordinal = ordinal(&name)?;
        let role = pod.labels().get(role_label).map(String::as_str);
        let leaves = leaving.get(&name);
        Some(Pod {
            role: [Role::Master, Role::Replica].into_iter().find(|own| role == Some(own.label())),
            ready: is_ready(pod),
            life: life(pod),
            marked: is_marked(pod),
            deleting: pod.metadata.deletion_timestamp.is_some(),
            goes: ordinal >= goes,
            leaves_node: leaves.is_some(),
            stranded: leaves.copied().flatten(),
            critical: is_critical(pod),
            name,
            ordinal,
        })
    });
    seen.collect()
}

/// Whether what a pod does must not be interrupted.
fn is_critical(pod: &api::Pod) -> bool {
    let is_protected = pod.labels().get(CRITICAL_OPERATION).is_some_and(|value| value == "true");
    is_protected || patroni::bootstraps(pod)
}

/// The number at the end of a pod's name.
pub fn ordinal(pod: &str) -> Option<i32> {
    pod.rsplit_once('-')?.1.parse().ok()
}

/// Whether a pod takes connections; one that is on its way out does not.
pub fn is_ready(pod: &api::Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    pod.metadata.deletion_timestamp.is_none()
        && conditions
            .into_iter()
            .flatten()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether a pod has not begun, has ended, or has a container that does not run.
pub fn not_running(pod: &api::Pod) -> bool {
    has_no_life(pod) || containers(pod).any(is_down)
}

/// The same in three degrees.
pub fn life(pod: &api::Pod) -> Life {
    let of_postgres = |status: &&ContainerStatus| status.name == POSTGRES;
    match (not_running(pod), has_no_life(pod)) {
        (false, _) => Life::Runs,
        (true, true) => Life::Dead,
        // Where none has that name, any may be it.
        (true, false) if containers(pod).any(|one| of_postgres(&one)) => {
            match containers(pod).filter(of_postgres).any(is_down) {
                true => Life::Dead,
                false => Life::Partly,
            }
        }
        (true, false) => Life::Dead,
    }
}

fn has_no_life(pod: &api::Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    phase.is_some_and(|phase| ["Pending", "Failed", "Succeeded"].contains(&phase))
}

fn containers(pod: &api::Pod) -> impl Iterator<Item = &ContainerStatus> {
    let all = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    all.into_iter().flatten()
}

fn is_down(status: &ContainerStatus) -> bool {
    status.state.as_ref().is_some_and(|state| state.waiting.is_some() || state.terminated.is_some())
}
