//! What every command begins with.

use std::sync::Arc;

use teams_sync::config::Config;
use teams_sync::fleet::{self, Facts};
use teams_sync::sync::{Engine, Server};
use teams_sync::teams::fetch::Limits;

use super::arguments::Common;
use super::output::{self, Exit};

pub(crate) struct Setup {
    pub(crate) config: Arc<Config>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) servers: Vec<Server>,
}

/// Reads the configuration, and says what is wrong with it.
pub(crate) fn load(common: &Common) -> Result<Setup, Exit> {
    let environment = |name: &str| std::env::var(name).ok();
    let config =
        Config::load(&common.config, &environment).map_err(|error| usage(&error.to_string()))?;
    for warning in &config.warnings {
        output::complain(&format!("warning: {warning}"));
    }
    let mut servers = config.servers.clone();
    for name in &common.server {
        if !servers.iter().any(|server| server.name == *name) {
            return Err(usage(&format!("there is no server {name:?} in the configuration")));
        }
    }
    if !common.server.is_empty() {
        servers.retain(|server| common.server.contains(&server.name));
    }
    if servers.is_empty() {
        return Err(usage("the configuration has no [[server]]"));
    }
    let engine = fleet::engine(&config).ok_or_else(|| usage("the system has no randomness"))?;
    Ok(Setup { config: Arc::new(config), engine: Arc::new(engine), servers })
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
