//! Roles that another operator made for people: `adopts_people`.

use super::*;
use crate::desired::tests::Members;
use crate::role::Flag;

fn legacy(name: &str) -> CatalogRole {
    role(name).login().member_of("users").member_of("admin").setting("log_statement=all")
}

fn adopting() -> Style {
    Style { adopts_people: true, ..with_suffix() }
}

#[test]
fn whom_a_team_names_is_marked_at_once_and_nothing_else_of_hers_changes() {
    let observed = on_15([legacy("alice"), legacy("ghost"), dora()]);
    let plan = planned_with(&acid(Members(&["alice"])), &observed, &adopting());
    assert_eq!(lines(&plan), ["mark alice as managed", "note in the comment of alice"]);
    assert_eq!(plan.roles[0].turn, Turn::Stays, "she was in before");
    assert!(texts(&plan).is_empty());
    let strict = planned_with(&acid(Members(&["alice"])), &observed, &style());
    assert!(lines(&strict).is_empty());
    assert!(texts(&strict).concat().contains("run: teams-sync adopt"));
}

#[test]
fn nobody_loses_anything_by_being_marked() {
    let mut alice = legacy("alice").member_of("reporting");
    alice.attributes.superuser = true;
    alice.attributes.createdb = true;
    let plan =
        planned_with(&acid(Members(&["alice"])), &on_15([alice.clone(), dora()]), &adopting());
    assert!(plan.changes().all(|planned| !planned.change.takes()), "{:?}", lines(&plan));
    // Then she is like everybody else.
    let alice = alice.managed();
    let plan = planned_with(&acid(Members(&["alice"])), &on_15([alice, dora()]), &adopting());
    let off = plan.changes().any(|planned| {
        matches!(&planned.change, Change::SwitchOff { flags } if flags.contains(&Flag::Superuser))
    });
    assert!(off, "{:?}", lines(&plan));
}

#[test]
fn what_is_missing_comes_with_the_mark_as_the_other_operator_would_have_done() {
    let alice = role("alice").member_of("users");
    let plan = planned_with(&acid(Members(&["alice"])), &on_15([alice, dora()]), &adopting());
    assert_eq!(
        lines(&plan),
        [
            "mark alice as managed",
            "grant admin to alice",
            "alter alice: LOGIN",
            "note in the comment of alice",
            "set log_statement = \"all\" for alice",
        ]
    );
    assert_eq!(plan.roles[0].turn, Turn::Joins);
}

#[test]
fn a_role_that_may_be_somebody_elses_is_left_alone_and_said_why() {
    for (alice, why) in [
        (legacy("alice").password("SCRAM-SHA-256$4096:x"), "it has a password"),
        (legacy("alice").comment("of the billing application"), "it has a comment"),
        (role("alice").login(), "is there and not managed"),
    ] {
        let plan = planned_with(&acid(Members(&["alice"])), &on_15([alice, dora()]), &adopting());
        assert!(plan.is_empty(), "{why}: {:?}", lines(&plan));
        let said = texts(&plan).concat();
        assert!(said.contains(why) && said.contains("grant teams_sync_managed to it"), "{said}");
    }
}

#[test]
fn a_robot_in_the_role_for_people_is_none_of_them() {
    let mut desired = acid(Members(&[]));
    let person = desired.roles.get(&name("dora")).cloned().unwrap();
    let robot = crate::desired::DesiredRole {
        kind: Kind::Robot,
        superuser: None,
        attributes: crate::role::Attributes::LOGIN,
        ..person
    };
    desired.roles.insert(name("etl"), robot);
    let mut etl = legacy("etl");
    etl.attributes.createdb = true;
    let lines = lines_of(&desired, &on_15([etl, dora()]), &adopting());
    assert!(lines.contains(&"alter etl: NOCREATEDB".to_owned()), "{lines:?}");
}

#[test]
fn who_was_renamed_when_she_left_gets_her_role_back() {
    let renamed = role("alice_deleted").member_of("users").member_of("admin");
    let plan = planned_with(&acid(Members(&["alice"])), &on_15([renamed, dora()]), &adopting());
    let lines = lines(&plan);
    assert_eq!(lines[..2], ["rename alice_deleted to alice", "mark alice as managed"]);
    assert!(lines.contains(&"alter alice: LOGIN".to_owned()), "{lines:?}");
    // A role that merely is called so is nobody's.
    let other = role("alice_deleted").login();
    let lines = lines_of(&acid(Members(&["alice"])), &on_15([other, dora()]), &adopting());
    assert!(lines.contains(&"create the role alice".to_owned()), "{lines:?}");
}
