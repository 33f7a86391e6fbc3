//! Robots: attributes and passwords exactly as they are defined.

use super::*;
use crate::desired::desired;
use crate::desired::tests::{Members, answers, humans, robot, robots, server as rules};
use crate::infrastructure::Robot;
use crate::names::tests::names;
use crate::password::Secret;
use crate::role::{Attributes, Flag, Parameter};

fn with(list: impl IntoIterator<Item = Robot>) -> Desired {
    let answers = answers(&[("acid", Members(&["alice"])), ("dba", Members(&["dora"]))]);
    desired(&humans(), &names(), &rules(), &answers, &robots(list))
}

/// Of the password "password".
pub(super) const STORED: &str = "SCRAM-SHA-256$4096:c2FsdA==$lF4cRm/Jky763CN4HtxdHnjV4Q8AWTNlKvGmEFFU8IQ=:ub8OgRsftnk2ccDMOt7ffHXNcikRkQkq1lh4xaAqrSw=";

fn etl() -> Robot {
    Robot { password: Some(Secret::parse(STORED.as_bytes()).unwrap()), ..robot("etl") }
}

fn on(roles: impl IntoIterator<Item = CatalogRole>) -> Observed {
    on_15([alice(), dora()].into_iter().chain(roles))
}

fn there() -> CatalogRole {
    role("etl")
        .login()
        .managed()
        .password(STORED)
        .comment("teams-sync: robot since=2026-11-01T00:00:00Z")
}

#[test]
fn a_robot_as_defined_is_left_alone() {
    assert!(planned_with(&with([etl()]), &on([there()]), &style()).is_empty());
}

#[test]
fn a_new_robot_is_made_whole() {
    let robot = Robot {
        attributes: Attributes {
            createdb: true,
            inherit: false,
            superuser: true,
            ..Attributes::LOGIN
        },
        member_of: vec![name("reporting")],
        parameters: vec![Parameter::parse("search_path", "a, b").unwrap()],
        ..etl()
    };
    assert_eq!(
        lines_of(&with([robot]), &on([]), &style()),
        [
            "create the role etl",
            "mark etl as managed",
            "grant reporting to etl",
            "set the password of etl",
            "alter etl: SUPERUSER",
            "note in the comment of etl",
            "set search_path = \"a, b\" for etl",
        ]
    );
}

#[test]
fn a_role_that_somebody_made_becomes_what_its_definition_says() {
    let byhand = role("etl").superuser().member_of("admin").member_of("byhand").password("md5");
    assert_eq!(
        lines_of(&with([etl()]), &on([byhand]), &style()),
        [
            "alter etl: NOSUPERUSER",
            "revoke admin from etl",
            "mark etl as managed",
            "set the password of etl",
            "alter etl: LOGIN",
            "note in the comment of etl",
        ]
    );
}

#[test]
fn attributes_are_exact_one_by_one() {
    for flag in Flag::ALL {
        let mut more = there();
        more.attributes.set(flag, !more.attributes.get(flag));
        let on_now = more.attributes.get(flag);
        assert_eq!(
            lines_of(&with([etl()]), &on([more]), &style()),
            [format!("alter etl: {}", flag.keyword(!on_now))]
        );
    }
}

#[test]
fn a_robot_with_a_broken_definition_is_left_as_it_is() {
    let mut infrastructure = robots([]);
    infrastructure.broken.insert(name("etl"));
    let answers = answers(&[("acid", Members(&["alice"])), ("dba", Members(&["dora"]))]);
    let desired = desired(&humans(), &names(), &rules(), &answers, &infrastructure);
    let plan = planned_with(&desired, &on([there().superuser()]), &style());
    assert!(plan.is_empty() && plan.out.is_empty());
}

#[test]
fn a_robot_that_is_gone_leaves_as_people_do() {
    let plan = planned_with(&with([robot("web")]), &on([there()]), &style());
    assert_eq!(plan.out, BTreeSet::from([name("etl")]));
    let etl = plan.roles.iter().find(|own| own.role == name("etl")).unwrap();
    assert_eq!((etl.kind, etl.turn), (Kind::Robot, Turn::Leaves));
}

#[test]
fn a_password_is_set_where_it_differs_or_cannot_be_known() {
    let set = vec!["set the password of etl".to_owned()];
    let other = there().password("md587f77988ccb5aa917c93201ba314fcd4");
    assert_eq!(lines_of(&with([etl()]), &on([other]), &style()), set);
    let none = CatalogRole { password: None, ..there() };
    assert_eq!(lines_of(&with([etl()]), &on([none.clone()]), &style()), set);
    // We may not look, and set it when we made the role.
    let blind = |role| Observed { sees_passwords: false, ..on([role]) };
    assert!(lines_of(&with([etl()]), &blind(none.clone()), &style()).is_empty());
    // It left, and has none since then; or it was made and not finished.
    for comment in ["teams-sync: robot left=2026-11-24T00:00:00Z", ""] {
        let lines = lines_of(&with([etl()]), &blind(none.clone().comment(comment)), &style());
        assert!(lines.starts_with(&set), "{comment:?}: {lines:?}");
    }
}

#[test]
fn two_robots_that_are_to_be_in_each_other_are_a_problem() {
    let inside = |own: &str, group: &str| Robot { member_of: vec![name(group)], ..robot(own) };
    let plan = planned_with(
        &with([inside("a", "b"), inside("b", "a"), inside("c", "c"), inside("d", "a")]),
        &on([]),
        &style(),
    );
    let grants: Vec<_> =
        lines(&plan).into_iter().filter(|line| line.starts_with("grant")).collect();
    assert_eq!(grants, ["grant a to d"]);
    assert_eq!(plan.problems.len(), 3);
}

#[test]
fn a_robot_made_of_the_last_foreign_superuser_is_held() {
    let observed = Observed {
        foreign_superusers: 1,
        ..on_15([alice(), role("etl").login().superuser().password(STORED)])
    };
    let answers = answers(&[("acid", Members(&["alice"])), ("dba", Members(&[]))]);
    let desired = desired(&humans(), &names(), &rules(), &answers, &robots([etl()]));
    let plan = planned_with(&desired, &observed, &style());
    assert_eq!(plan.population.foreign_superusers, 0);
    let approved = approve(plan, &Limits::default(), &Releases::default());
    assert!(approved.plan().is_empty());
}

#[test]
fn what_was_a_robot_is_not_made_anything_else_while_robots_are_unknown() {
    let declared = Robot { kind: Kind::Static, ..robot("etl") };
    let known = with([Robot { password: Some(Secret::parse(b"another").unwrap()), ..declared }]);
    let unknown = Desired { frozen_robots: Some("not read yet".to_owned()), ..known.clone() };
    let plan = planned_with(&unknown, &on([there()]), &style());
    assert!(plan.is_empty(), "{:?}", lines(&plan));
    assert!(texts(&plan)[0].contains("may still be one"), "{:?}", texts(&plan));
    let lines = lines_of(&known, &on([there()]), &style());
    assert!(lines.contains(&"set the password of etl".to_owned()), "{lines:?}");
}
