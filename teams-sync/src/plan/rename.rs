//! The way zalando/postgres-operator shows who left: a suffix behind the name, which goes when she
//! comes back.

use std::collections::BTreeSet;

use super::change::{Change, Phase};
use super::record::Kind;
use super::role::{Planner, kind_of};
use crate::desired::Problem;
use crate::observed::CatalogRole;
use crate::role::RoleName;

impl Planner<'_> {
    /// Whether it is a name that only those have who left.
    pub(super) fn looks_left(&self, name: &RoleName) -> bool {
        let suffix = self.style.role_deletion_suffix.as_deref();
        suffix.is_some_and(|suffix| name.as_str().ends_with(suffix))
    }

    /// The role that somebody had before she left, and which she gets again. Robots and people get
    /// nothing of each other.
    pub(super) fn renamed(&self, name: &RoleName, kind: Kind) -> Option<(RoleName, &CatalogRole)> {
        let suffix = self.style.role_deletion_suffix.as_deref()?;
        if kind != Kind::Person || self.observed.roles.contains_key(name) || self.looks_left(name) {
            return None;
        }
        let renamed = RoleName::from_catalog(format!("{}{suffix}", name.as_str()));
        if self.is_named(&renamed) {
            return None;
        }
        let role = self.observed.roles.get(&renamed)?;
        let is_ours = role.is_managed() && kind_of(role) == Kind::Person;
        let is_legacy = self.adopts(role) && !role.attributes.login;
        (is_ours || is_legacy).then_some((renamed, role))
    }

    /// Who comes back out of this role.
    pub(super) fn original(&self, renamed: &RoleName) -> Option<RoleName> {
        let suffix = self.style.role_deletion_suffix.as_deref()?;
        let name = RoleName::parse(renamed.as_str().strip_suffix(suffix)?).ok()?;
        let wanted = self.desired.roles.get(&name)?;
        if self.desired.disputed.contains_key(&name) {
            return None;
        }
        self.renamed(&name, wanted.kind).map(|_| name)
    }

    /// Whether the configuration grants it to others, who would look for it under its name.
    fn is_granted(&self, name: &RoleName) -> bool {
        // People get what is in the vocabulary, and nothing else.
        let robots = self.desired.roles.values().filter(|role| role.kind != Kind::Person);
        self.style.vocabulary.contains(name)
            || robots.into_iter().any(|role| role.memberships.contains_key(name))
    }

    pub(super) fn rename_away(
        &self,
        name: &RoleName,
        add: &mut impl FnMut(Phase, Change),
        problems: &mut BTreeSet<Problem>,
    ) {
        let Some(suffix) = &self.style.role_deletion_suffix else { return };
        if self.looks_left(name) || self.is_granted(name) {
            return;
        }
        let renamed = format!("{}{suffix}", name.as_str());
        let text = match RoleName::parse(&renamed) {
            Ok(to) if !self.observed.roles.contains_key(&to) && !self.is_named(&to) => {
                add(Phase::RenameAway, Change::Rename { to });
                return;
            }
            Ok(to) => format!("{name} is out, and keeps its name: there is a role {to} already"),
            Err(error) => {
                format!("{name} is out, and keeps its name: {renamed:?} cannot be one, {error}")
            }
        };
        problems.insert(Problem::new(name.to_string(), text));
    }
}
