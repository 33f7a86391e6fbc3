//! `role_deletion_suffix`: the names of those who left.

use super::*;
use crate::desired::tests::Members;

fn left(name: &str) -> CatalogRole {
    role(name).managed().comment("teams-sync: person teams=acid left=2026-11-24T00:00:00Z")
}

fn about(text: &str, lines: &[String]) -> Vec<String> {
    lines.iter().filter(|line| line.contains(text)).cloned().collect()
}

#[test]
fn a_leaver_is_renamed_last_and_nobody_else() {
    let robot = role("etl").managed().comment("teams-sync: robot");
    let lines = lines_of(&acid(Members(&[])), &on_15([alice(), robot, dora()]), &with_suffix());
    assert_eq!(about("rename", &lines), ["rename alice to alice_deleted"]);
    assert_eq!(lines.last().unwrap(), "rename alice to alice_deleted");
    let without = lines_of(&acid(Members(&[])), &on_15([alice(), dora()]), &style());
    assert!(about("rename", &without).is_empty());
}

#[test]
fn who_comes_back_gets_her_name_back_first() {
    let observed = on_15([left("alice_deleted").member_of("byhand"), dora()]);
    let plan = planned_with(&acid(Members(&["alice"])), &observed, &with_suffix());
    assert_eq!(
        lines(&plan),
        [
            "rename alice_deleted to alice",
            "grant admin to alice",
            "grant users to alice",
            "alter alice: LOGIN",
            "note in the comment of alice",
            "set log_statement = \"all\" for alice",
        ]
    );
    assert!(plan.out.is_empty());
    assert_eq!(plan.roles.first().unwrap().turn, Turn::Joins);
}

#[test]
fn where_both_names_are_there_each_stays_what_it_is() {
    let both = on_15([alice(), left("alice_deleted").login(), dora()]);
    let plan = planned_with(&acid(Members(&["alice"])), &both, &with_suffix());
    assert_eq!(lines(&plan), ["alter alice_deleted: NOLOGIN"]);
    let plan = planned_with(&acid(Members(&[])), &both, &with_suffix());
    assert!(about("rename", &lines(&plan)).is_empty());
    assert!(lines(&plan).contains(&"alter alice: NOLOGIN".to_owned()));
    assert_eq!(
        texts(&plan),
        ["alice is out, and keeps its name: there is a role alice_deleted already"]
    );
}

#[test]
fn a_name_that_would_be_too_long_stays() {
    let long = "x".repeat(56);
    let observed = on_15([left(&long), left(&"y".repeat(55)), dora()]);
    let plan = planned_with(&acid(Members(&[])), &observed, &with_suffix());
    assert_eq!(lines(&plan), [format!("rename {0} to {0}_deleted", "y".repeat(55))]);
    assert!(texts(&plan).concat().contains("longer than 63 bytes"));
}

#[test]
fn a_name_that_somebody_is_to_get_is_not_free() {
    let mut desired = acid(Members(&[]));
    let person = desired.roles.get(&name("dora")).cloned().unwrap();
    let robot = crate::desired::DesiredRole { kind: Kind::Robot, superuser: None, ..person };
    desired.roles.insert(name("alice_deleted"), robot);
    let plan = planned_with(&desired, &on_15([alice(), dora()]), &with_suffix());
    assert!(about("rename", &lines(&plan)).is_empty());
    assert!(lines(&plan).contains(&"create the role alice_deleted".to_owned()));
}

#[test]
fn nobody_gets_the_role_of_a_leaver_by_being_called_like_it() {
    let observed = on_15([left("alice_deleted"), dora()]);
    let plan = planned_with(&acid(Members(&["alice_deleted"])), &observed, &with_suffix());
    assert!(plan.is_empty());
    assert!(texts(&plan).concat().contains("called like somebody who left"));
    let plan = planned_with(&acid(Members(&["alice_deleted", "alice"])), &observed, &with_suffix());
    assert!(about("alice_deleted", &lines(&plan)).is_empty());
}

#[test]
fn a_robot_gets_nothing_of_a_leaver() {
    let mut desired = acid(Members(&[]));
    let person = desired.roles.get(&name("dora")).cloned().unwrap();
    let robot = crate::desired::DesiredRole { kind: Kind::Robot, superuser: None, ..person };
    desired.roles.insert(name("alice"), robot);
    let plan = planned_with(&desired, &on_15([left("alice_deleted"), dora()]), &with_suffix());
    assert!(about("rename", &lines(&plan)).is_empty());
    assert_eq!(plan.out, BTreeSet::from([name("alice_deleted")]));
}

#[test]
fn a_group_that_others_are_granted_keeps_its_name() {
    let group = role("reporting").managed();
    let lines = lines_of(&acid(Members(&[])), &on_15([group, dora()]), &with_suffix());
    assert_eq!(lines, ["note in the comment of reporting"]);
}

#[test]
fn the_last_superuser_is_known_by_either_name() {
    let observed =
        Observed { foreign_superusers: 0, ..on_15([left("alice_deleted").login().superuser()]) };
    let desired =
        crate::desired::tests::wanted(&[("acid", Members(&["alice"])), ("dba", Says::Down)]);
    let plan = planned_with(&desired, &observed, &with_suffix());
    assert_eq!(plan.population.other_superusers, 0);
    let approved = approve(plan, &Limits::default(), &Releases::default());
    assert!(approved.plan().is_empty());
}

#[test]
fn what_others_have_from_or_with_her_follows_her_name_if_she_comes_back() {
    let gives = role("ben")
        .managed()
        .row("byhand", "boot", true, Some((true, true)))
        .granted("byhand", "alice_deleted", false)
        .comment("teams-sync: person teams=acid left=2026-11-24T00:00:00Z");
    let back = left("alice_deleted").row("byhand", "ben", false, Some((true, true)));
    let observed = on_16([gives, back, dora()]);
    let approved_with = |additions| {
        let plan = planned_with(&acid(Members(&["alice"])), &observed, &with_suffix());
        let limits = Limits { additions, ..Limits::default() };
        lines(approve(plan, &limits, &Releases::default()).plan())
    };
    let after = approved_with(100);
    assert!(after.contains(&"grant byhand to alice from us instead of ben".to_owned()));
    assert!(after.contains(&"revoke byhand from alice, as granted by ben".to_owned()));
    // Held, she keeps the other one.
    let held = approved_with(0);
    assert!(held.contains(&"grant byhand to alice_deleted from us instead of ben".to_owned()));
    assert!(held.contains(&"revoke byhand from alice_deleted, as granted by ben".to_owned()));
}
