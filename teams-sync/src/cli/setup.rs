//! What every command begins with.

use std::sync::Arc;

use teams_sync::arguments::Common;
use teams_sync::config::Config;
use teams_sync::fleet::{self, Facts, Setup};
use teams_sync::teams::fetch::Limits;

use super::output::{self, Exit};

/// Reads the configuration, and says what is wrong with it.
pub(crate) fn load(common: &Common) -> Result<Arc<Setup>, Exit> {
    let environment = |name: &str| std::env::var(name).ok();
    let config =
        Config::load(&common.config, &environment).map_err(|error| usage(&error.to_string()))?;
    for warning in &config.warnings {
        output::complain(&format!("warning: {warning}"));
    }
    Setup::of(config, &common.server).map(Arc::new).map_err(|error| usage(&error))
}

pub(crate) fn usage(text: &str) -> Exit {
    output::complain(text);
    Exit::Usage
}

/// Asks for all teams.
pub(crate) async fn facts(setup: &Setup) -> Arc<Facts> {
    let facts = fleet::facts(&setup.config, &setup.servers, &Limits::default()).await;
    for warning in &facts.robots.warnings {
        output::complain(&format!("warning: {warning}"));
    }
    Arc::new(facts)
}
