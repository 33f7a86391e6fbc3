//! The role of the connection pooler: it logs in, and has no other rights. What it may ask for is
//! given to it in each database.

use std::collections::BTreeSet;

use teams_sync::role::{Attributes, RoleName};

use super::{ManifestRole, ManifestRoles, Origin, SecretPlace, name};
use crate::build;
use crate::cluster::Cluster;
use crate::config::Config;

/// Adds it, where a cluster has a pooler. A role of the manifest with its name stays what it is,
/// and is the pooler's.
pub(super) fn add(cluster: &Cluster, config: &Config, all: &mut ManifestRoles) {
    let Some(pooler) = build::pooler::of(&cluster.spec, config) else { return };
    // The manifest and the configuration were checked for that.
    let Ok(role) = name::role(&pooler.user) else { return };
    if name::reserved(&role, config).is_some() || all.roles.contains_key(&role) {
        return;
    }
    let made = ManifestRole {
        origin: Origin::Pooler,
        attributes: Attributes::LOGIN,
        member_of: BTreeSet::new(),
        admins: BTreeSet::new(),
        parameters: Vec::new(),
        is_database_owner: false,
        secret: Some(SecretPlace::default()),
    };
    all.roles.insert(role, made);
}

/// The role that poolers of a cluster log in with.
///
/// # Errors
/// Why they cannot, and what to do.
pub fn pooler_role(user: &str, roles: &ManifestRoles, config: &Config) -> Result<RoleName, String> {
    let role = name::role(user)?;
    let other = "set connectionPooler.user to another name";
    if let Some(reason) = name::reserved(&role, config) {
        return Err(format!("{role} cannot be the role of a pooler: {reason}; {other}"));
    }
    let made = roles.roles.get(&role);
    let secret = made.and_then(|made| made.secret.as_ref());
    let secret = secret.ok_or_else(|| {
        format!("{role} cannot be the role of a pooler: it does not log in; {other}")
    })?;
    match &secret.namespace {
        Some(namespace) => Err(format!(
            "{role} cannot be the role of a pooler: its Secret is in the namespace {namespace}; {other}"
        )),
        None => Ok(role),
    }
}
