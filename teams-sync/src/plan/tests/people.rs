//! People come, stay and leave.

use super::*;
use crate::desired::tests::Members;
use crate::role::Attributes;

#[test]
fn what_is_in_sync_stays_untouched() {
    let plan = planned_with(&acid(Members(&["alice"])), &on_15([alice(), dora()]), &style());
    assert!(plan.is_empty(), "{:?}", lines(&plan));
    assert!(plan.problems.is_empty() && plan.out.is_empty());
    let population = Population {
        people: 2,
        foreign_superusers: 1,
        other_superusers: 1,
        no_robots: true,
        ..Population::default()
    };
    assert_eq!(format!("{:?}", plan.population), format!("{population:?}"));
}

#[test]
fn an_empty_server_gets_the_groups_first_and_superusers_last() {
    let plan = planned_with(&acid(Members(&["alice"])), &server(15, []), &style());
    assert_eq!(
        lines(&plan),
        [
            "create the role admin without login",
            "create the role teams_sync_managed without login",
            "create the role users without login",
            "create the role alice",
            "mark alice as managed",
            "create the role dora",
            "mark dora as managed",
            "grant admin to alice",
            "grant users to alice",
            "note in the comment of alice",
            "grant users to dora",
            "alter dora: SUPERUSER",
            "note in the comment of dora",
            "set log_statement = \"all\" for alice",
            "set log_statement = \"all\" for dora",
        ]
    );
    assert!(plan.population.first_sync);
    let comments: Vec<_> = plan
        .changes()
        .filter_map(|planned| match &planned.change {
            Change::SetComment { comment } => Some(comment.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(
        comments,
        [
            "teams-sync: person teams=acid roles=admin,users set=log_statement since=2026-11-25T12:00:00Z",
            "teams-sync: person teams=dba roles=users set=log_statement since=2026-11-25T12:00:00Z",
        ]
    );
}

#[test]
fn a_leaver_loses_everything_but_the_marker() {
    let everything = Attributes {
        bypassrls: true,
        createdb: true,
        createrole: true,
        inherit: true,
        login: true,
        replication: true,
        superuser: true,
    };
    let alice =
        CatalogRole { attributes: everything, ..alice() }.member_of("byhand").password("md5");
    let plan = planned_with(
        &acid(Members(&["bob"])),
        &on_15([alice, settled("bob", "acid"), dora()]),
        &style(),
    );
    assert_eq!(
        lines(&plan),
        [
            "alter alice: NOCREATEDB NOCREATEROLE NOLOGIN",
            "alter alice: NOBYPASSRLS NOREPLICATION NOSUPERUSER",
            "remove the password of alice",
            "revoke users from alice",
            "revoke admin from alice",
            "revoke byhand from alice",
            "note in the comment of alice",
        ]
    );
    assert_eq!(plan.out, BTreeSet::from([name("alice")]));
    let turn = plan.roles.first().unwrap();
    assert_eq!((turn.turn, turn.removes()), (Turn::Leaves, true));
    assert_eq!(turn.removed_from, BTreeSet::from(["acid".to_owned()]));
}

#[test]
fn who_left_is_out_for_good_and_nothing_more_is_done() {
    let left =
        role("alice").managed().comment("teams-sync: person teams=acid left=2026-11-24T00:00:00Z");
    let plan = planned_with(
        &acid(Members(&["bob"])),
        &on_15([left, settled("bob", "acid"), dora()]),
        &style(),
    );
    assert!(plan.is_empty());
    assert_eq!(plan.out, BTreeSet::from([name("alice")]));
}

#[test]
fn what_somebody_gave_back_to_a_leaver_is_taken_once_more_though_her_team_does_not_answer() {
    let back = role("alice")
        .login()
        .managed()
        .member_of("admin")
        .comment("teams-sync: person teams=acid left=2026-11-24T00:00:00Z");
    assert_eq!(
        lines_of(&acid(Says::Down), &on_15([back, dora()]), &style()),
        ["alter alice: NOLOGIN", "revoke admin from alice"]
    );
}

#[test]
fn who_comes_back_gets_it_all_again_and_a_new_beginning() {
    let left = role("alice")
        .managed()
        .comment("teams-sync: person teams=blue since=2020-01-01T00:00:00Z left=2026-11-24T00:00:00Z\nfrom hand");
    let plan = planned_with(&acid(Members(&["alice"])), &on_15([left, dora()]), &style());
    assert_eq!(plan.roles.first().unwrap().turn, Turn::Joins);
    let comment = plan.changes().find_map(|planned| match &planned.change {
        Change::SetComment { comment } => Some(comment.clone()),
        _ => None,
    });
    assert_eq!(
        comment.unwrap(),
        "teams-sync: person teams=acid roles=admin,users set=log_statement since=2026-11-25T12:00:00Z\nfrom hand"
    );
}

#[test]
fn a_person_who_exists_without_our_marker_may_be_somebody_else() {
    let plan =
        planned_with(&acid(Members(&["alice"])), &on_15([role("alice").login(), dora()]), &style());
    assert!(plan.is_empty());
    assert_eq!(plan.problems.first().unwrap().subject, "alice");
    assert!(texts(&plan).concat().contains("teams-sync adopt"));
}

#[test]
fn a_person_never_gets_the_role_of_a_robot() {
    let robot = role("alice").login().managed().password("md5").comment("teams-sync: robot");
    let plan = planned_with(&acid(Members(&["alice"])), &on_15([robot.clone(), dora()]), &style());
    assert!(texts(&plan).concat().contains("was a robot's"));
    // And it does not stay on for her.
    assert_eq!(
        lines(&plan),
        ["alter alice: NOLOGIN", "remove the password of alice", "note in the comment of alice"]
    );
    let unreadable = Desired { frozen_robots: Some("io".to_owned()), ..acid(Members(&["alice"])) };
    assert!(planned_with(&unreadable, &on_15([robot, dora()]), &style()).is_empty());
}

#[test]
fn nor_one_that_may_be_a_robots_for_nothing_says_what_it_is() {
    let unknown = role("alice").login().managed().password("md5").comment("the one of the ETL");
    let plan =
        planned_with(&acid(Members(&["alice"])), &on_15([unknown.clone(), dora()]), &style());
    assert!(plan.is_empty());
    assert!(texts(&plan).concat().contains("may be a robot's"));
    // One in the PAM role is a person's, and so is one that we made and could not finish.
    for hers in [unknown.member_of("users"), role("alice").login().managed()] {
        let plan = planned_with(&acid(Members(&["alice"])), &on_15([hers, dora()]), &style());
        assert!(plan.problems.is_empty());
        assert!(lines(&plan).contains(&"grant admin to alice".to_owned()));
    }
}

#[test]
fn a_promotion_and_a_demotion_change_what_they_are_about() {
    let promoted = crate::desired::tests::wanted(&[
        ("acid", Members(&["alice"])),
        ("dba", Members(&["alice", "dora"])),
    ]);
    assert_eq!(
        lines_of(&promoted, &on_15([alice(), dora()]), &style()),
        ["alter alice: SUPERUSER", "note in the comment of alice"]
    );
    let demoted = crate::desired::tests::wanted(&[
        ("acid", Members(&["dora", "alice"])),
        ("dba", Members(&["alice"])),
    ]);
    let plan = planned_with(&demoted, &on_15([alice().superuser(), dora()]), &style());
    assert_eq!(
        lines(&plan),
        [
            "alter dora: NOSUPERUSER",
            "note in the comment of alice",
            "grant admin to dora",
            "note in the comment of dora"
        ]
    );
    let turn = plan.roles.last().unwrap();
    assert!(turn.removes() && turn.loses_superuser());
    assert_eq!(turn.removed_from, BTreeSet::from(["dba".to_owned()]));
}

#[test]
fn a_team_that_the_configuration_no_longer_names_did_not_go_to_nobody() {
    let from_gone =
        alice().comment("teams-sync: person teams=acid,gone roles=admin,users set=log_statement");
    let plan =
        planned_with(&acid(Members(&["alice"])), &on_15([from_gone.superuser(), dora()]), &style());
    let turn = plan.roles.first().unwrap();
    assert!(turn.removed_from.is_empty() && turn.loses_superuser() && !turn.removes());
}

#[test]
fn memberships_that_somebody_granted_by_hand_stay_unless_told_otherwise() {
    let alice = alice().member_of("byhand").member_of("reporting");
    let observed = on_15([alice, dora()]);
    let desired = acid(Members(&["alice"]));
    // What our configuration may grant is ours to take.
    assert_eq!(lines_of(&desired, &observed, &style()), ["revoke reporting from alice"]);
    let strict = Style { revoke_other_memberships: true, ..style() };
    assert_eq!(
        lines_of(&desired, &observed, &strict),
        ["revoke byhand from alice", "revoke reporting from alice"]
    );
}

#[test]
fn what_we_granted_once_is_taken_though_no_level_knows_it_any_more() {
    let alice = role("alice")
        .login()
        .managed()
        .member_of("users")
        .member_of("admin")
        .member_of("old")
        .setting("log_statement=all")
        .comment("teams-sync: person teams=acid roles=admin,old,users set=log_statement");
    assert_eq!(
        lines_of(&acid(Members(&["alice"])), &on_15([alice, dora()]), &style()),
        ["revoke old from alice", "note in the comment of alice"]
    );
}

#[test]
fn a_group_that_is_not_there_is_a_problem_and_no_reason_to_stop() {
    let observed = server(15, [role("users"), role("teams_sync_managed")]);
    let mut desired = acid(Members(&["alice"]));
    desired.groups.remove(&name("admin"));
    let plan = planned_with(&desired, &observed, &style());
    assert!(lines(&plan).contains(&"grant users to alice".to_owned()));
    assert!(texts(&plan).concat().contains("there is no such role here"));
}

#[test]
fn parameters_are_set_where_they_differ_and_reset_where_we_set_them_once() {
    let record = "teams-sync: person teams=acid roles=admin,users set=log_statement,search_path,work_mem since=2026-11-01T00:00:00Z";
    let alice = role("alice")
        .login()
        .managed()
        .member_of("users")
        .member_of("admin")
        .setting("log_statement=ddl")
        .setting("search_path=\"$user\", public")
        .setting("jit=off")
        .comment(record);
    assert_eq!(
        lines_of(&acid(Members(&["alice"])), &on_15([alice, dora()]), &style()),
        [
            "note in the comment of alice",
            "set log_statement = \"all\" for alice",
            "reset search_path of alice",
        ]
    );
}

#[test]
fn a_password_that_somebody_gave_a_person_goes_before_anything_comes() {
    let alice = role("alice").login().managed().member_of("users").password("md5");
    let plan = planned_with(&acid(Members(&["alice"])), &on_15([alice, dora()]), &style());
    assert_eq!(lines(&plan).first().unwrap(), "remove the password of alice");
}

#[test]
fn we_and_the_superuser_of_initdb_are_never_changed() {
    let boot = CatalogRole { oid: 10, ..role("boot").login().superuser().managed() };
    let me = role("me").login().superuser().managed();
    let plan = planned_with(
        &acid(Members(&["boot", "me"])),
        &on_15([boot.clone(), me.clone(), dora()]),
        &style(),
    );
    assert!(plan.is_empty());
    assert_eq!(plan.problems.len(), 2);
    let plan = planned_with(&acid(Members(&[])), &on_15([boot, me, dora()]), &style());
    assert!(plan.is_empty() && plan.out.is_empty());
    assert_eq!(plan.problems.len(), 2);
}

#[test]
fn a_marked_group_of_the_configuration_stays() {
    let mut observed = on_15([dora()]);
    for group in ["users", "admin"] {
        observed.roles.insert(name(group), role(group).managed().member_of("pg_monitor"));
    }
    assert!(planned_with(&acid(Members(&[])), &observed, &style()).is_empty());
}

#[test]
fn twins_are_left_exactly_as_they_are() {
    let desired = acid(Members(&["alice", "Alice"]));
    let plan =
        planned_with(&desired, &on_15([alice().superuser().password("md5"), dora()]), &style());
    assert!(plan.is_empty() && plan.out.is_empty());
}

#[test]
fn who_is_no_superuser_takes_from_a_superuser_who_left_what_can_be_taken() {
    let observed = Observed {
        superuser: false,
        sees_passwords: false,
        ..on_15([dora(), settled("erin", "acid")])
    };
    let desired =
        crate::desired::tests::wanted(&[("acid", Members(&["erin"])), ("dba", Members(&["dan"]))]);
    let plan = planned_with(&desired, &observed, &style());
    assert_eq!(lines(&plan).first().unwrap(), "revoke users from dora");
    assert!(!lines(&plan).iter().any(|line| line.starts_with("alter") && line.contains("dora")));
    assert!(plan.out.is_empty(), "her sessions only a superuser can end");
    assert!(texts(&plan).concat().contains("whom only a superuser can change"));
    assert!(texts(&plan).concat().contains("dan should be a superuser"));
    assert!(lines(&plan).contains(&"create the role dan".to_owned()));
}

#[test]
fn a_password_that_cannot_be_seen_is_removed_once() {
    let blind = |role| Observed { sees_passwords: false, ..on_15([role, dora()]) };
    let first = lines_of(&acid(Members(&[])), &blind(alice()), &style());
    assert!(first.contains(&"remove the password of alice".to_owned()));
    let left =
        role("alice").managed().comment("teams-sync: person teams=acid left=2026-11-24T00:00:00Z");
    assert!(planned_with(&acid(Members(&[])), &blind(left), &style()).is_empty());
}

/// Whom the configuration alone named, and names no more, is no case of a source that went mad.
#[test]
fn a_team_that_nobody_is_asked_about_is_neither_frozen_nor_empty() {
    use crate::approve::{Limits, Releases, approve};
    use crate::teams::fetch::Answer;
    let rules = |members: &[&str]| {
        let additional_members = members.iter().map(|member| (*member).to_owned()).collect();
        let rules = crate::desired::TeamRules { additional_members, ..Default::default() };
        let teams = [("acid".to_owned(), rules)].into();
        crate::desired::HumanRules { teams, ..crate::desired::tests::humans() }
    };
    let answers = ["acid", "dba"].map(|team| (team.to_owned(), Answer::NoSource)).into();
    let wanted = |members: &[&str]| {
        let names = crate::names::tests::names();
        let server = crate::desired::tests::server();
        crate::desired::desired(&rules(members), &names, &server, &answers, &Default::default())
    };
    let here = on_15([alice(), settled("bob", "acid")]);
    let both = wanted(&["alice", "bob"]);
    assert!(both.frozen.is_empty() && both.empty.is_empty());
    assert!(planned_with(&both, &here, &style()).is_empty());
    let none = wanted(&[]);
    assert!(none.frozen.is_empty() && none.empty.is_empty());
    let plan = planned_with(&none, &here, &style());
    let approved = approve(plan, &Limits::default(), &Releases::default());
    assert!(approved.held().is_empty(), "{:?}", approved.held());
    assert_eq!(approved.plan().out, [name("alice"), name("bob")].into());
}
