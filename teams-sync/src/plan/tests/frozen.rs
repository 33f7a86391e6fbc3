//! A team does not answer: nobody of it loses anything.

use super::*;
use crate::desired::tests::{Down, Members, wanted as wanted_roles};

const DAMAGED: [&str; 4] =
    ["", "somebody wrote this", "teams-sync: person teams=acid color=blue", "teams-sync: person"];

#[test]
fn nobody_of_a_frozen_team_loses_anything_and_the_others_do() {
    let observed =
        on_15([alice().superuser().member_of("reporting"), settled("ben", "dba"), dora()]);
    let plan = planned_with(&acid(Down), &observed, &style());
    let about: BTreeSet<_> = plan.changes().map(|planned| planned.role.to_string()).collect();
    assert_eq!(about, BTreeSet::from(["ben".to_owned()]));
    assert_eq!(plan.out, BTreeSet::from([name("ben")]));
}

#[test]
fn who_is_also_in_a_healthy_team_gets_what_that_gives_and_keeps_the_rest() {
    let desired = wanted_roles(&[("acid", Members(&["alice"])), ("dba", Down)]);
    let both = role("alice")
        .login()
        .superuser()
        .managed()
        .member_of("users")
        .member_of("reporting")
        .setting("log_statement=all")
        .setting("work_mem=1MB")
        .comment("teams-sync: person teams=dba,gone roles=reporting,users set=log_statement,work_mem since=2026-11-01T00:00:00Z");
    let plan = planned_with(&desired, &on_15([both]), &style());
    assert_eq!(lines(&plan), ["grant admin to alice", "note in the comment of alice"]);
    let comment = plan.changes().last().map(|planned| planned.change.clone());
    let text = "teams-sync: person teams=acid,dba roles=admin,reporting,users set=log_statement,work_mem since=2026-11-01T00:00:00Z";
    assert_eq!(comment, Some(Change::SetComment { comment: text.to_owned() }));
}

#[test]
fn who_moves_out_of_a_frozen_team_keeps_what_it_gave_until_it_answers() {
    let desired = wanted_roles(&[("acid", Down), ("dba", Members(&["dora", "alice"]))]);
    let plan = planned_with(&desired, &on_15([alice(), dora()]), &style());
    assert_eq!(lines(&plan), ["alter alice: SUPERUSER", "note in the comment of alice"]);
}

#[test]
fn who_is_no_longer_in_a_healthy_team_leaves_though_another_one_does_not_answer() {
    let desired = wanted_roles(&[("acid", Members(&["bob"])), ("dba", Down)]);
    let plan = planned_with(&desired, &on_15([alice(), settled("bob", "acid"), dora()]), &style());
    assert_eq!(plan.out, BTreeSet::from([name("alice")]));
}

#[test]
fn without_a_record_that_can_be_read_anybody_may_belong_to_the_frozen_team() {
    for comment in DAMAGED {
        let lost = alice().superuser().member_of("reporting").comment(comment);
        let nobody = planned_with(&acid(Down), &on_15([lost, dora()]), &style());
        assert!(nobody.is_empty() && nobody.out.is_empty(), "{comment:?}");
    }
}

#[test]
fn and_no_record_is_written_then_that_would_make_the_next_run_take_it() {
    let desired = wanted_roles(&[("acid", Members(&["alice"])), ("dba", Down)]);
    for comment in DAMAGED {
        let lost = alice().superuser().comment(comment);
        let plan = planned_with(&desired, &on_15([lost]), &style());
        assert!(plan.is_empty(), "{comment:?}: {:?}", lines(&plan));
    }
}

#[test]
fn without_a_record_she_may_also_be_a_robot() {
    let unreadable = Desired { frozen_robots: Some("io".to_owned()), ..acid(Members(&["bob"])) };
    let lost = alice().comment("damaged");
    assert!(
        planned_with(&unreadable, &on_15([lost, settled("bob", "acid"), dora()]), &style())
            .is_empty()
    );
}

#[test]
fn a_person_of_a_frozen_team_keeps_what_a_leaver_granted_her() {
    let desired = wanted_roles(&[("acid", Down), ("dba", Members(&["dora"]))]);
    let ben = role("ben")
        .login()
        .managed()
        .row("admin", "me", true, Some((true, true)))
        .granted("admin", "alice", false)
        .comment("teams-sync: person teams=dba left=2026-11-24T00:00:00Z");
    let hers = role("alice")
        .login()
        .managed()
        .row("admin", "ben", false, Some((true, true)))
        .comment("teams-sync: person teams=acid");
    let approved = approve(
        planned_with(&desired, &on_16([ben, hers, dora()]), &style()),
        &Limits::default(),
        &Releases::default(),
    );
    assert_eq!(
        lines(approved.plan()),
        [
            "alter ben: NOLOGIN",
            "grant admin to alice from us instead of ben",
            "revoke admin from alice, as granted by ben",
            "revoke admin from ben, as granted by me",
        ]
    );
}

#[test]
fn files_that_cannot_be_read_take_nothing_from_robots_and_from_what_was_declared() {
    let unreadable = Desired { frozen_robots: Some("io".to_owned()), ..acid(Members(&[])) };
    let robot = role("etl").login().superuser().managed().comment("teams-sync: robot");
    let declared = role("app").login().managed().comment("teams-sync: static");
    let observed = on_15([robot, declared, dora()]);
    assert!(planned_with(&unreadable, &observed, &style()).is_empty());
    assert_eq!(
        planned_with(&acid(Members(&[])), &observed, &style()).out,
        BTreeSet::from([name("app"), name("etl")])
    );
}

#[test]
fn where_the_teams_themselves_are_unknown_nobody_of_any_team_loses_anything() {
    // What is left of the rules asks about acid alone, and acid answers.
    let unknown = Desired {
        frozen_people: Some("no list of teams".to_owned()),
        ..wanted_roles(&[("acid", Members(&["alice"])), ("dba", Members(&["dora"]))])
    };
    let bob = settled("bob", "elsewhere").superuser().member_of("reporting");
    let both = role("alice")
        .login()
        .managed()
        .member_of("users")
        .member_of("admin")
        .member_of("reporting")
        .setting("log_statement=all")
        .comment("teams-sync: person teams=acid,elsewhere roles=admin,reporting,users set=log_statement since=2026-11-01T00:00:00Z");
    for comment in DAMAGED {
        let lost = alice().superuser().comment(comment);
        assert!(planned_with(&unknown, &on_15([lost, dora()]), &style()).out.is_empty());
    }
    let observed = on_15([bob, both, dora()]);
    let plan = planned_with(&unknown, &observed, &style());
    assert!(plan.is_empty() && plan.out.is_empty(), "{:?}", lines(&plan));
    let known = Desired { frozen_people: None, ..unknown };
    assert_eq!(planned_with(&known, &observed, &style()).out, BTreeSet::from([name("bob")]));
}

#[test]
fn who_left_before_stays_out_while_the_teams_are_unknown() {
    let unknown = Desired { frozen_people: Some("no list".to_owned()), ..acid(Members(&[])) };
    let ben = role("ben")
        .login()
        .managed()
        .comment("teams-sync: person teams=dba left=2026-11-24T00:00:00Z");
    let plan = planned_with(&unknown, &on_15([ben, dora()]), &style());
    assert_eq!(plan.out, BTreeSet::from([name("ben")]));
}
