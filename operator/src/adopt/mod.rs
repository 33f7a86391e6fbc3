//! Clusters that another operator runs become ours without anybody noticing: no pod is restarted,
//! no Secret changed, nobody locked out. What only a person may decide waits for `operator adopt`,
//! which also says beforehand what there is.

pub mod held;
pub mod outlook;
pub mod rehearsal;
mod rehearse;

use crate::api::postgresql::Postgresql;
use crate::cluster::ClusterId;
use crate::report::{Finding, News, Outcome, Stage, condition_of};
use held::Held;
pub use rehearse::{Held as Template, of_poolers, rehearse, template};

/// What there is to say about a takeover. A cluster of which nothing was ever held has no such
/// condition.
pub fn finding(manifest: &Postgresql, held: &[Held]) -> Option<Finding> {
    let cluster = ClusterId::of(manifest)?;
    if !held.is_empty() {
        return Some(held::finding(held, &cluster));
    }
    condition_of(&manifest.status, Stage::Takeover)?;
    Some(Finding::done("TakenOver", ""))
}

/// What has to be told of it: that something is held, once.
pub fn news(manifest: &Postgresql, finding: &Finding) -> Option<News> {
    let known = condition_of(&manifest.status, Stage::Takeover);
    let is_new = known.is_none_or(|own| own["reason"] != finding.reason);
    let is_held = finding.outcome != Outcome::Done;
    (is_new && is_held).then(|| News::warning("TakenOver", finding.message.clone()))
}
