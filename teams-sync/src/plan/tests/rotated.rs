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
    for style in [style(), keeping()] {
        let plan = planned_with(&with(None), &on_15([foo(), user()]), &style);
        assert!(plan.is_empty() && plan.out.is_empty(), "{:?}", lines(&plan));
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
