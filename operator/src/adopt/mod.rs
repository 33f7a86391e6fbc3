//! Clusters that another operator runs become ours without anybody noticing: no pod is restarted,
//! no Secret changed, nobody locked out. What only a person may decide waits for `operator adopt`,
//! which also says beforehand what there is.

pub mod held;
pub mod outlook;
pub mod rehearsal;
mod rehearse;

use crate::api::postgresql::Postgresql;
use crate::cluster::ClusterId;
use crate::report::{Finding, News, Outcome, Stage};
use held::Held;
pub use rehearse::{Held as Template, rehearse, template};

/// What there is to say about a takeover. A cluster of which nothing was ever held has no such
/// condition.
pub fn finding(manifest: &Postgresql, held: Option<&Held>) -> Option<Finding> {
    let cluster = ClusterId::of(manifest)?;
    if let Some(held) = held {
        return Some(held.finding(&cluster.to_string()));
    }
    let conditions = manifest.status["conditions"].as_array()?;
    let is_told = conditions.iter().any(|own| own["type"] == Stage::Takeover.condition());
    is_told.then(|| Finding::done("TakenOver", ""))
}

/// What has to be told of it: that something is held, once.
pub fn news(manifest: &Postgresql, finding: &Finding) -> Option<News> {
    let mut conditions = manifest.status["conditions"].as_array().into_iter().flatten();
    let is_known = |own: &serde_json::Value| {
        own["type"] == Stage::Takeover.condition() && own["reason"] == finding.reason
    };
    let is_new = !conditions.any(is_known);
    let is_held = finding.outcome != Outcome::Done;
    (is_new && is_held).then(|| News::warning("TakenOver", finding.message.clone()))
}
