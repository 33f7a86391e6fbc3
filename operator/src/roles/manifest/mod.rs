//! The roles that a manifest asks for: those of `users`, and those of prepared databases.
//!
//! In: a cluster and the configuration. Out: each role as it should be, or the field that cannot
//! be what it says. Who is called what by whom is decided here alone: a role of a prepared
//! database is stronger than a user with its name. Infrastructure roles and people are not here.

mod name;
mod pooler;
mod prepared;
mod users;

use std::collections::{BTreeMap, BTreeSet};

use teams_sync::role::{Attributes, Parameter, RoleName};

use crate::api::postgresql::FieldError;
use crate::cluster::Cluster;
use crate::config::Config;

pub use pooler::pooler_role;

/// All of them, and what is odd about them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ManifestRoles {
    pub roles: BTreeMap<RoleName, ManifestRole>,
    /// What the manifest says and gets not, or not as it says.
    pub notes: Vec<String>,
}

/// One of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ManifestRole {
    pub origin: Origin,
    pub attributes: Attributes,
    pub member_of: BTreeSet<RoleName>,
    /// Members of this role that may grant it.
    pub admins: BTreeSet<RoleName>,
    pub parameters: Vec<Parameter>,
    pub is_database_owner: bool,
    /// `None`: it does not log in.
    pub secret: Option<SecretPlace>,
}

/// Which part of a manifest asks for a role.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Origin {
    /// `users`.
    Manifest,
    /// `preparedDatabases`.
    Prepared,
    /// `connectionPooler`, where no other has the name.
    Pooler,
}

/// Where the password of a role is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SecretPlace {
    /// `None`: that of the cluster.
    pub namespace: Option<String>,
}

impl ManifestRoles {
    /// Roles that have a Secret, and its namespace where it is not that of the cluster.
    pub fn secrets(&self) -> impl Iterator<Item = (&RoleName, Option<&str>)> {
        self.roles.iter().filter_map(|(name, role)| {
            let place = role.secret.as_ref()?;
            Some((name, place.namespace.as_deref()))
        })
    }
}

/// The roles of a manifest.
///
/// # Errors
/// The first name or flag that PostgreSQL could not have.
pub fn of_manifest(cluster: &Cluster, config: &Config) -> Result<ManifestRoles, FieldError> {
    let mut all = ManifestRoles::default();
    prepared::add(cluster, config, &mut all)?;
    users::add(cluster, config, &mut all)?;
    pooler::add(cluster, config, &mut all);
    add_owner_roles(config, &mut all);
    Ok(all)
}

/// `additional_owner_roles`: all owners of databases are members of these.
fn add_owner_roles(config: &Config, all: &mut ManifestRoles) {
    let additional = config.identity.additional_owner_roles.iter();
    // The configuration was checked for that.
    let additional: Vec<RoleName> =
        additional.filter_map(|name| RoleName::parse_group(name).ok()).collect();
    let owners = all.roles.iter_mut().filter(|(_, role)| role.is_database_owner);
    for (name, role) in owners {
        for group in additional.iter().filter(|group| *group != name) {
            if role.admins.contains(group) {
                all.notes.push(format!(
                    "the role {name} is no member of {group} of additional_owner_roles: {group} is a member of it and may grant it, and PostgreSQL allows no circles"
                ));
                continue;
            }
            role.member_of.insert(group.clone());
        }
    }
}

#[cfg(test)]
mod tests;
