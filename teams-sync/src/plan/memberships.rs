//! Which memberships a role gets and loses.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, Options, Phase, Planned};
use super::{Plan, RolePlan};
use crate::desired::{Problem, Rule, Why};
use crate::observed::{CatalogRole, Granted, Membership, Observed};
use crate::role::{RoleName, marker};

/// What is known of all the other roles.
pub(super) trait Catalog {
    fn observed(&self) -> &Observed;
    /// Whether there is such a role when memberships are granted.
    fn will_exist(&self, role: &RoleName) -> bool;
    /// What it is a member of, or is to be.
    fn parents(&self, role: &RoleName) -> BTreeSet<RoleName>;
    /// Whether a role loses what keeps others from being its members.
    fn yields(&self, role: &RoleName) -> bool;
}

/// Grants what is missing. Roles that do not exist here are a problem, not a reason to stop.
pub(super) fn grants(
    name: &RoleName,
    current: Option<&CatalogRole>,
    memberships: &BTreeMap<RoleName, Why>,
    catalog: &impl Catalog,
    changes: &mut Vec<Planned>,
    problems: &mut BTreeSet<Problem>,
) {
    let current = current.map(|role| role.memberships.as_slice()).unwrap_or_default();
    let mut add = |phase, roles: Vec<RoleName>, why: Why| {
        changes.push(Planned { phase, role: name.clone(), change: Change::Grant { roles }, why });
    };
    if !current.iter().any(|own| own.role.0 == marker()) {
        // Made and marked at once: a role that we made and do not know again is nobody's.
        add(Phase::Create, vec![marker()], Why::of(Rule::Marker));
    }
    let mut changes_before = Vec::new();
    // Those with one reason are one statement.
    let mut by_reason: BTreeMap<&Why, Vec<RoleName>> = BTreeMap::new();
    for (group, why) in memberships.iter().filter(|(group, _)| **group != marker()) {
        if current.iter().any(|own| own.role.0 == *group && is_usable(own)) {
            continue;
        }
        let mut opposite = opposite(name, group, catalog);
        let obstacle = if !opposite.is_empty() {
            changes_before.append(&mut opposite);
            by_reason.entry(why).or_default().push(group.clone());
            continue;
        } else if !catalog.will_exist(group) {
            "there is no such role here; create it, or change the configuration"
        } else if is_above(name, group, catalog) {
            "that role is a member of it, or is to be, and PostgreSQL allows no circles"
        } else {
            by_reason.entry(why).or_default().push(group.clone());
            continue;
        };
        let text = format!("{name} cannot get {group} ({why}): {obstacle}");
        problems.insert(Problem::new(name.to_string(), text));
    }
    for (why, roles) in by_reason {
        add(Phase::Up, roles, why.clone());
    }
    changes.append(&mut changes_before);
}

/// What makes a circle of a membership that is to be, if that is all and its group yields.
fn opposite(name: &RoleName, group: &RoleName, catalog: &impl Catalog) -> Vec<Planned> {
    let current = catalog.observed().roles.get(group).filter(|_| catalog.yields(group));
    let rows = current.into_iter().flat_map(|own| &own.memberships);
    let rows: Vec<_> = rows.filter(|own| own.role.0 == *name).collect();
    if rows.is_empty() || is_above(name, group, &Without { catalog, name, group }) {
        return Vec::new();
    }
    let has_grantors = catalog.observed().has_grantors();
    let revoke = |own: &Membership| Planned {
        phase: Phase::Revoke,
        role: name.clone(),
        change: Change::Revoke {
            role: name.clone(),
            member: group.clone(),
            grantor: own.grantor.as_ref().filter(|_| has_grantors).map(|own| own.0.clone()),
        },
        why: Why::of(Rule::NoLongerGranted),
    };
    // Without grantors there is one row, and one REVOKE does for all.
    rows.into_iter().map(revoke).collect()
}

/// The same without one membership.
struct Without<'a, C> {
    catalog: &'a C,
    name: &'a RoleName,
    group: &'a RoleName,
}

impl<C: Catalog> Catalog for Without<'_, C> {
    fn observed(&self) -> &Observed {
        self.catalog.observed()
    }

    fn will_exist(&self, role: &RoleName) -> bool {
        self.catalog.will_exist(role)
    }

    fn parents(&self, role: &RoleName) -> BTreeSet<RoleName> {
        let mut parents = self.catalog.parents(role);
        if role == self.group {
            parents.remove(self.name);
        }
        parents
    }

    fn yields(&self, role: &RoleName) -> bool {
        self.catalog.yields(role)
    }
}

/// Since PostgreSQL 16 a membership can be there and give nothing.
fn is_usable(own: &Membership) -> bool {
    own.inherit != Some(false) && own.set != Some(false)
}

/// Whether a group has a role among what it is a member of, over any number of steps.
pub(super) fn is_above(role: &RoleName, group: &RoleName, catalog: &impl Catalog) -> bool {
    let mut open = vec![group.clone()];
    let mut seen = BTreeSet::new();
    while let Some(next) = open.pop() {
        if next == *role {
            return true;
        }
        if seen.insert(next.clone()) {
            open.extend(catalog.parents(&next));
        }
    }
    false
}

/// Revokes what `keep` does not want, row by row: a plain REVOKE of PostgreSQL 16 touches only
/// what we granted ourselves, and of anything else says no more than a warning.
pub(super) fn revokes(
    name: &RoleName,
    current: &CatalogRole,
    catalog: &impl Catalog,
    keep: impl Fn(&RoleName) -> bool,
    why: &Why,
    problems: &mut BTreeSet<Problem>,
) -> Vec<Planned> {
    let observed = catalog.observed();
    let mut changes = Vec::new();
    let mut add = |change| {
        let why = why.clone();
        changes.push(Planned { phase: Phase::Revoke, role: name.clone(), change, why });
    };
    let mut kept = BTreeSet::new();
    if observed.has_grantors() {
        // What she granted to others hangs on her own membership. Theirs is not hers to take
        // along, so they get it from us first.
        let is_admin = |group: &RoleName| {
            current.memberships.iter().any(|own| own.role.0 == *group && own.admin)
        };
        let lost = |granted: &&Granted| !keep(&granted.role.0) && is_admin(&granted.role.0);
        for granted in current.granted.iter().filter(lost) {
            let (role, member) = (granted.role.0.clone(), granted.member.0.clone());
            if member == observed.me.0 {
                let text = format!(
                    "{name} keeps {role}: teams-sync itself has it from there; grant it to {member} from somebody else"
                );
                problems.insert(Problem::new(name.to_string(), text));
                kept.insert(role);
                continue;
            }
            let options = options_of(granted, observed);
            add(Change::Regrant { role: role.clone(), member: member.clone(), options });
            add(Change::Revoke { role, member, grantor: Some(name.clone()) });
        }
    }
    for own in &current.memberships {
        let role = &own.role.0;
        if keep(role) || kept.contains(role) {
            continue;
        }
        let grantor = own.grantor.as_ref().filter(|_| observed.has_grantors());
        let grantor = grantor.map(|grantor| grantor.0.clone());
        add(Change::Revoke { role: role.clone(), member: name.clone(), grantor });
    }
    changes
}

/// All that a member can do with what she was granted, so that a row that we granted before does
/// not become less.
fn options_of(granted: &Granted, observed: &Observed) -> Options {
    let member = observed.roles.get(&granted.member.0);
    let rows = member.into_iter().flat_map(|member| &member.memberships);
    let same = rows.filter(|own| own.role == granted.role);
    let start = Options {
        admin: granted.admin,
        inherit: granted.inherit.unwrap_or(true),
        set: granted.set.unwrap_or(true),
    };
    same.fold(start, |options, own| Options {
        inherit: options.inherit || own.inherit.unwrap_or(true),
        set: options.set || own.set.unwrap_or(true),
        ..options
    })
}

impl Plan {
    /// Brings together what several roles have planned about one membership, as soon as it is
    /// known which of them are done. Each plan of a role is complete by itself, for any of the
    /// others may be held: who granted something and who has it both revoke it, and whoever loses
    /// it herself is not to get it from us.
    pub(crate) fn settle(&mut self) {
        self.follow_renames();
        let losing: BTreeSet<(RoleName, RoleName)> = self
            .roles
            .iter()
            .flat_map(|own| own.changes.iter().map(move |planned| (&own.role, &planned.change)))
            .filter_map(|(own, change)| match change {
                Change::Revoke { role, member, .. } if member == own => {
                    Some((role.clone(), member.clone()))
                }
                _ => None,
            })
            .collect();
        self.dependents_first(&losing);
        let mut done = BTreeSet::new();
        for own in &mut self.roles {
            own.changes.retain(|planned| match &planned.change {
                Change::Regrant { role, member, .. } => {
                    !losing.contains(&(role.clone(), member.clone()))
                }
                Change::Revoke { role, member, grantor: Some(grantor) } => {
                    done.insert((role.clone(), member.clone(), grantor.clone()))
                }
                _ => true,
            });
        }
    }

    /// Whoever comes back has her own name again by the time when memberships are revoked.
    fn follow_renames(&mut self) {
        let all = self.roles.iter().flat_map(|own| &own.changes);
        let back: BTreeMap<RoleName, RoleName> = all
            .filter(|planned| planned.phase == Phase::RenameBack)
            .filter_map(|planned| match &planned.change {
                Change::Rename { to } => Some((planned.role.clone(), to.clone())),
                _ => None,
            })
            .collect();
        let follow = |name: &mut RoleName| {
            if let Some(to) = back.get(name) {
                name.clone_from(to);
            }
        };
        for planned in self.roles.iter_mut().flat_map(|own| &mut own.changes) {
            match &mut planned.change {
                Change::Regrant { role, member, .. } => [role, member].into_iter().for_each(follow),
                Change::Revoke { role, member, grantor } => {
                    [role, member].into_iter().chain(grantor).for_each(follow);
                }
                _ => {}
            }
        }
    }

    /// Whoever has something from somebody else and loses it comes before her: PostgreSQL does not
    /// take from a role what another one still has from it.
    fn dependents_first(&mut self, losing: &BTreeSet<(RoleName, RoleName)>) {
        let place: BTreeMap<&RoleName, usize> =
            self.roles.iter().enumerate().map(|(at, own)| (&own.role, at)).collect();
        let dependents = |own: &RolePlan| -> Vec<usize> {
            let changes = own.changes.iter().filter_map(|planned| match &planned.change {
                Change::Regrant { role, member, .. } => {
                    let loses = losing.contains(&(role.clone(), member.clone()));
                    place.get(member).copied().filter(|_| loses)
                }
                _ => None,
            });
            changes.collect()
        };
        let before: Vec<Vec<usize>> = self.roles.iter().map(dependents).collect();
        let mut order = Vec::new();
        let mut seen = BTreeSet::new();
        for start in 0..before.len() {
            let mut open = vec![(start, false)];
            while let Some((at, is_done)) = open.pop() {
                if is_done {
                    order.push(at);
                } else if seen.insert(at) {
                    open.push((at, true));
                    let dependents = before.get(at).into_iter().flatten();
                    open.extend(dependents.map(|dependent| (*dependent, false)));
                }
            }
        }
        let mut roles: Vec<_> = std::mem::take(&mut self.roles).into_iter().map(Some).collect();
        self.roles =
            order.into_iter().filter_map(|at| roles.get_mut(at).and_then(Option::take)).collect();
    }
}
