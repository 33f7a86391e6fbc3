//! `teams-sync plan`: what would change.

use jiff::Timestamp;
use teams_sync::arguments::{Common, Plan};
use teams_sync::fleet;
use teams_sync::sync::Mode;

use super::output::Exit;
use super::progress::Progress;
use super::{reports, setup};

pub(crate) async fn run(common: &Common, _arguments: &Plan) -> Exit {
    let setup = match setup::load(common) {
        Ok(setup) => setup,
        Err(exit) => return exit,
    };
    let facts = setup::facts(&setup).await;
    let progress = Progress::of(setup.servers.len());
    let heard = |report: &_| progress.hear(report);
    let all = fleet::pass(&setup, &facts, &Mode::Look, Timestamp::now(), heard).await;
    progress.end();
    let exit = Exit::of_plan(&all);
    reports::print(&all, reports::Tense::Would, common.output, exit);
    exit
}
