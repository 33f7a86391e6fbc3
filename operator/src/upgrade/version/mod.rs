//! Which major version a cluster is to have, and which one its pods are made for now. Pure.
//!
//! Spilo starts the version that the data has, whatever its environment says; `PGVERSION` is the
//! one that its script upgrades to. So another one restarts pods first, and changes nothing.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, EnvVar, Pod};
use serde_json::Value;

use crate::build::containers::POSTGRES;
use crate::config::Config;

/// The version that a cluster is to have: the manifest's, or in mode `full` the target, where that
/// of the manifest is too old.
pub fn wanted(own: &str, config: &Config) -> String {
    let upgrade = &config.upgrade;
    let is_too_old = upgrade.major_version_upgrade_mode == "full"
        && matches!((number(own), number(&upgrade.minimal_major_version)),
            (Some(own), Some(minimal)) if own < minimal)
        && number(&upgrade.target_major_version).is_some();
    if is_too_old { upgrade.target_major_version.clone() } else { own.to_owned() }
}

/// A major version as a number.
pub fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

/// Whether the configuration lets clusters of a team be upgraded.
pub fn is_allowed(team: &str, config: &Config) -> bool {
    let upgrade = &config.upgrade;
    upgrade.major_version_upgrade_mode != "off"
        || upgrade.major_version_upgrade_team_allow_list.contains(team)
}

/// The version that a pod was made for.
pub fn of_pod(containers: &[Container]) -> Option<u32> {
    let postgres = containers.iter().find(|one| one.name == POSTGRES)?;
    let env = postgres.env.as_deref().unwrap_or_default();
    let value = |name: &str| {
        let found = env.iter().find(|one: &&EnvVar| one.name == name)?;
        found.value.as_deref().filter(|value| !value.is_empty())
    };
    if let Some(version) = value("PGVERSION") {
        return number(version);
    }
    let configuration: Value = serde_json::from_str(value("SPILO_CONFIGURATION")?).ok()?;
    let folder = configuration["postgresql"]["bin_dir"].as_str()?;
    number(folder.strip_prefix("/usr/lib/postgresql/")?.strip_suffix("/bin")?)
}

/// The version that pods of a cluster were made for: the primary's, or else the highest.
pub fn of_pods(pods: &[Arc<Pod>], primary: Option<&Pod>) -> Option<u32> {
    let of = |pod: &Pod| of_pod(&pod.spec.as_ref()?.containers);
    primary.and_then(of).or_else(|| pods.iter().filter_map(|pod| of(pod)).max())
}

/// Why pods stay as they are made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Held {
    /// No maintenance window is open.
    Window,
    /// The server has this version, which is newer.
    Downgrade(u32),
    /// A version is taken back, and nobody knows which one the server has.
    Unknown,
    /// No script would follow, and a pod with an empty volume that is made for another version
    /// than its primary has may never start.
    NoUpgrade,
}

/// The version to make pods for. `live`: the one that they are made for now, if there are any.
/// `running`: that of the primary, where it is known. `upgrades`: whether a script would follow, or
/// there is no server yet.
pub fn for_pods(
    wanted: u32,
    live: Option<u32>,
    running: Option<u32>,
    (is_open, upgrades): (bool, bool),
) -> Result<u32, (u32, Held)> {
    let Some(live) = live.filter(|live| *live != wanted) else { return Ok(wanted) };
    match running {
        Some(running) if wanted < running => Err((live, Held::Downgrade(running))),
        None if wanted < live => Err((live, Held::Unknown)),
        _ if !upgrades && wanted > live && running != Some(wanted) => Err((live, Held::NoUpgrade)),
        _ if !is_open => Err((live, Held::Window)),
        _ => Ok(wanted),
    }
}

#[cfg(test)]
mod tests;
