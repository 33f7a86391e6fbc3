//! Which roles may grant a role on.
//!
//! Only added: who has the admin option from somebody else, or has it no longer in the definition,
//! keeps it.

use std::collections::BTreeSet;

use super::Plan;
use super::change::{Change, Phase, Planned};
use super::memberships::{Catalog, is_above};
use super::role::Planner;
use crate::desired::{DesiredRole, Problem};
use crate::observed::{CatalogRole, Observed};
use crate::role::{RoleName, marker};

impl Planner<'_> {
    /// Grants the role WITH ADMIN OPTION to those of its admins that have it without or not at all.
    /// An admin that cannot have it is a problem, and nothing else of the role waits for that.
    pub(super) fn grant_admins(
        &self,
        name: &RoleName,
        role: &DesiredRole,
        current: Option<&CatalogRole>,
        changes: &mut Vec<Planned>,
        plan: &mut Plan,
    ) {
        if self.style.admins_at_creation && current.is_some() {
            return;
        }
        let is_superuser =
            role.attributes.superuser || current.is_some_and(|own| own.attributes.superuser);
        for admin in role.admins.iter().filter(|admin| !self.has_admin_option(admin, name)) {
            let obstacle = if *admin == marker() {
                "that role is no more than a mark"
            } else if !self.will_exist(admin) {
                "there is no such role here; create it, or change the configuration"
            } else if self.is_leaving(admin) {
                "that role left, or is about to"
            } else if is_above(admin, name, &WithAdmins(self)) {
                "it is a member of that role, or is to be, and PostgreSQL allows no circles"
            } else if is_superuser && !self.observed.superuser {
                "it is a superuser, which only a superuser can grant; teams-sync is none here"
            } else {
                // Beside the parameters, behind all that the role itself has.
                changes.push(Planned {
                    phase: Phase::Settings,
                    role: name.clone(),
                    change: Change::GrantAdmin { admin: admin.clone(), is_superuser },
                    why: role.why.clone(),
                });
                continue;
            };
            let text = format!("{admin} cannot grant {name} on ({}): {obstacle}", role.why);
            plan.problems.insert(Problem::new(name.to_string(), text));
        }
    }

    /// Whether a membership is there because a role of ours is to be granted on by it.
    pub(super) fn is_admin_of(&self, admin: &RoleName, group: &RoleName) -> bool {
        self.desired.roles.get(group).is_some_and(|role| role.admins.contains(admin))
    }

    /// From whomever it has it.
    fn has_admin_option(&self, admin: &RoleName, group: &RoleName) -> bool {
        let current = self.observed.roles.get(admin);
        let mut rows = current.into_iter().flat_map(|own| &own.memberships);
        rows.any(|own| own.role.0 == *group && own.admin)
    }

    /// What it has is revoked at each run, and would be granted at the next; or it gets another
    /// name before.
    fn is_leaving(&self, role: &RoleName) -> bool {
        let current = self.observed.roles.get(role);
        current.is_some_and(|own| {
            own.is_managed() && (!self.is_named(role) || self.is_orphan(role, own))
        })
    }
}

/// With the memberships that admins are to get.
struct WithAdmins<'a>(&'a Planner<'a>);

impl Catalog for WithAdmins<'_> {
    fn yields(&self, role: &RoleName) -> bool {
        self.0.yields(role)
    }

    fn observed(&self) -> &Observed {
        self.0.observed
    }

    fn will_exist(&self, role: &RoleName) -> bool {
        self.0.will_exist(role)
    }

    fn parents(&self, role: &RoleName) -> BTreeSet<RoleName> {
        let mut parents = self.0.parents(role);
        let granted = self.0.desired.roles.iter().filter(|(_, own)| own.admins.contains(role));
        parents.extend(granted.map(|(name, _)| name.clone()));
        parents
    }
}
