//! A manifest that cannot be worked with, after a restart: what can be known of it all the same, so
//! that leavers are out. Pure.
//!
//! Only the team and the way to the server are taken from it. Of its roles and databases nothing is
//! known, so nothing is done to any.

use teams_sync::infrastructure::Infrastructure;
use teams_sync::role::RoleName;

use crate::api::postgresql::Postgresql;
use crate::cluster::{Cluster, ClusterId};
use crate::databases::Wanted;
use crate::roles::ManifestRoles;
use crate::validate::Accepted;

/// As much of a cluster as people need. `None`: its team cannot be read either.
pub(super) fn for_people(manifest: &Postgresql) -> Option<Accepted> {
    let mut spec = manifest.parsed().unwrap_or_default();
    // Nobody's team is no team: its members would be out.
    let raw = manifest.spec.value();
    let team = raw.get("teamId")?.as_str().filter(|team| !team.is_empty())?;
    team.clone_into(&mut spec.team_id);
    let instances = raw.get("numberOfInstances").and_then(serde_json::Value::as_i64);
    spec.number_of_instances = instances.and_then(|own| own.try_into().ok()).unwrap_or(1);
    if raw.get("standby").is_some_and(|standby| !standby.is_null()) {
        spec.standby.get_or_insert_default();
    }
    let cluster = Cluster::new(ClusterId::of(manifest)?, &manifest.metadata, spec);
    Some(Accepted { cluster, roles: ManifestRoles::default(), databases: Wanted::default() })
}

/// Nothing is known of any role but those of people, and nothing is taken from any.
pub(super) fn robots() -> Infrastructure {
    let frozen = "the manifest is refused, and only people are looked after".to_owned();
    Infrastructure { frozen: Some(frozen), ..Infrastructure::default() }
}

/// Names in the manifest that are no person's.
pub(super) fn names(manifest: &Postgresql) -> impl Iterator<Item = RoleName> {
    let spec = manifest.spec.value();
    let of = |field: &str| spec.get(field).and_then(serde_json::Value::as_object);
    let users = of("users").into_iter().flat_map(|all| all.keys().cloned());
    let owners = of("databases").into_iter().flat_map(|all| all.values());
    let owners = owners.filter_map(|owner| owner.as_str().map(str::to_owned));
    users.chain(owners).collect::<Vec<_>>().into_iter().map(RoleName::from_catalog)
}

#[cfg(test)]
mod tests;
