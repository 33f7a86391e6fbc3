//! Takes over a server whose people zalando/postgres-operator, or somebody by hand, made roles
//! for. Pure: it finds, and makes a plan of marks; nobody gains or loses anything by it.
//!
//! The operator knew who left only until it was restarted. Whom it forgot is still in the PAM
//! role, can log in, and is in no team: those are found here, and so are roles that it renamed
//! when people left, also where PostgreSQL cut the new name at 63 bytes.

mod lock;
mod run;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use crate::desired::{Desired, Rule, Why};
use crate::observed::{CatalogRole, Membership, Observed, RoleNameFromCatalog};
use crate::password::Checked;
use crate::plan::record::{Kind, Record};
use crate::plan::{Change, Phase, Plan, Planned, RolePlan, Style, Turn};
use crate::role::{LONGEST_NAME, RoleName, marker};

pub use lock::lock_leavers;
pub use run::{Adopted, adopt};

/// The suffix of zalando/postgres-operator, where the configuration names none.
pub const DEFAULT_SUFFIX: &str = "_deleted";

/// What there is to adopt.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Findings {
    /// Named by a team, in the PAM role, and not marked yet.
    pub current: BTreeSet<RoleName>,
    /// In the PAM role, with login, and named by no team.
    pub forgotten: BTreeSet<RoleName>,
    /// Renamed when they left; cut short by PostgreSQL or not.
    pub renamed: BTreeSet<RoleName>,
    /// In the PAM role without login: left, under their old name.
    pub locked: BTreeSet<RoleName>,
    /// In the PAM role; whether a team names them cannot be said, because one gave no answer.
    pub unclear: BTreeSet<RoleName>,
}

impl Findings {
    /// Those who are out, or should be.
    pub fn leavers(&self) -> impl Iterator<Item = &RoleName> {
        self.forgotten.iter().chain(&self.renamed).chain(&self.locked)
    }
}

/// Looks for people. `vocabulary`: roles that the configuration grants, which are nobody's.
pub fn find(
    desired: &Desired,
    observed: &Observed,
    style: &Style,
    vocabulary: &BTreeSet<RoleName>,
) -> Findings {
    let mut found = Findings::default();
    let suffix = style.role_deletion_suffix.as_deref().unwrap_or(DEFAULT_SUFFIX);
    // Whoever may be named by something that gave no answer is nobody's to judge.
    let is_unclear = !desired.frozen.is_empty()
        || desired.frozen_people.is_some()
        || desired.frozen_robots.is_some();
    for (name, role) in &observed.roles {
        let is_person = role.is_member_of(&style.pam_role) && !role.is_managed();
        let is_ours = *name == observed.me.0
            || role.is_bootstrap_superuser()
            || style.vocabulary.contains(name)
            || vocabulary.contains(name);
        if !is_person || is_ours || desired.disputed.contains_key(name) {
            continue;
        }
        match desired.roles.get(name).map(|role| role.kind) {
            Some(Kind::Person) => found.current.insert(name.clone()),
            Some(Kind::Robot | Kind::Static) => continue,
            None if !role.attributes.login && is_renamed(name, suffix) => {
                found.renamed.insert(name.clone())
            }
            None if !role.attributes.login => found.locked.insert(name.clone()),
            None if is_unclear => found.unclear.insert(name.clone()),
            None => found.forgotten.insert(name.clone()),
        };
    }
    found
}

/// Whether a name is another one with the suffix behind it, as far as it fitted.
fn is_renamed(name: &RoleName, suffix: &str) -> bool {
    let name = name.as_str();
    if name.len() > suffix.len() && name.ends_with(suffix) {
        return true;
    }
    let cut = suffix.char_indices().map(|(end, _)| end).skip(1);
    // PostgreSQL does not cut within a character, so up to three bytes may be missing.
    name.len() + 3 >= LONGEST_NAME
        && cut.filter_map(|end| suffix.get(..end)).any(|part| name.ends_with(part))
}

/// Marks those who are current, and those who left if `with_leavers`.
pub fn plan(
    desired: &Desired,
    observed: &Observed,
    found: &Findings,
    with_leavers: bool,
    now: Timestamp,
) -> Plan {
    let mut plan = Plan::default();
    if !observed.roles.contains_key(&marker()) {
        plan.groups.push(Planned {
            phase: Phase::Groups,
            role: marker(),
            change: Change::CreateGroup,
            why: Why::of(Rule::Marker),
        });
    }
    let leavers = found.leavers().filter(|_| with_leavers);
    for name in found.current.iter().chain(leavers) {
        let Some(role) = observed.roles.get(name) else { continue };
        let teams = desired.roles.get(name).map(|role| role.teams.clone()).unwrap_or_default();
        plan.roles.push(mark(name, role, teams, found, now));
    }
    // Nobody comes or goes: the guard has nothing to hold.
    plan.population.first_sync = true;
    plan.population.foreign_superusers = 1;
    plan
}

/// The catalog as it would be with these marks: for what the passes behind them would do.
pub fn marked(observed: &Observed, marks: &Plan) -> Observed {
    let mut observed = observed.clone();
    for own in &marks.roles {
        let Some(role) = observed.roles.get_mut(&own.role) else { continue };
        role.memberships.push(Membership {
            role: RoleNameFromCatalog(marker()),
            grantor: None,
            admin: false,
            inherit: Some(false),
            set: Some(false),
        });
        for planned in &own.changes {
            if let Change::SetComment { comment } = &planned.change {
                role.comment = Some(comment.clone());
            }
        }
    }
    observed
}

/// What is done to those who are forgotten, and to nobody else: they are marked, and lose what the
/// plan of a sync takes from them. A role without login keeps what it has: it may be a group, by
/// which others have their way in. The numbers are those of all people, so that the guard can judge.
pub fn locking(
    desired: &Desired,
    observed: &Observed,
    found: &Findings,
    style: &Style,
    checked: &Checked,
    now: Timestamp,
) -> Plan {
    let leavers = &found.forgotten;
    let mut marks = plan(desired, observed, found, true, now);
    marks.roles.retain(|own| leavers.contains(&own.role));
    if leavers.is_empty() {
        return Plan::default();
    }
    let imagined = marked(observed, &marks);
    let mut locking = crate::plan::plan(desired, &imagined, style, checked, now);
    locking.roles.retain(|own| leavers.contains(&own.role));
    locking.out.retain(|name| leavers.contains(name));
    locking.groups = marks.groups;
    for mark in marks.roles {
        match locking.roles.iter_mut().find(|own| own.role == mark.role) {
            // Her note is the one of who left.
            Some(own) => {
                let is_noted =
                    own.changes.iter().any(|own| matches!(own.change, Change::SetComment { .. }));
                let is_kept =
                    |own: &Planned| !is_noted || !matches!(own.change, Change::SetComment { .. });
                own.changes.extend(mark.changes.into_iter().filter(is_kept));
            }
            None => locking.roles.push(mark),
        }
    }
    locking
}

fn mark(
    name: &RoleName,
    role: &CatalogRole,
    teams: BTreeSet<String>,
    found: &Findings,
    now: Timestamp,
) -> RolePlan {
    let why = Why::teams(Rule::Marker, &teams);
    let mut record = Record::new(Kind::Person);
    record.teams = teams;
    record.since = Timestamp::from_second(now.as_second()).ok();
    if !role.attributes.login && !found.current.contains(name) {
        record.left = record.since;
        record.since = None;
    }
    let comment = record.in_comment(role.comment.as_deref().unwrap_or_default());
    let changes = [
        (Phase::Create, Change::Grant { roles: vec![marker()] }),
        (Phase::Up, Change::SetComment { comment }),
    ];
    let planned = |(phase, change)| Planned { phase, role: name.clone(), change, why: why.clone() };
    RolePlan {
        role: name.clone(),
        kind: Kind::Person,
        turn: Turn::Stays,
        removed_from: BTreeSet::new(),
        recorded: None,
        is_superuser: role.attributes.superuser,
        local_superuser: false,
        changes: changes.into_iter().map(planned).collect(),
    }
}

#[cfg(test)]
mod tests;
