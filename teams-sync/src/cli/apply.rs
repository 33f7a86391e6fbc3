//! `teams-sync apply`: everything, once.

use jiff::Timestamp;
use teams_sync::approve::Releases;
use teams_sync::arguments::{Apply, Common, Output};
use teams_sync::fleet;
use teams_sync::sync::Mode;

use super::output::{self, Exit};
use super::progress::Progress;
use super::{reports, setup};

pub(crate) async fn run(common: &Common, arguments: &Apply) -> Exit {
    if common.output == Output::Sql {
        return setup::usage("--output sql is for plan");
    }
    let setup = match setup::load(common) {
        Ok(setup) => setup,
        Err(exit) => return exit,
    };
    let facts = setup::facts(&setup).await;
    let releases =
        Releases { by_person: arguments.release.iter().cloned().collect(), ..Releases::default() };
    let mode = Mode::Apply(releases);
    let progress = Progress::of(setup.servers.len());
    let heard = |report: &_| progress.hear(report);
    let all = fleet::pass(&setup, &facts, &mode, Timestamp::now(), heard).await;
    progress.end();
    for release in &arguments.release {
        if !all.iter().any(|report| report.plan_id.as_ref() == Some(release)) {
            output::complain(&format!(
                "nothing is held as plan {release} (any more): look at what is held now before you release it"
            ));
        }
    }
    let exit = Exit::of_apply(&all);
    reports::print(&all, reports::Tense::Did, common.output, exit);
    exit
}
