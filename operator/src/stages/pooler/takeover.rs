//! A Deployment that somebody else made under the name of a pooler: what can be made of it. Pure.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;

use crate::adopt::held::is_taken_over;
use crate::apply::{Kind, has_applied};
use crate::build::pooler::{APPLICATION, LABEL};

/// What is to be done with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Way {
    /// It can become what it should be.
    Apply,
    /// It goes, with its pods, and another takes its place.
    MakeAnew,
    /// It is somebody else's.
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
    let is_other = selector(wanted) != selector(live) || has_strangers;
    match is_other && !has_applied(live) && !is_labelled(live, &wanted.name_any()) {
        true => Way::Refuse(SOMEBODY_ELSES.to_owned()),
        false if is_other => Way::MakeAnew,
        false => Way::Apply,
    }
}

/// Of an object whose name says nothing about whose it is.
pub(super) const SOMEBODY_ELSES: &str =
    "it is there, and is no pooler's: rename or delete it, or have no pooler here";

/// Whether an object says that it is of this pooler.
pub(super) fn is_labelled<K: Kind>(object: &K, pooler: &str) -> bool {
    let labels = object.labels();
    labels.get(APPLICATION.0).is_some_and(|value| value == APPLICATION.1)
        && labels.get(LABEL).is_some_and(|value| value == pooler)
}

fn containers(deployment: &Deployment) -> BTreeSet<&str> {
    let pod = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let of = |pod| {
        let pod: &k8s_openapi::api::core::v1::PodSpec = pod;
        pod.containers.iter().chain(pod.init_containers.iter().flatten())
    };
    pod.into_iter().flat_map(of).map(|one| one.name.as_str()).collect()
}
