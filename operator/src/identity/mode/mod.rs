//! Whether anything is done in the databases of a cluster: what the configuration, the manifest and
//! its annotations say. Pure.

use kube::ResourceExt;
use teams_sync::approve::{PlanId, Releases};
use teams_sync::sync::Mode;

use crate::api::postgresql::Postgresql;
use crate::build::statefulset::is_standby;
use crate::cluster::Cluster;
use crate::config::Config;

/// `plan`: what would be done to the roles goes into the status, and nothing is done.
const ROLE_SYNC: &str = "acid.zalan.do/role-sync";
/// The id of a held plan that somebody looked at and lets through.
const RELEASE: &str = "acid.zalan.do/release-plan";

/// Why the databases of a cluster do not follow its Secrets now, if so: a password that is renewed
/// then is one that nobody can log in with.
pub fn why_databases_stay(
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
) -> Option<String> {
    if let Some((_, text)) = off(config, cluster) {
        return Some(text.to_owned());
    }
    match mode(manifest) {
        (Mode::Look, complaint) => Some(complaint.unwrap_or_else(|| {
            format!("the annotation {ROLE_SYNC} says that nothing is done to roles")
        })),
        (Mode::Apply(_), _) => None,
    }
}

/// Whether the databases of a cluster are nothing of ours now, so that nothing in them is waited for.
pub fn are_databases_off(config: &Config, cluster: &Cluster) -> bool {
    off(config, cluster).is_some()
}

/// Why nothing is to be done in databases, if so.
pub(super) fn off(config: &Config, cluster: &Cluster) -> Option<(&'static str, &'static str)> {
    if !config.identity.enable_database_access {
        return Some(("DatabaseAccessOff", "enable_database_access is false"));
    }
    if cluster.spec.number_of_instances == 0 {
        return Some(("NoInstances", "the cluster has no instances"));
    }
    if is_standby(&cluster.spec) {
        return Some(("Standby", "a standby cluster has the roles of its source"));
    }
    None
}

/// Whether anything may change, and what cannot be understood about it.
pub(super) fn mode(manifest: &Postgresql) -> (Mode, Option<String>) {
    match manifest.annotations().get(ROLE_SYNC).map(String::as_str) {
        Some("plan") => return (Mode::Look, None),
        None | Some("" | "apply") => {}
        Some(other) => {
            let text = format!(
                "the annotation {ROLE_SYNC} is {other:?}, and only \"plan\" is known: nothing is done until it is corrected"
            );
            return (Mode::Look, Some(text));
        }
    }
    let mut releases = Releases::default();
    let mut complaint = None;
    for id in manifest.annotations().get(RELEASE).into_iter().flat_map(|text| text.split(',')) {
        match id.trim().parse::<PlanId>() {
            Ok(id) => drop(releases.by_person.insert(id)),
            Err(error) => complaint = Some(format!("the annotation {RELEASE}: {error}")),
        }
    }
    (Mode::Apply(releases), complaint)
}

#[cfg(test)]
mod tests;
