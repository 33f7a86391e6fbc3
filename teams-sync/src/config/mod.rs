//! The configuration: TOML in, everything checked out. What is wrong is told with line and
//! column, and nothing of it is used.

mod build;
mod file;
mod place;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::approve;
use crate::desired::HumanRules;
use crate::infrastructure::{KeyedSecret, Robot};
use crate::names::Names;
use crate::sync::Server;
use crate::teams::Source;

pub use build::Environment;

/// All of it, ready to use.
#[derive(Debug)]
pub struct Config {
    pub sources: Vec<Arc<dyn Source>>,
    pub names: Names,
    pub humans: HumanRules,
    pub infrastructure: InfrastructureConfig,
    /// `[[role]]`, without their passwords, which are read at each run.
    pub roles: Vec<(Robot, Option<PathBuf>)>,
    pub guard: approve::Limits,
    /// After how long the same held plan lets itself through, in `run`; `None` for never.
    pub confirm_for: Option<Duration>,
    pub apply: ApplyConfig,
    pub service: ServiceConfig,
    pub servers: Vec<Server>,
    /// What is accepted and should not be so.
    pub warnings: Vec<String>,
}

/// `[infrastructure]`.
#[derive(Clone, Debug, Default)]
pub struct InfrastructureConfig {
    pub roles_dir: Option<PathBuf>,
    pub definitions: Option<PathBuf>,
    pub secrets: Vec<KeyedSecret>,
}

/// `[apply]`.
#[derive(Clone, Debug)]
pub struct ApplyConfig {
    pub database: String,
    /// Servers at a time.
    pub parallel: usize,
    pub connect_timeout: Duration,
    pub lock_timeout: Duration,
    pub timeout: Duration,
}

/// `[service]`.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    pub period: Duration,
    /// Where `/healthz`, `/readyz` and `/metrics` are; `None` for nowhere.
    pub listen: Option<std::net::SocketAddr>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{path} cannot be read: {source}")]
    Read { path: String, source: std::io::Error },
    #[error("{path}:{line}:{column}: {message}")]
    At { path: String, line: usize, column: usize, message: String },
    #[error("{path}: {message}")]
    Whole { path: String, message: String },
}

/// Larger ones are a mistake.
const LARGEST: u64 = 16 * 1024 * 1024;

impl Config {
    /// Reads and checks a file. Paths in it are relative to its folder.
    pub fn load(path: &Path, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let shown = path.display().to_string();
        let failed = |source| ConfigError::Read { path: shown.clone(), source };
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if !metadata.is_file() || metadata.len() > LARGEST {
            let message = "it is no regular file of at most 16 MiB".to_owned();
            return Err(ConfigError::Whole { path: shown, message });
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::parse(&text, &shown, folder, environment)
    }

    /// The same of a text.
    pub fn parse(
        text: &str,
        name: &str,
        folder: &Path,
        environment: Environment<'_>,
    ) -> Result<Self, ConfigError> {
        let file: file::File =
            toml::from_str(text).map_err(|error| place::of_toml(text, name, &error))?;
        build::build(file, folder, environment).map_err(|fault| place::of_fault(text, name, fault))
    }
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
