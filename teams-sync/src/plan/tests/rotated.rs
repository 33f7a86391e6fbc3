//! Users of a rotation: who has the password of a role for a while.

use super::*;
use crate::desired::desired;
use crate::desired::tests::{answers, humans, robot, robots, server as rules};
use crate::infrastructure::Robot;
use crate::names::tests::names;

const BASE: &str = "teams-sync: static since=2026-11-01T00:00:00Z";
const OURS: &str = "teams-sync: static roles=foo rotated-from=foo since=2026-11-01T00:00:00Z";

fn keeping() -> Style {
    Style { keep_static: true, ..style() }
}

/// The role `foo`, and the user of the day if there is one.
fn with(user: Option<&str>) -> Desired {
    let base = Robot { kind: Kind::Static, password: None, ..robot("foo") };
    let of_the_day = user.map(|user| Robot {
        kind: Kind::Static,
        member_of: vec![name("foo")],
        rotated_from: Some(name("foo")),
        ..robot(user)
    });
    let all = robots(std::iter::once(base).chain(of_the_day));
    desired(&humans(), &names(), &rules(), &answers(&[]), &all)
}

fn foo() -> CatalogRole {
    role("foo").login().managed().comment(BASE)
}

fn user() -> CatalogRole {
    role("foo261101").login().managed().member_of("foo").comment(OURS)
}

#[test]
fn it_is_noted_whose_user_somebody_is() {
    let plan = planned_with(&with(Some("foo261125")), &on_15([foo()]), &keeping());
    let comment = plan.changes().find_map(|planned| match &planned.change {
        Change::SetComment { comment } => Some(comment.as_str()),
        _ => None,
    });
    let text = "teams-sync: static roles=foo rotated-from=foo since=2026-11-25T12:00:00Z";
    assert_eq!(comment, Some(text));
}

#[test]
fn a_user_of_a_former_password_is_left_as_it_is_with_its_record() {
    let plan = planned_with(&with(None), &on_15([foo(), user()]), &keeping());
    assert!(plan.is_empty() && plan.out.is_empty(), "{:?}", lines(&plan));
}

#[test]
fn where_nobody_rotates_a_user_of_a_former_password_is_out_like_any_declared_role() {
    let plan = planned_with(&with(None), &on_15([foo(), user()]), &style());
    assert_eq!(plan.out, [name("foo261101")].into());
    assert!(lines(&plan).contains(&"alter foo261101: NOLOGIN".to_owned()), "{:?}", lines(&plan));
}

/// Whoever may create roles may comment on them again and again until her own removal.
#[test]
fn a_comment_that_names_a_rotation_keeps_no_person_and_no_robot_in() {
    let eve = |kind: &str| {
        let comment = format!("teams-sync: {kind} teams=former rotated-from=foo");
        role("eve").login().managed().member_of("users").member_of("foo").comment(&comment)
    };
    let robot = role("foo261101")
        .login()
        .managed()
        .member_of("foo")
        .comment("teams-sync: robot rotated-from=foo");
    let dated = role("foo261101").login().managed().member_of("foo").member_of("users");
    for style in [style(), keeping()] {
        for forged in
            [eve("person"), eve("robot"), eve("static"), robot.clone(), dated.clone().comment(OURS)]
        {
            let own = forged.name().clone();
            let plan = planned_with(&with(None), &on_15([foo(), forged]), &style);
            assert_eq!(plan.out, [own.clone()].into(), "{:?}", lines(&plan));
            let off = format!("alter {own}: NOLOGIN");
            assert!(lines(&plan).contains(&off), "{:?}", lines(&plan));
        }
    }
}

#[test]
fn what_is_no_user_of_that_role_is_let_go_like_any_declared_role() {
    for other in [
        role("eve").login().managed().member_of("foo").comment(OURS),
        role("foo2611").login().managed().member_of("foo").comment(OURS),
        role("foo26110x").login().managed().member_of("foo").comment(OURS),
        role("foo261101").login().managed().member_of("reporting").comment(OURS),
    ] {
        let lines = lines_of(&with(None), &on_15([foo(), other]), &keeping());
        assert!(
            lines.iter().any(|line| line.starts_with("revoke teams_sync_managed")),
            "{lines:?}"
        );
    }
}

#[test]
fn a_role_that_no_rotation_made_does_not_become_the_user_of_the_day() {
    let byhand = || role("foo261125").login();
    let other = "teams-sync: static rotated-from=bar";
    for foreign in [
        byhand(),
        byhand().member_of("foo").member_of("users"),
        byhand().managed().member_of("foo").comment("teams-sync: person teams=acid"),
        byhand().managed().member_of("foo").comment("teams-sync: robot"),
        byhand().managed().member_of("foo").comment(other),
        byhand().managed().member_of("foo").comment("teams-sync: person rotated-from=foo"),
        byhand().managed().member_of("foo").member_of("users").comment(OURS),
    ] {
        let plan = planned_with(&with(Some("foo261125")), &on_15([foo(), foreign]), &keeping());
        assert!(plan.is_empty(), "{:?}", lines(&plan));
        assert!(texts(&plan).concat().contains("no rotation of foo made it"), "{:?}", texts(&plan));
    }
    // As other operators make them.
    let theirs = byhand().member_of("foo");
    let lines = lines_of(&with(Some("foo261125")), &on_15([foo(), theirs]), &keeping());
    assert!(lines.contains(&"set the password of foo261125".to_owned()), "{lines:?}");
}

#[test]
fn the_user_of_the_day_begins_with_the_settings_of_the_role() {
    let set = |role: CatalogRole| {
        role.setting("search_path=\"$user\", app").setting("work_mem=64MB").setting("role=root")
    };
    let desired = with(Some("foo261125"));
    let lines = lines_of(&desired, &on_15([set(foo())]), &keeping());
    let sets: Vec<_> = lines.iter().filter(|line| line.starts_with("set ")).collect();
    assert_eq!(
        sets,
        [
            "set the password of foo261125",
            "set search_path = \"$user, app\" for foo261125",
            "set work_mem = \"64MB\" for foo261125",
        ]
    );
    // Afterwards they are the user's own.
    let there = role("foo261125")
        .login()
        .managed()
        .member_of("foo")
        .comment(&OURS.replace("261101", "261125"));
    let lines = lines_of(&desired, &on_15([set(foo()), there]), &keeping());
    assert_eq!(lines, ["set the password of foo261125"]);
}
