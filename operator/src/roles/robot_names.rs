//! Who has a name: a user of the manifest, or an infrastructure role. Decided here for roles, for
//! Secrets and for rotation alike, or a Secret would hold a password that no role has.

use std::collections::BTreeSet;

use teams_sync::infrastructure::Infrastructure;
use teams_sync::role::RoleName;

use super::manifest::{ManifestRole, ManifestRoles, Origin};

/// Names that infrastructure roles have.
#[derive(Clone, Debug)]
pub struct RobotNames {
    names: BTreeSet<RoleName>,
    /// Whether these are all.
    are_all: bool,
}

impl RobotNames {
    /// Those that cannot be made because of a mistake have their names, too.
    pub fn of(infrastructure: &Infrastructure) -> Self {
        let made = infrastructure.roles.iter().map(|robot| &robot.name);
        let names = made.chain(&infrastructure.broken).cloned().collect();
        Self { names, are_all: infrastructure.frozen.is_none() }
    }

    /// Whether an infrastructure role has the name of this role of a manifest. One of a prepared
    /// database is stronger.
    pub fn have(&self, name: &RoleName, role: &ManifestRole) -> bool {
        role.origin != Origin::Prepared && self.names.contains(name)
    }

    /// The same, or it may be one of those that are not known now.
    pub fn may_have(&self, name: &RoleName, role: &ManifestRole) -> bool {
        role.origin != Origin::Prepared && (!self.are_all || self.names.contains(name))
    }

    /// Whether an infrastructure role is called so.
    pub fn holds(&self, name: &str) -> bool {
        self.names.iter().any(|own| own.as_str() == name)
    }

    /// What is not made because somebody else has the name.
    pub fn notes(&self, manifest: &ManifestRoles) -> Vec<String> {
        let both = manifest.roles.iter().filter(|(name, _)| self.names.contains(*name));
        let note = |(name, role): (&RoleName, &ManifestRole)| match role.origin {
            Origin::Manifest => format!(
                "the user {name} of the manifest is an infrastructure role and stays one: its Secret holds the password of that"
            ),
            Origin::Pooler => format!(
                "the pooler cannot log in as {name}: it is an infrastructure role, and stays one"
            ),
            Origin::Prepared => format!(
                "the infrastructure role {name} is not made here: a prepared database has a role with that name"
            ),
        };
        both.map(note).collect()
    }
}
