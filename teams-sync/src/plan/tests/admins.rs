//! Roles that may grant others on.

use super::*;
use crate::desired::Desired;
use crate::desired::tests::{Members, answers, humans, robot, robots, server as rules, wanted};
use crate::infrastructure::Robot;
use crate::names::tests::names;
use crate::role::{Attributes, Flag};

fn with(all: impl IntoIterator<Item = Robot>) -> Desired {
    let answers = answers(&[("acid", Members(&["alice"])), ("dba", Members(&["dora"]))]);
    crate::desired::desired(&humans(), &names(), &rules(), &answers, &robots(all))
}

/// A role without login, of which others may make use.
fn group(own: &str, admins: &[&str]) -> Robot {
    Robot {
        kind: Kind::Static,
        attributes: Attributes::NOLOGIN,
        password: None,
        admins: admins.iter().map(|admin| name(admin)).collect(),
        ..robot(own)
    }
}

fn settled_group(own: &str) -> CatalogRole {
    role(own).managed().comment("teams-sync: static since=2026-11-01T00:00:00Z")
}

fn everybody() -> [CatalogRole; 2] {
    [alice(), dora()]
}

#[test]
fn whoever_may_grant_a_role_on_gets_it_with_the_admin_option() {
    let desired = with([group("etl", &["admin"])]);
    let here = on_15(everybody());
    let made = lines_of(&desired, &here, &style());
    assert_eq!(made.last().unwrap(), "let admin grant etl on");
    assert_eq!(made.first().unwrap(), "create the role etl without login");
    let there = [settled_group("etl")].into_iter().chain(everybody());
    assert_eq!(lines_of(&desired, &on_16(there.clone()), &style()), ["let admin grant etl on"]);
}

/// The groups of [`groups`], of which admin has what is given.
fn where_admin_has(admin: CatalogRole, major: u32) -> Observed {
    let groups = groups().into_iter().filter(|own| own.name() != name("admin"));
    let others = [settled_group("etl"), admin].into_iter().chain(everybody());
    server(major, groups.chain(others))
}

#[test]
fn a_membership_without_the_option_gets_it_and_one_with_it_is_left_whoever_gave_it() {
    let desired = with([group("etl", &["admin"])]);
    for major in [13, 16, 18] {
        let options = |inherit| (major >= 16).then_some((inherit, true));
        let plain = role("admin").row("etl", "me", false, options(true));
        let lines = lines_of(&desired, &where_admin_has(plain, major), &style());
        assert_eq!(lines, ["let admin grant etl on"], "{major}");
        // As CREATE ROLE has it for one that does not inherit.
        let whole = role("admin").row("etl", "somebody", true, options(false));
        let strict = Style { revoke_other_memberships: true, ..style() };
        for style in [style(), strict] {
            let plan = planned_with(&desired, &where_admin_has(whole.clone(), major), &style);
            assert!(plan.is_empty() && plan.problems.is_empty(), "{:?}", lines_of_plan(&plan));
        }
        // And once it is in no definition any more, it is still not ours to take.
        let none = with([group("etl", &[])]);
        assert!(planned_with(&none, &where_admin_has(whole, major), &style()).is_empty());
    }
}

fn lines_of_plan(plan: &Plan) -> Vec<String> {
    lines(plan)
}

#[test]
fn a_managed_role_keeps_what_it_is_to_grant_on() {
    let desired = with([group("etl", &["keeper"]), group("keeper", &[])]);
    let keeper = settled_group("keeper").row("etl", "boot", true, Some((true, true)));
    let here = || [settled_group("etl"), keeper.clone()].into_iter().chain(everybody());
    let mut strict = Style { revoke_other_memberships: true, ..style() };
    strict.vocabulary.insert(name("etl"));
    let plan = planned_with(&desired, &on_16(here()), &strict);
    assert!(plan.is_empty() && plan.problems.is_empty(), "{:?}", lines(&plan));
}

#[test]
fn an_admin_that_cannot_be_one_is_a_problem_and_the_role_is_made() {
    let left = settled_group("gone");
    for (admin, text, here) in [
        ("nobody", "there is no such role here", vec![]),
        ("teams_sync_managed", "no more than a mark", vec![]),
        ("etl", "no circles", vec![]),
        ("gone", "that role left", vec![left]),
    ] {
        let desired = with([group("etl", &[admin])]);
        let plan = planned_with(&desired, &on_15(everybody().into_iter().chain(here)), &style());
        let lines = lines(&plan);
        assert!(lines.contains(&"create the role etl without login".to_owned()), "{lines:?}");
        assert!(!lines.iter().any(|line| line.starts_with("let ")), "{lines:?}");
        let problems = texts(&plan);
        assert_eq!(problems.len(), 1, "{problems:?}");
        let start = format!("{admin} cannot grant etl on (");
        assert!(problems[0].starts_with(&start) && problems[0].contains(text), "{problems:?}");
    }
    // Each may grant the other on: PostgreSQL would refuse whichever comes second.
    let desired = with([group("one", &["two"]), group("two", &["one"])]);
    let plan = planned_with(&desired, &on_15(everybody()), &style());
    assert_eq!(texts(&plan).len(), 2);
    assert!(!lines(&plan).iter().any(|line| line.starts_with("let ")));
}

#[test]
fn nobody_is_called_like_a_role_that_grants_others_on() {
    let answers = answers(&[("acid", Members(&["keeper"])), ("dba", Members(&["dora"]))]);
    let robots = robots([group("etl", &["keeper"])]);
    let desired = crate::desired::desired(&humans(), &names(), &rules(), &answers, &robots);
    assert!(!desired.roles.contains_key(&name("keeper")));
    let here = on_15([dora(), role("keeper")]);
    assert!(lines_of(&desired, &here, &style()).contains(&"let keeper grant etl on".to_owned()));
}

#[test]
fn letting_somebody_grant_a_superuser_on_is_as_good_as_making_one() {
    let mut attributes = Attributes::LOGIN;
    attributes.set(Flag::Superuser, true);
    let desired = with([Robot { attributes, ..group("root", &["admin"]) }]);
    let here = on_15(everybody());
    let plan = planned_with(&desired, &here, &style());
    let grant = |plan: &Plan| {
        let mut all = plan.changes().filter(|own| own.change.name() == "grant_admin");
        all.next().map(|own| own.change.makes_superuser())
    };
    assert_eq!(grant(&plan), Some(true));
    let harmless = planned_with(&with([group("etl", &["admin"])]), &here, &style());
    assert_eq!(grant(&harmless), Some(false));
    // The local configuration may; what it does not speak for is held like any superuser.
    let held = |mut plan: Plan, local: bool| {
        for own in plan.roles.iter_mut().filter(|own| own.role == name("root")) {
            (own.kind, own.local_superuser) = (Kind::Person, local);
            own.changes.retain(|planned| planned.change.name() != "switch_on");
        }
        let approved = approve(plan, &Limits::default(), &Releases::default());
        assert_eq!(grant(approved.plan()).is_some(), local);
        approved.held().iter().flat_map(|held| held.changes.clone()).collect::<Vec<_>>()
    };
    assert!(held(plan.clone(), true).is_empty());
    assert_eq!(held(plan, false), ["let admin grant root on"]);
    // Who is no superuser cannot grant one.
    let weak = Observed { superuser: false, ..here };
    let plan = planned_with(&desired, &weak, &style());
    assert_eq!(grant(&plan), None);
    assert!(texts(&plan).iter().any(|text| text.contains("which only a superuser can grant")));
}

#[test]
fn people_let_nobody_grant_them_on() {
    let desired = wanted(&[("acid", Members(&["alice"])), ("dba", Members(&["dora"]))]);
    assert!(desired.roles.values().all(|role| role.admins.is_empty()));
}

#[test]
fn where_it_is_given_at_creation_alone_what_is_taken_back_stays_taken() {
    let once = Style { admins_at_creation: true, ..style() };
    let desired = with([group("etl", &["admin"])]);
    let made = lines_of(&desired, &on_15(everybody()), &once);
    assert_eq!(made.last().unwrap(), "let admin grant etl on");
    let there = || [settled_group("etl")].into_iter().chain(everybody());
    assert!(planned_with(&desired, &on_16(there()), &once).is_empty());
    // Nor what was there before us.
    let foreign = [role("etl")].into_iter().chain(everybody());
    let lines = lines_of(&desired, &on_16(foreign), &once);
    assert!(!lines.iter().any(|line| line.starts_with("let ")), "{lines:?}");
}
