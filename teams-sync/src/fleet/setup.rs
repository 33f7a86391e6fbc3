//! What everything begins with: a configuration that is in use, and what goes with it.

use std::path::Path;
use std::sync::Arc;

use super::engine;
use crate::config::{Config, Environment};
use crate::sync::{Engine, Server};

/// A configuration that is in use, with everything that goes with it.
#[derive(Debug)]
pub struct Setup {
    pub config: Arc<Config>,
    pub engine: Engine,
    /// Those of the configuration that are to be kept.
    pub servers: Vec<Server>,
}

impl Setup {
    /// Reads a configuration, of which only some servers are to be kept.
    ///
    /// # Errors
    /// In one sentence, as a person is to read it.
    pub fn load(
        path: &Path,
        only: &[String],
        environment: Environment<'_>,
    ) -> Result<Self, String> {
        let config = Config::load(path, environment).map_err(|error| error.to_string())?;
        Self::of(config, only)
    }

    /// The same of one that is read.
    ///
    /// # Errors
    /// A server that is not in it, or none at all.
    pub fn of(config: Config, only: &[String]) -> Result<Self, String> {
        for name in only {
            if !config.servers.iter().any(|server| server.name == *name) {
                return Err(format!("there is no server {name:?} in the configuration"));
            }
        }
        let is_wanted = |server: &&Server| only.is_empty() || only.contains(&server.name);
        let servers: Vec<_> = config.servers.iter().filter(is_wanted).cloned().collect();
        if servers.is_empty() {
            return Err("the configuration has no [[server]]".to_owned());
        }
        let engine = engine(&config).ok_or("the system has no randomness")?;
        Ok(Self { config: Arc::new(config), engine, servers })
    }
}
