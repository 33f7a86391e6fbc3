//! The function that a pooler asks, in all databases of a cluster; what came of it stays in memory
//! for the stage that tells of poolers.

use std::sync::Arc;

use teams_sync::connect::Dsn;

use crate::config::Config;
use crate::context::Context;
use crate::controller::queue::Why;
use crate::databases::pooler::{Lookup, LookupReport, sync};
use crate::databases::{Limits, Mode};
use crate::memory::Asked;
use crate::report::Finding;
use crate::stages::pooler::roles_in_use;
use crate::validate::Accepted;
use crate::{build, roles};

/// `None`: nobody asks for a pooler, or it cannot have a role.
pub fn lookup(accepted: &Accepted, config: &Config) -> Option<Lookup> {
    let pooler = build::pooler::of(&accepted.cluster.spec, config)?;
    let user = roles::pooler_role(&pooler.user, &accepted.roles, config).ok()?;
    Some(Lookup { user, schema: pooler.schema()? })
}

/// One pass over all databases.
pub(super) async fn run(
    context: &Arc<Context>,
    config: &Config,
    accepted: &Accepted,
    dsn: &Dsn,
    is_dry_run: bool,
) -> Option<LookupReport> {
    let lookup = lookup(accepted, config)?;
    let mode = if is_dry_run { Mode::Look } else { Mode::Apply };
    let spared = roles_in_use(context, config, accepted);
    let report = sync(dsn, &lookup, &spared, Limits::default(), mode).await;
    if is_dry_run {
        return Some(report);
    }
    let (id, answers) = (&accepted.cluster.id, report.error.is_none() && report.answers);
    let now = Some(Asked { lookup, finding: finding(&report), answers });
    let is_news = context.memory.with(id, |known| {
        let is_news = known.lookup != now;
        known.lookup = now;
        is_news
    });
    if is_news {
        context.objects.add(id, Why::Object);
    }
    Some(report)
}

fn finding(report: &LookupReport) -> Finding {
    match &report.error {
        Some(error) if error.is_transient() => {
            Finding::waiting("DatabasesBusy", format!("the databases are not ready: {error}"))
        }
        Some(error) => Finding::failed("LookupFailed", error.to_string()),
        None if !report.problems.is_empty() => {
            let text = super::judge::lines(&report.problems);
            Finding::partly("LookupMissing", format!("no application logs in there: {text}"))
        }
        None if !report.skipped.is_empty() => {
            let text = super::judge::lines(&report.skipped);
            Finding::done("Ready", format!("these take no connections, and are left out: {text}"))
        }
        None => Finding::done("Ready", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::finding;
    use crate::databases::SyncError;
    use crate::databases::pooler::LookupReport;
    use crate::report::Outcome;

    #[test]
    fn a_database_that_is_left_out_is_told_and_one_without_the_function_is_a_problem() {
        let all = LookupReport::default();
        assert_eq!(finding(&all).outcome, Outcome::Done);
        let left_out = LookupReport { skipped: vec!["closed".to_owned()], ..all };
        let told = finding(&left_out);
        assert_eq!(told.outcome, Outcome::Done);
        assert!(told.message.contains("closed"), "{}", told.message);
        let problems = vec!["database foo: hers".to_owned()];
        let missing = LookupReport { problems, ..LookupReport::default() };
        assert_eq!(finding(&missing).outcome, Outcome::Partly);
        let standby = Some(SyncError::Standby("10.0.0.1".to_owned()));
        let moves = LookupReport { error: standby, ..LookupReport::default() };
        assert_eq!(finding(&moves).outcome, Outcome::Waiting);
    }
}
