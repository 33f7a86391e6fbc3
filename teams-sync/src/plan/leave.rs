//! The plan for one managed role that nothing names any more.

use std::collections::BTreeSet;

use super::change::{Change, Phase, Planned};
use super::memberships;
use super::record::{Kind, Record};
use super::role::{Planner, kind_of, known_teams, record_of, second, switch_off};
use super::{Plan, RolePlan, Turn};
use crate::desired::{Problem, Rule, Why};
use crate::observed::CatalogRole;
use crate::role::{Flag, RoleName, marker};

impl Planner<'_> {
    /// It loses its login, its password and its memberships, or is let go.
    pub(super) fn unwanted(&self, name: &RoleName, current: &CatalogRole, plan: &mut Plan) {
        let record = record_of(current);
        let kind = kind_of(current);
        if *name == self.observed.me.0 || current.is_bootstrap_superuser() {
            let text = format!(
                "{name} is in {}, and teams-sync never locks out itself or the superuser of initdb; revoke that membership",
                marker()
            );
            plan.problems.insert(Problem::new(name.to_string(), text));
            return;
        }
        // What the configuration declared may be in files by now.
        let looked_for = if kind == Kind::Static { Kind::Robot } else { kind };
        if self.is_frozen(looked_for, Some(current), record.as_ref()) {
            return;
        }
        // She can still lose her memberships, and with them the way in by PAM.
        let untouchable = !self.observed.superuser && current.attributes.superuser;
        if untouchable {
            let text = format!("{name} left, and is a superuser, whom only a superuser can change");
            plan.problems.insert(Problem::new(name.to_string(), text));
        }
        if kind == Kind::Static && self.style.keep_static && !self.has_way_of_people(current) {
            let base = record.as_ref().and_then(|record| record.rotated_from.as_deref());
            // Whoever rotates passwords knows how long this one is good, by the record.
            if !base.is_some_and(|base| is_user_of_day(name, current, base)) {
                self.let_go(name, current, untouchable, plan);
            }
            return;
        }
        let teams = known_teams(record.as_ref());
        let why = Why::teams(Rule::NoLongerNamed, &teams.clone().unwrap_or_default());
        let mut changes = Vec::new();
        let off = |flag: &Flag| *flag != Flag::Inherit && current.attributes.get(*flag);
        let mut add = |phase, change| {
            changes.push(Planned { phase, role: name.clone(), change, why: why.clone() });
        };
        if !untouchable {
            for change in switch_off(off) {
                add(Phase::Down, change);
            }
            let mut left = record.clone().unwrap_or_else(|| Record::new(kind));
            // Where we cannot see whether there is one, once is enough.
            let unseen = !self.observed.sees_passwords && left.left.is_none();
            if current.password.is_some() || unseen {
                add(Phase::Down, Change::ClearPassword);
            }
            left.left = left.left.or_else(|| second(self.now));
            if record.as_ref() != Some(&left) {
                let comment = current.comment.as_deref().unwrap_or_default();
                add(Phase::Up, Change::SetComment { comment: left.in_comment(comment) });
            }
            if kind == Kind::Person {
                self.rename_away(name, &mut add, &mut plan.problems);
            }
            plan.out.insert(name.clone());
        }
        let keep = |group: &RoleName| *group == marker();
        changes.extend(memberships::revokes(name, current, self, keep, &why, &mut plan.problems));
        if changes.is_empty() {
            return;
        }
        let was_in = current.attributes.login;
        plan.roles.push(RolePlan {
            role: name.clone(),
            kind,
            turn: if was_in { Turn::Leaves } else { Turn::Left },
            removed_from: self.removed_from(record.as_ref(), &BTreeSet::new()),
            recorded: teams,
            is_superuser: current.attributes.superuser && current.attributes.login,
            local_superuser: false,
            changes,
        });
    }

    /// Whether somebody logs in with a token by it: then it ends as a person's does, whatever its
    /// comment says.
    fn has_way_of_people(&self, current: &CatalogRole) -> bool {
        current.is_member_of(&self.style.pam_role)
    }

    /// Takes mark and record away and leaves everything else: an application is not locked out by
    /// an edit of what declared its role.
    fn let_go(&self, name: &RoleName, current: &CatalogRole, untouchable: bool, plan: &mut Plan) {
        let why = Why::of(Rule::NoLongerNamed);
        let keep = |group: &RoleName| *group != marker();
        let mut changes = memberships::revokes(name, current, self, keep, &why, &mut plan.problems);
        let comment = current.comment.as_deref().unwrap_or_default();
        if !untouchable {
            changes.push(Planned {
                phase: Phase::Up,
                role: name.clone(),
                change: Change::SetComment { comment: Record::strip(comment) },
                why,
            });
        }
        plan.roles.push(RolePlan {
            role: name.clone(),
            kind: Kind::Static,
            // Nobody loses anything by it.
            turn: Turn::Stays,
            removed_from: BTreeSet::new(),
            recorded: None,
            is_superuser: current.attributes.superuser && current.attributes.login,
            local_superuser: true,
            changes,
        });
    }
}

/// Whether it is what a rotation of `base` makes: a comment alone is quickly written.
fn is_user_of_day(name: &RoleName, current: &CatalogRole, base: &str) -> bool {
    let day = name.as_str().strip_prefix(base);
    day.is_some_and(|day| day.len() == 6 && day.bytes().all(|byte| byte.is_ascii_digit()))
        && current.is_member_of(&RoleName::from_catalog(base.to_owned()))
}
