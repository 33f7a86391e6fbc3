//! Desired and observed -> what to do about it. Pure, ordered, the same each time.
//!
//! Only roles with our marker are changed, and roles that the configuration itself names. A plan
//! is data: it is printed, counted and approved before the first statement.

mod admins;
mod change;
mod leave;
mod memberships;
pub mod record;
mod rename;
mod role;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::desired::{Desired, Problem, Rule, Why};
use crate::observed::{CatalogRole, Observed, Wanted};
use crate::password::Checked;
use crate::role::{RoleName, marker};

pub use change::{Change, Options, Phase, Planned};
use record::Kind;

/// How a server is planned for, apart from which roles it should have.
#[derive(Clone, Debug)]
pub struct Style {
    /// Every role that the configuration may grant.
    pub vocabulary: BTreeSet<RoleName>,
    /// Whether people lose memberships that were granted to them by hand.
    pub revoke_other_memberships: bool,
    pub role_deletion_suffix: Option<String>,
    pub pam_role: RoleName,
    /// Whether declared roles that are declared no longer are let go as they are: with their login,
    /// password and memberships, and without our mark and record. Otherwise they are locked out.
    pub keep_static: bool,
    /// Whether who may grant a role on gets that when the role is made, and never again: what an
    /// administrator takes back stays with her. Otherwise it comes back each time.
    pub admins_at_creation: bool,
    /// Roles that lose a membership where it keeps somebody from being their member: PostgreSQL
    /// allows no circles.
    pub yielding: BTreeSet<RoleName>,
    /// Whether a person whom a team names gets a role that another operator made for her: one that
    /// is in the role for people and has neither a password nor a comment. Otherwise somebody has
    /// to say so first.
    pub adopts_people: bool,
}

/// What to do on one server.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Roles that are only there to be granted.
    pub groups: Vec<Planned>,
    /// By role.
    pub roles: Vec<RolePlan>,
    pub problems: BTreeSet<Problem>,
    /// Managed roles that nothing names: no session of theirs may live.
    pub out: BTreeSet<RoleName>,
    pub population: Population,
}

/// How many there are now.
#[derive(Clone, Debug, Default)]
pub struct Population {
    /// Managed people who are in.
    pub people: usize,
    pub robots: usize,
    /// Nobody was ever managed here.
    pub first_sync: bool,
    /// Login superusers whom we do not manage.
    pub foreign_superusers: usize,
    /// Managed login superusers whom the plan does not even look at, or leaves as they are.
    pub other_superusers: usize,
    /// Teams whose source names nobody.
    pub empty_teams: BTreeSet<String>,
    pub no_robots: bool,
    /// Roles whose members can become superusers by SET ROLE.
    pub superuser_groups: BTreeSet<RoleName>,
}

impl Population {
    /// Whether somebody could be a superuser after it, who may not have been one.
    pub fn elevates(&self, change: &Change) -> bool {
        change.makes_superuser()
            || matches!(change, Change::Grant { roles }
                if roles.iter().any(|role| self.superuser_groups.contains(role)))
    }
}

/// What happens to one role.
#[derive(Clone, Debug)]
pub struct RolePlan {
    pub role: RoleName,
    pub kind: Kind,
    pub turn: Turn,
    /// Teams that she was in, that we still ask, and that do not name her any more.
    pub removed_from: BTreeSet<String>,
    /// Teams that she was in by her record; `None` where that cannot be read or names none.
    pub recorded: Option<BTreeSet<String>>,
    /// Whether she is a login superuser now.
    pub is_superuser: bool,
    /// Whether the local configuration itself would make her one.
    pub local_superuser: bool,
    pub changes: Vec<Planned>,
}

/// Where a role goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Turn {
    /// She was not in, and is now.
    Joins,
    Stays,
    /// She was in, and is out now.
    Leaves,
    /// She is out, and something of hers is cleaned up.
    Left,
}

impl RolePlan {
    /// Whether a person or robot has less after it because somebody no longer names her.
    pub fn removes(&self) -> bool {
        match self.turn {
            Turn::Leaves => true,
            Turn::Stays => {
                // Nobody knows which teams she was in: it may be because of one of them.
                let unknown = self.recorded.is_none();
                // A robot has what its definition says, whose role it ever was.
                self.kind == Kind::Person
                    && (unknown || !self.removed_from.is_empty())
                    && self.changes.iter().any(|planned| planned.change.takes())
            }
            Turn::Joins | Turn::Left => false,
        }
    }

    pub fn adds(&self) -> bool {
        self.turn == Turn::Joins && self.kind == Kind::Person
    }

    /// Whether she is a login superuser no longer.
    pub fn loses_superuser(&self) -> bool {
        use crate::role::Flag;
        self.is_superuser
            && self.changes.iter().any(|planned| {
                matches!(&planned.change, Change::SwitchOff { flags }
                    if flags.contains(&Flag::Superuser) || flags.contains(&Flag::Login))
            })
    }
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.changes().next().is_none()
    }

    /// All changes in the order in which they are made.
    pub fn changes(&self) -> impl Iterator<Item = &Planned> {
        Phase::ALL.into_iter().flat_map(move |phase| {
            let groups = self.groups.iter().filter(move |planned| planned.phase == phase);
            let roles = self.roles.iter().flat_map(|role| &role.changes);
            groups.chain(roles.filter(move |planned| planned.phase == phase))
        })
    }
}

/// What has to be looked up on a server to plan for it.
pub fn wanted(desired: &Desired, style: &Style) -> Wanted {
    let mut names: BTreeSet<RoleName> = desired.groups.keys().cloned().collect();
    let suffix = &style.role_deletion_suffix;
    names.extend(style.vocabulary.iter().cloned());
    names.extend(desired.disputed.keys().cloned());
    for (name, role) in &desired.roles {
        names.insert(name.clone());
        names.extend(role.memberships.keys().cloned());
        names.extend(role.admins.iter().cloned());
        if let Some(suffix) = suffix {
            names.insert(RoleName::from_catalog(format!("{name}{suffix}")));
        }
    }
    let members_of = BTreeSet::from([marker(), style.pam_role.clone()]);
    Wanted { names, members_of, suffix: suffix.clone() }
}

/// The plan for one server.
pub fn plan(
    desired: &Desired,
    observed: &Observed,
    style: &Style,
    checked: &Checked,
    now: Timestamp,
) -> Plan {
    let mut plan = Plan { problems: desired.problems.clone(), ..Plan::default() };
    for (name, why) in &desired.groups {
        if !observed.roles.contains_key(name) {
            plan.groups.push(Planned {
                phase: Phase::Groups,
                role: name.clone(),
                change: Change::CreateGroup,
                why: why.clone(),
            });
        }
    }
    let planner = role::Planner { desired, observed, style, checked, now };
    for name in desired.roles.keys() {
        planner.wanted(name, &mut plan);
    }
    for (name, role) in observed.managed() {
        if !planner.is_wanted(name) || planner.is_orphan(name, role) {
            planner.unwanted(name, role, &mut plan);
        }
    }
    plan.roles.sort_by(|one, other| one.role.cmp(&other.role));
    count(desired, observed, &mut plan);
    plan
}

fn count(desired: &Desired, observed: &Observed, plan: &mut Plan) {
    let population = &mut plan.population;
    population.foreign_superusers = observed.foreign_superusers as usize;
    population.empty_teams.clone_from(&desired.empty);
    population.no_robots = desired.no_robots;
    let is_person = |role: &CatalogRole| role.is_managed() && role::kind_of(role) == Kind::Person;
    let superusers = observed.roles.iter().filter(|(_, role)| role.attributes.superuser);
    let superusers = superusers.filter(|(_, role)| !is_person(role));
    population.superuser_groups = superusers.map(|(name, _)| name.clone()).collect();
    population.first_sync = true;
    // By the names that they have in the catalog.
    let losing = plan.roles.iter().filter(|role| role.loses_superuser());
    let demoted: BTreeSet<&RoleName> = losing
        .flat_map(|role| {
            let renamed = role.changes.iter().filter(|own| own.phase == Phase::RenameBack);
            renamed.map(|own| &own.role).chain([&role.role])
        })
        .collect();
    // A robot is also made of a role that was not ours before.
    let foreign = demoted
        .iter()
        .filter(|name| observed.roles.get(**name).is_some_and(|role| !role.is_managed()));
    population.foreign_superusers = population.foreign_superusers.saturating_sub(foreign.count());
    for (name, role) in observed.managed() {
        match role::kind_of(role) {
            Kind::Person => {
                population.first_sync = false;
                population.people += usize::from(role.attributes.login);
            }
            Kind::Robot | Kind::Static => population.robots += usize::from(role.attributes.login),
        }
        let superuser = role.attributes.superuser && role.attributes.login;
        population.other_superusers += usize::from(superuser && !demoted.contains(name));
    }
}

/// For a role that nothing else explains.
fn nobody(rule: Rule) -> Why {
    Why::of(rule)
}

#[cfg(test)]
pub(crate) mod tests;
