//! The plan for one role.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::change::{Change, Phase, Planned};
use super::memberships::{self, Catalog};
use super::record::{Kind, Record};
use super::{Plan, RolePlan, Style, Turn, nobody};
use crate::desired::{Desired, DesiredRole, Problem, Rule, Why};
use crate::observed::{CatalogRole, Observed};
use crate::password::Checked;
use crate::role::{Attributes, Flag, Parameter, RoleName, entry_matches, entry_name, marker};

pub(super) struct Planner<'a> {
    pub(super) desired: &'a Desired,
    pub(super) observed: &'a Observed,
    pub(super) style: &'a Style,
    pub(super) checked: &'a Checked,
    pub(super) now: Timestamp,
}

/// What a managed role is there for. One without a record counts as a person: that is the kind
/// that is looked after most carefully.
pub(super) fn kind_of(role: &CatalogRole) -> Kind {
    record_of(role).map_or(Kind::Person, |record| record.kind)
}

pub(super) fn record_of(role: &CatalogRole) -> Option<Record> {
    role.comment.as_deref().and_then(Record::find)
}

impl Planner<'_> {
    /// Whether this role is to be there, under its own name or renamed, or is left alone.
    pub(super) fn is_wanted(&self, name: &RoleName) -> bool {
        self.is_named(name) || self.original(name).is_some()
    }

    pub(super) fn is_named(&self, name: &RoleName) -> bool {
        self.desired.roles.contains_key(name)
            || self.desired.disputed.contains_key(name)
            || self.desired.groups.contains_key(name)
    }

    /// Whether it is the role of a robot that is gone, and somebody has its name now: she does not
    /// get it, and it does not stay on for her.
    pub(super) fn is_orphan(&self, name: &RoleName, current: &CatalogRole) -> bool {
        let wanted = self.desired.roles.get(name);
        wanted.is_some_and(|role| role.kind == Kind::Person)
            && !self.desired.disputed.contains_key(name)
            && kind_of(current) != Kind::Person
    }

    /// A role that should be there.
    pub(super) fn wanted(&self, name: &RoleName, plan: &mut Plan) {
        let Some(role) = self.desired.roles.get(name) else { return };
        if self.desired.disputed.contains_key(name) {
            return;
        }
        if role.kind == Kind::Person && self.looks_left(name) {
            let text = format!(
                "{name} ({}) is called like somebody who left: no role of a person ends so",
                role.why
            );
            plan.problems.insert(Problem::new(name.to_string(), text));
            return;
        }
        let mut changes = Vec::new();
        let mut current = self.observed.roles.get(name);
        if let Some((renamed, role_of_renamed)) = self.renamed(name, role.kind) {
            current = Some(role_of_renamed);
            let change = Change::Rename { to: name.clone() };
            let why = role.why.clone();
            changes.push(Planned { phase: Phase::RenameBack, role: renamed, change, why });
        }
        if let Some(problem) = current.and_then(|current| self.obstacle(name, role, current)) {
            plan.problems.insert(Problem::new(name.to_string(), problem));
            return;
        }
        let record = current.and_then(record_of);
        let frozen = self.is_frozen(role.kind, current, record.as_ref());
        match current {
            None => {
                let attributes = Attributes { superuser: false, ..role.attributes };
                let change = Change::Create { attributes };
                changes.push(Planned {
                    phase: Phase::Create,
                    role: name.clone(),
                    change,
                    why: role.why.clone(),
                });
            }
            Some(current) if !frozen => {
                self.take(name, role, current, record.as_ref(), &mut changes, &mut plan.problems);
            }
            Some(_) => {}
        }
        self.give(name, role, current, record.as_ref(), frozen, &mut changes, plan);
        self.grant_admins(name, role, current, &mut changes, plan);
        if changes.is_empty() {
            return;
        }
        let was_in =
            current.is_some_and(|current| current.attributes.login && current.is_managed());
        let turn = if was_in || role.kind != Kind::Person { Turn::Stays } else { Turn::Joins };
        plan.roles.push(RolePlan {
            role: name.clone(),
            kind: role.kind,
            turn,
            removed_from: self.removed_from(record.as_ref(), &role.teams),
            recorded: known_teams(record.as_ref()),
            is_superuser: current
                .is_some_and(|own| own.attributes.superuser && own.attributes.login),
            local_superuser: role.superuser.as_ref().is_some_and(|elevation| elevation.local),
            changes,
        });
    }

    /// Why a role that exists cannot be what is wanted.
    fn obstacle(
        &self,
        name: &RoleName,
        role: &DesiredRole,
        current: &CatalogRole,
    ) -> Option<String> {
        if *name == self.observed.me.0 {
            return Some(format!(
                "{name} is the role that teams-sync itself logs in as; it is left as it is"
            ));
        }
        if current.is_bootstrap_superuser() {
            return Some(format!("{name} is the superuser that initdb made; it is left as it is"));
        }
        if role.kind == Kind::Person {
            if !current.is_managed() {
                return Some(format!(
                    "the role {name} is there and not managed by teams-sync, so it may be somebody else's; if it is hers ({}), run: teams-sync adopt",
                    role.why
                ));
            }
            if kind_of(current) != Kind::Person {
                return Some(format!(
                    "the role {name} was a robot's; a person of that name ({}) does not get it; drop or rename the role",
                    role.why
                ));
            }
            // Robots are never renamed.
            let is_renamed = !self.observed.roles.contains_key(name);
            if record_of(current).is_none() && !is_renamed && self.may_be_robot(current) {
                return Some(format!(
                    "the role {name} may be a robot's, for its comment does not say; a person of that name ({}) does not get it yet",
                    role.why
                ));
            }
        }
        if let Some(base) = &role.rotated_from
            && !self.may_be_of_rotation(current, base)
        {
            return Some(format!(
                "the role {name} is there, and no rotation of {base} made it: it is left as it is; drop or rename it"
            ));
        }
        let was_robot = || record_of(current).is_some_and(|record| record.kind == Kind::Robot);
        if role.kind == Kind::Static && self.desired.frozen_robots.is_some() && was_robot() {
            return Some(format!(
                "{name} was an infrastructure role, and may still be one: it is left as it is until all of them are known"
            ));
        }
        if !self.observed.superuser && current.attributes.superuser {
            return Some(format!("{name} is a superuser, whom only a superuser can change"));
        }
        None
    }

    /// Whether a role is one of a rotation: our record says so, or it is a member of that role and
    /// nobody's by any record, as other operators make them.
    fn may_be_of_rotation(&self, current: &CatalogRole, base: &RoleName) -> bool {
        match record_of(current) {
            Some(record) if record.kind != Kind::Static => false,
            Some(record) if record.rotated_from.is_some() => {
                record.rotated_from.as_deref() == Some(base.as_str())
                    && !current.is_member_of(&self.style.pam_role)
            }
            _ => current.is_member_of(base) && !current.is_member_of(&self.style.pam_role),
        }
    }

    /// Of a role without a record. People have no password, and one that we made and could not
    /// finish has none either.
    fn may_be_robot(&self, current: &CatalogRole) -> bool {
        self.desired.frozen_robots.is_some()
            || (current.password.is_some() && !current.is_member_of(&self.style.pam_role))
    }

    /// What a role has too much of.
    fn take(
        &self,
        name: &RoleName,
        role: &DesiredRole,
        current: &CatalogRole,
        record: Option<&Record>,
        changes: &mut Vec<Planned>,
        problems: &mut BTreeSet<Problem>,
    ) {
        let off = |flag: &Flag| current.attributes.get(*flag) && !role.attributes.get(*flag);
        let why = Why::teams(Rule::NotInItsDefinition, &role.teams);
        for change in switch_off(off) {
            changes.push(Planned {
                phase: Phase::Down,
                role: name.clone(),
                change,
                why: why.clone(),
            });
        }
        let ours = |group: &RoleName| {
            self.style.revoke_other_memberships
                || self.style.vocabulary.contains(group)
                || record.is_some_and(|record| record.roles.contains(group.as_str()))
        };
        let keep = |group: &RoleName| {
            *group == marker()
                || role.memberships.contains_key(group)
                || self.is_admin_of(name, group)
                || !ours(group)
        };
        let why = nobody(Rule::NoLongerGranted);
        changes.extend(memberships::revokes(name, current, self, keep, &why, problems));
    }

    /// What a role has too little of.
    #[allow(clippy::too_many_arguments, reason = "they are what is known of one role")]
    fn give(
        &self,
        name: &RoleName,
        role: &DesiredRole,
        current: Option<&CatalogRole>,
        record: Option<&Record>,
        frozen: bool,
        changes: &mut Vec<Planned>,
        plan: &mut Plan,
    ) {
        memberships::grants(name, current, &role.memberships, self, changes, &mut plan.problems);
        let mut up = |change, why: &Why| {
            let phase = match change {
                Change::Set { .. } | Change::Reset { .. } => Phase::Settings,
                Change::ClearPassword => Phase::Down,
                _ => Phase::Up,
            };
            changes.push(Planned { phase, role: name.clone(), change, why: why.clone() });
        };
        let settings = current.map(|current| current.settings.as_slice()).unwrap_or_default();
        let parameters = nobody(Rule::Parameters);
        for parameter in role.parameters.values() {
            if !settings.iter().any(|entry| entry_matches(entry, parameter)) {
                up(Change::Set { parameter: parameter.clone() }, &parameters);
            }
        }
        if current.is_none() {
            for parameter in self.settings_of_base(role) {
                up(Change::Set { parameter }, &role.why);
            }
        }
        for parameter in stale(settings, record, &role.parameters) {
            if !frozen {
                up(Change::Reset { parameter }, &parameters);
            }
        }
        self.password(role, name, current, record, frozen, &mut up);
        self.flags(name, role, current, &mut up, &mut plan.problems);
        let new = self.record(role, record, frozen);
        let comment = current.and_then(|current| current.comment.as_deref()).unwrap_or_default();
        // Where she belongs cannot be read, and a team that may know does not answer. Whatever was
        // noted now, the next run would take for all.
        let unsure = frozen && role.kind == Kind::Person && known_teams(record).is_none();
        if record != Some(&new) && !unsure {
            up(Change::SetComment { comment: new.in_comment(comment) }, &nobody(Rule::Record));
        }
    }

    /// Settings are not inherited: a new user of a rotation is given what the role of it has, and
    /// keeps it.
    fn settings_of_base(&self, role: &DesiredRole) -> Vec<Parameter> {
        let base = role.rotated_from.as_ref().and_then(|base| self.observed.roles.get(base));
        let settings = base.map(|base| base.settings.as_slice()).unwrap_or_default();
        let all = settings.iter().filter_map(|entry| Parameter::of_entry(entry));
        all.filter(|parameter| !role.parameters.contains_key(&parameter.name)).collect()
    }

    fn password(
        &self,
        role: &DesiredRole,
        name: &RoleName,
        current: Option<&CatalogRole>,
        record: Option<&Record>,
        frozen: bool,
        up: &mut impl FnMut(Change, &Why),
    ) {
        // One that left, or that was not finished, has none.
        let noted = record.is_some_and(|record| record.left.is_none());
        let stored = current.and_then(|current| current.password.as_deref());
        match (&role.password, stored) {
            (Some(password), Some(stored))
                if self.checked.matches(password, name.as_str(), stored) => {}
            // Whether it is right cannot be seen; `doctor` says what is missing for that.
            (Some(_), None)
                if current.is_some_and(CatalogRole::is_managed)
                    && noted
                    && !self.observed.sees_passwords => {}
            (Some(password), _) => {
                up(Change::SetPassword { password: password.clone() }, &role.why)
            }
            (None, Some(_)) if role.kind == Kind::Person && !frozen => {
                up(Change::ClearPassword, &nobody(Rule::PeopleHaveNoPassword));
            }
            // A static role may have one that somebody set by hand.
            (None, _) => {}
        }
    }

    fn flags(
        &self,
        name: &RoleName,
        role: &DesiredRole,
        current: Option<&CatalogRole>,
        up: &mut impl FnMut(Change, &Why),
        problems: &mut BTreeSet<Problem>,
    ) {
        let have = current.map_or(Attributes { superuser: false, ..role.attributes }, |current| {
            current.attributes
        });
        let missing =
            Flag::ALL.into_iter().filter(|flag| role.attributes.get(*flag) && !have.get(*flag));
        let (superuser, others): (Vec<_>, Vec<_>) =
            missing.partition(|flag| *flag == Flag::Superuser);
        if !others.is_empty() {
            up(Change::SwitchOn { flags: others }, &role.why);
        }
        if superuser.is_empty() {
            return;
        }
        let why = role.superuser.as_ref().map_or(&role.why, |elevation| &elevation.why);
        if self.observed.superuser {
            up(Change::SwitchOn { flags: superuser }, why);
        } else {
            let text = format!(
                "{name} should be a superuser ({why}), which only a superuser can make her; teams-sync is none here"
            );
            problems.insert(Problem::new(name.to_string(), text));
        }
    }

    fn record(&self, role: &DesiredRole, before: Option<&Record>, frozen: bool) -> Record {
        let mut record = Record::new(role.kind);
        record.teams.clone_from(&role.teams);
        record.roles = role.memberships.keys().map(|group| group.as_str().to_owned()).collect();
        record.parameters = role.parameters.keys().cloned().collect();
        record.rotated_from = role.rotated_from.as_ref().map(|base| base.as_str().to_owned());
        record.since = before
            .filter(|before| before.left.is_none())
            .and_then(|before| before.since)
            .or_else(|| second(self.now));
        if let (true, Some(before)) = (frozen, before) {
            // What a team without an answer once gave is still to be remembered.
            let is_unknown = |team: &&String| {
                self.desired.frozen_people.is_some() || self.desired.frozen.contains_key(*team)
            };
            record.teams.extend(before.teams.iter().filter(is_unknown).cloned());
            record.roles.extend(before.roles.iter().cloned());
            record.parameters.extend(before.parameters.iter().cloned());
        }
        record
    }

    /// Whether something that may have named this role gave no answer.
    pub(super) fn is_frozen(
        &self,
        kind: Kind,
        current: Option<&CatalogRole>,
        record: Option<&Record>,
    ) -> bool {
        if current.is_none() {
            return false;
        }
        // She was out before anybody stopped to answer.
        if record.is_some_and(|record| record.left.is_some()) {
            return false;
        }
        match (kind, record) {
            (Kind::Robot, _) => self.desired.frozen_robots.is_some(),
            (Kind::Static, _) => false,
            (Kind::Person, _) if self.desired.frozen_people.is_some() => true,
            (Kind::Person, Some(record)) if !record.teams.is_empty() => {
                record.teams.iter().any(|team| self.desired.frozen.contains_key(team))
            }
            // Nobody knows where she belongs, so she may belong to any of them; and be a robot.
            (Kind::Person, _) => {
                !self.desired.frozen.is_empty() || self.desired.frozen_robots.is_some()
            }
        }
    }

    pub(super) fn removed_from(
        &self,
        record: Option<&Record>,
        teams: &BTreeSet<String>,
    ) -> BTreeSet<String> {
        let recorded = record.map(|record| &record.teams).into_iter().flatten();
        let asked = recorded.filter(|team| self.desired.teams.contains(*team));
        asked.filter(|team| !teams.contains(*team)).cloned().collect()
    }
}

impl Catalog for Planner<'_> {
    fn yields(&self, role: &RoleName) -> bool {
        self.style.yielding.contains(role)
    }

    fn observed(&self) -> &Observed {
        self.observed
    }

    fn will_exist(&self, role: &RoleName) -> bool {
        self.observed.roles.contains_key(role)
            || self.desired.groups.contains_key(role)
            || (self.desired.roles.contains_key(role) && !self.desired.disputed.contains_key(role))
    }

    fn parents(&self, role: &RoleName) -> BTreeSet<RoleName> {
        let current = self.observed.roles.get(role);
        let current = current.into_iter().flat_map(|own| &own.memberships);
        let wanted =
            self.desired.roles.get(role).into_iter().flat_map(|own| own.memberships.keys());
        current.map(|own| &own.role.0).chain(wanted).cloned().collect()
    }
}

/// The teams that a record names, if it does.
pub(super) fn known_teams(record: Option<&Record>) -> Option<BTreeSet<String>> {
    record.map(|record| record.teams.clone()).filter(|teams| !teams.is_empty())
}

/// What only a superuser can switch is a statement of its own: it may fail, and the login may not
/// stay on for that.
pub(super) fn switch_off(off: impl Fn(&Flag) -> bool) -> impl Iterator<Item = Change> {
    let all = Flag::ALL.into_iter().filter(off);
    let (hard, easy): (Vec<_>, Vec<_>) = all.partition(|flag| flag.needs_superuser());
    [easy, hard]
        .into_iter()
        .filter(|flags| !flags.is_empty())
        .map(|flags| Change::SwitchOff { flags })
}

/// Parameters that we set once and that nothing declares any more.
fn stale(
    settings: &[String],
    record: Option<&Record>,
    declared: &BTreeMap<String, Parameter>,
) -> Vec<String> {
    let recorded = record.map(|record| &record.parameters).into_iter().flatten();
    recorded
        .filter(|name| !declared.contains_key(*name))
        .filter(|name| settings.iter().any(|entry| entry_name(entry) == **name))
        .cloned()
        .collect()
}

/// Times are noted to the second.
pub(super) fn second(time: Timestamp) -> Option<Timestamp> {
    Timestamp::from_second(time.as_second()).ok()
}
