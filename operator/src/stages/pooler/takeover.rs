//! A Deployment that somebody else made under the name of a pooler: what can be made of it. Pure.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;

use crate::adopt::held::is_taken_over;

/// What is to be done with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// It can become what it should be.
    Apply,
    /// It goes, with its pods, and another takes its place.
    MakeAnew,
    /// Somebody else would make it what it was at once.
    Refuse(String),
}

/// `uid`: of the manifest.
pub(super) fn way(wanted: &Deployment, live: &Deployment, uid: &str) -> Way {
    let owners = live.owner_references();
    let other = owners.iter().find(|owner| owner.controller == Some(true) && owner.uid != uid);
    if let Some(other) = other {
        return Way::Refuse(format!(
            "it is there, and belongs to the {} {}: delete it, or have that leave it alone",
            other.kind.escape_debug(),
            other.name.escape_debug()
        ));
    }
    let selector = |one: &Deployment| one.spec.as_ref().map(|spec| spec.selector.clone());
    // A list of a server-side apply keeps what others put into it: a container that cannot run
    // would be beside ours for ever.
    let has_strangers = !is_taken_over(live) && !containers(live).is_subset(&containers(wanted));
    match selector(wanted) != selector(live) || has_strangers {
        true => Way::MakeAnew,
        false => Way::Apply,
    }
}

fn containers(deployment: &Deployment) -> BTreeSet<&str> {
    let pod = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let of = |pod| {
        let pod: &k8s_openapi::api::core::v1::PodSpec = pod;
        pod.containers.iter().chain(pod.init_containers.iter().flatten())
    };
    pod.into_iter().flat_map(of).map(|one| one.name.as_str()).collect()
}
