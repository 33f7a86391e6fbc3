//! The data volumes of a cluster: they grow as the manifest says, and have its annotations.
//!
//! In: the claims that are there. Out: one finding, and how large the volumes of new replicas are.
//! Of a claim nothing is written but its request and annotations that a manifest passes on. Never:
//! a smaller request, a claim that is deleted, a pod that is restarted.

mod annotations;
mod classes;
mod grow;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt;

use crate::api::postgresql::Postgresql;
use crate::build::resources::Quantity;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::report::{Finding, News, Stage, condition_of};
use crate::volumes::{self, Claim, Mode, Obstacle, Obstacles, Told, Trouble};

pub use grow::Refusal;

/// How it went.
#[derive(Clone, Debug)]
pub struct Volumes {
    pub finding: Finding,
    /// How large the volumes of new replicas are; `None`: as the StatefulSet has it, until the
    /// claims were brought in line.
    pub of_new: Option<Quantity>,
    /// Whether something went wrong that another try may get right.
    pub is_to_be_tried_again: bool,
    /// Whether what is wrong may become right without anything that tells us.
    pub may_change_unseen: bool,
}

/// Brings the claims in line.
pub async fn run(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
) -> Volumes {
    let mode = Mode::of(&config.operation.storage_resize_mode);
    let Ok(wanted) = Quantity::parse(&cluster.spec.volume.size) else {
        // It was checked before.
        let text = format!("volume.size {:?} is no amount", cluster.spec.volume.size);
        return Volumes {
            finding: Finding::failed("GrowthFailed", text),
            of_new: None,
            is_to_be_tried_again: false,
            may_change_unseen: false,
        };
    };
    let mut obstacles = Obstacles::new();
    if mode != Mode::Off {
        grow::run(context, config, manifest, cluster, wanted, &mut obstacles).await;
    }
    for (name, error) in annotations::run(context, config, cluster).await {
        obstacles.insert(name, Obstacle::Failed(error.to_string()));
    }
    let claims = claims(context, cluster);
    let Told { mut finding, troubles } = volumes::told(&claims, wanted, mode, &obstacles);
    tell(context, manifest, &troubles);
    let failures = obstacles.values().filter_map(|obstacle| match obstacle {
        Obstacle::Failed(why) => Some(why.as_str()),
        _ => None,
    });
    let failures: Vec<&str> = failures.collect();
    if mode == Mode::Off && !failures.is_empty() {
        finding = Finding::failed("ApplyFailed", failures.join("; "));
    }
    Volumes {
        of_new: failures.is_empty().then(|| volumes::of_new(&claims, wanted)),
        is_to_be_tried_again: !failures.is_empty(),
        may_change_unseen: !obstacles.is_empty(),
        finding,
    }
}

/// The data volumes of a cluster, those of pods that are gone as well.
fn claims(context: &Context, cluster: &Cluster) -> Vec<Claim> {
    let id = &cluster.id;
    let pods = context.caches.pods.of(id);
    let pods: BTreeSet<String> = pods.iter().map(|pod| pod.name_any()).collect();
    let all = context.caches.claims.of(id);
    all.iter().filter_map(|claim| Claim::of(claim, &id.name, &pods)).collect()
}

/// A StatefulSet whose new pods get volumes of this size.
pub(super) fn size_of_new(
    set: &mut StatefulSet,
    live: Option<&StatefulSet>,
    size: Option<Quantity>,
) {
    const STORAGE: &str = "storage";
    fn request(
        set: &StatefulSet,
    ) -> Option<&k8s_openapi::apimachinery::pkg::api::resource::Quantity> {
        let claim = set.spec.as_ref()?.volume_claim_templates.as_ref()?.first()?;
        claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?.get(STORAGE)
    }
    let as_it_is = || live.and_then(request).cloned();
    let Some(size) = size.map(Into::into).or_else(as_it_is) else { return };
    let claims =
        set.spec.iter_mut().flat_map(|spec| spec.volume_claim_templates.iter_mut().flatten());
    for claim in claims {
        if let Some(spec) = &mut claim.spec {
            let requests = spec.resources.get_or_insert_default().requests.get_or_insert_default();
            requests.insert(STORAGE.to_owned(), size.clone());
        }
    }
}

/// What somebody has to do something about is an event, once: its words are in the status, where
/// another process finds them, too. One claim more that it is about is nothing new.
fn tell(context: &Context, manifest: &Postgresql, troubles: &[Trouble]) {
    let said = condition_of(manifest, Stage::Volumes);
    let said = said.as_ref().and_then(|own| own["message"].as_str()).unwrap_or_default();
    for trouble in troubles.iter().filter(|trouble| !said.contains(&trouble.text)) {
        context.tell(manifest, &News::warning("Volumes", trouble.to_string()));
    }
}
