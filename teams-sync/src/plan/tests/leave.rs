//! Declared roles that are declared no longer, where they are let go.

use super::robots::STORED;
use super::*;
use crate::desired::tests::{Members, robots};

fn keeping() -> Style {
    Style { keep_static: true, ..style() }
}

fn app(kind: &str) -> CatalogRole {
    role("app")
        .login()
        .managed()
        .member_of("reporting")
        .member_of("admin")
        .setting("work_mem=1MB")
        .password(STORED)
        .comment(&format!(
            "teams-sync: {kind} roles=reporting set=work_mem since=2026-11-01T00:00:00Z\nof the shop"
        ))
}

fn here(kind: &str) -> Observed {
    on_15([alice(), dora(), app(kind)])
}

#[test]
fn a_role_that_is_declared_no_longer_loses_the_mark_and_nothing_else() {
    let plan = planned_with(&acid(Members(&["alice"])), &here("static"), &keeping());
    let expected =
        ["revoke teams_sync_managed from app", "take our note out of the comment of app"];
    assert_eq!(lines(&plan), expected);
    let comment = plan.changes().find_map(|planned| match &planned.change {
        Change::SetComment { comment } => Some(comment.clone()),
        _ => None,
    });
    assert_eq!(comment.as_deref(), Some("of the shop"));
    assert!(plan.out.is_empty());
    assert!(plan.roles.iter().all(|own| !own.removes() && !own.adds() && !own.loses_superuser()));
    let approved =
        approve(plan, &Limits { removals: 0, ..Limits::default() }, &Releases::default());
    assert!(approved.held().is_empty());
}

#[test]
fn a_robot_that_is_gone_is_out_all_the_same_and_so_is_a_declared_role_of_the_command() {
    for (kind, style) in [("robot", keeping()), ("static", style())] {
        let plan = planned_with(&acid(Members(&["alice"])), &here(kind), &style);
        assert!(lines(&plan).contains(&"alter app: NOLOGIN".to_owned()), "{:?}", lines(&plan));
        assert!(lines(&plan).contains(&"remove the password of app".to_owned()));
        assert_eq!(plan.out, [name("app")].into());
    }
}

/// It may be in files by now that cannot be read.
#[test]
fn while_the_infrastructure_roles_are_unknown_nothing_is_let_go() {
    let mut desired = acid(Members(&["alice"]));
    desired.frozen_robots = Some("unreadable".to_owned());
    assert!(planned_with(&desired, &here("static"), &keeping()).is_empty());
}

#[test]
fn a_role_that_was_let_go_is_taken_up_again_where_it_is_declared_again() {
    let app = role("app").login().member_of("reporting").password(STORED).comment("of the shop");
    let robot = crate::infrastructure::Robot {
        kind: Kind::Static,
        password: None,
        ..crate::desired::tests::robot("app")
    };
    let answers = crate::desired::tests::answers(&[("acid", Members(&["alice"]))]);
    let desired = crate::desired::desired(
        &crate::desired::tests::humans(),
        &crate::names::tests::names(),
        &crate::desired::tests::server(),
        &answers,
        &robots([robot]),
    );
    let lines = lines_of(&desired, &on_15([alice(), dora(), app]), &keeping());
    let expected = ["mark app as managed", "note in the comment of app"];
    assert_eq!(lines[lines.len() - 2..], expected, "{lines:?}");
}
