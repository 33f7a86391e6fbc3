//! Clusters that another operator runs become ours without anybody noticing: no pod is restarted,
//! no Secret changed, nobody locked out. What only a person may decide waits for `operator adopt`,
//! which also says beforehand what there is.

pub mod held;
pub mod outlook;
pub mod rehearsal;
mod rehearse;
mod running;

use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::api::postgresql::Postgresql;
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::report::{Finding, News, Outcome, Stage, condition_of};
use held::{ACCEPT, Held};
pub use rehearse::{Held as Template, of_poolers, rehearse, template};

/// What there is to say about a takeover. A cluster of which nothing was ever held has no such
/// condition.
pub fn finding(manifest: &Postgresql, held: &[Held]) -> Option<Finding> {
    let cluster = ClusterId::of(manifest)?;
    if !held.is_empty() {
        return Some(held::finding(held, &cluster));
    }
    condition_of(manifest, Stage::Takeover)?;
    Some(Finding::done("TakenOver", ""))
}

/// What has to be told of it: that something is held, once for each thing.
pub fn news(manifest: &Postgresql, finding: &Finding) -> Option<News> {
    let known = condition_of(manifest, Stage::Takeover);
    let said = known.as_ref().and_then(|own| own["message"].as_str()).unwrap_or_default();
    let is_new = known.as_ref().is_none_or(|own| own["reason"] != finding.reason)
        || held::id_in(said) != held::id_in(&finding.message);
    let is_held = finding.outcome != Outcome::Done;
    (is_new && is_held).then(|| News::warning("TakenOver", finding.message.clone()))
}

/// What there is to say of pods. Those of a template that is held are not up to date, though
/// nothing is done to them: the newest manifest has not arrived there.
pub fn of_pods(rolled: Finding, is_held: bool) -> Finding {
    match is_held && rolled.outcome == Outcome::Done {
        true => Finding::partly(held::REASON, "what restarts pods is held, see TakenOver"),
        false => rolled,
    }
}

/// Takes the acceptance away once it has done its work: the same may be brought by another operator
/// again, and then somebody is asked again. Who puts it back, as a tool does that keeps a manifest as
/// it is elsewhere, keeps it.
pub async fn forget_acceptance(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    found: &[(Stage, Finding)],
) {
    let Some(id) = ClusterId::of(manifest) else { return };
    let Some(accepted) = manifest.annotations().get(ACCEPT) else { return };
    let is_open = |(stage, own): &(Stage, Finding)| {
        own.outcome == Outcome::Failed || *stage == Stage::Takeover && own.outcome != Outcome::Done
    };
    let set = context.caches.stateful_sets.get(&id, &id.name);
    let is_ours = set.is_some_and(|set| held::is_ours(&set, config));
    let is_back =
        context.memory.with(&id, |known| known.accepted_before.as_ref() == Some(accepted));
    if found.iter().any(is_open) || !is_ours || is_back {
        return;
    }
    let api: Api<Postgresql> = Api::namespaced(context.client.clone(), &id.namespace);
    let patch = json!({ "metadata": { "uid": manifest.uid(), "annotations": { ACCEPT: null } } });
    match api.patch(&id.name, &PatchParams::default(), &Patch::Merge(&patch)).await {
        Ok(now) => {
            context.caches.manifests.wrote(now);
            context.memory.with(&id, |known| known.accepted_before = Some(accepted.clone()));
        }
        Err(error) => {
            tracing::warn!(cluster = %id, %error, "{ACCEPT} was not taken off the manifest");
        }
    }
}

#[cfg(test)]
mod tests;
