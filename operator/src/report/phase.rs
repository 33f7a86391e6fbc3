//! `PostgresClusterStatus`: one word for everything.

use super::{Finding, Outcome, Picture, Stage};
use crate::api::status::Phase;

/// The stages that a cluster needs to run. People are not among them: a directory that is down
/// makes no cluster fail.
const NEEDED: [Stage; 5] =
    [Stage::Resources, Stage::Secrets, Stage::Pods, Stage::Roles, Stage::Databases];

/// The next word after the one before. `is_new`: the manifest changed since that was said.
pub(super) fn phase(before: Phase, picture: &Picture, is_new: bool) -> Phase {
    let has_run = match before {
        Phase::Running | Phase::Updating | Phase::UpdateFailed | Phase::SyncFailed => true,
        Phase::Unknown | Phase::Creating | Phase::CreateFailed | Phase::Invalid => false,
    };
    if let Some(refused) = &picture.refused {
        // The reference calls a name that its team may not use so, and any other mistake a
        // failure.
        return match has_run {
            true => Phase::UpdateFailed,
            false if refused.field == "metadata.name" => Phase::Invalid,
            false => Phase::CreateFailed,
        };
    }
    // Pods of an older template serve as well; that they cannot be made anew is a failure.
    let is_stuck = |finding: &Finding| finding.outcome == Outcome::Failed;
    let is_stuck = picture.findings.get(&Stage::Template).is_some_and(is_stuck);
    let has = |outcome: Outcome| {
        NEEDED.iter().any(|stage| {
            picture.findings.get(stage).is_some_and(|finding| finding.outcome == outcome)
        })
    };
    if has(Outcome::Failed) || is_stuck {
        return match (has_run, is_new, before) {
            (false, _, _) => Phase::CreateFailed,
            (true, true, _) | (true, false, Phase::UpdateFailed | Phase::Updating) => {
                Phase::UpdateFailed
            }
            (true, false, _) => Phase::SyncFailed,
        };
    }
    // Nobody has looked at all of it yet.
    let is_open = NEEDED.iter().any(|stage| !picture.findings.contains_key(stage));
    if is_open && before != Phase::Unknown {
        return before;
    }
    if !has_run {
        return if has(Outcome::Waiting) || is_open { Phase::Creating } else { Phase::Running };
    }
    // A replica that restarts is not the cluster; PodsReady tells of it.
    let waits_for_pods_alone = NEEDED
        .iter()
        .filter(|stage| **stage != Stage::Pods)
        .all(|stage| picture.findings.get(stage).is_none_or(|f| f.outcome != Outcome::Waiting));
    match has(Outcome::Waiting) {
        false => Phase::Running,
        true if picture.has_primary && waits_for_pods_alone => Phase::Running,
        true => Phase::Updating,
    }
}
