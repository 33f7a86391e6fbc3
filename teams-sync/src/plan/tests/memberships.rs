//! Rows of `pg_auth_members`, as PostgreSQL 16 keeps them.

use super::*;
use crate::desired::tests::Members;

fn approved_lines(desired: &Desired, observed: &Observed) -> Vec<String> {
    let plan = planned_with(desired, observed, &style());
    lines(approve(plan, &Limits { removals: 9, ..Limits::default() }, &Releases::default()).plan())
}

fn left(name: &str) -> CatalogRole {
    role(name).managed().comment("teams-sync: person teams=acid left=2026-11-24T00:00:00Z")
}

#[test]
fn every_row_is_revoked_by_its_grantor_since_16_and_all_at_once_before() {
    let usable = Some((true, true));
    let alice =
        || left("alice").row("admin", "me", false, usable).row("admin", "boot", true, usable);
    assert_eq!(
        approved_lines(&acid(Members(&[])), &on_16([alice(), dora()])),
        [
            "revoke admin from alice, as granted by me",
            "revoke admin from alice, as granted by boot"
        ]
    );
    let before = left("alice").member_of("admin").granted("admin", "bob", false);
    assert_eq!(
        approved_lines(&acid(Members(&[])), &on_15([before, dora()])),
        ["revoke admin from alice"]
    );
}

#[test]
fn a_membership_that_gives_nothing_is_granted_again() {
    for (inherit, set) in [(false, true), (true, false), (false, false)] {
        let alice = role("alice")
            .login()
            .managed()
            .row("users", "boot", false, Some((true, true)))
            .row("admin", "boot", false, Some((inherit, set)))
            .setting("log_statement=all")
            .comment("teams-sync: person teams=acid roles=admin,users set=log_statement");
        let lines = approved_lines(&acid(Members(&["alice"])), &on_16([alice, dora()]));
        assert_eq!(lines.first().unwrap(), "grant admin to alice", "{inherit} {set}");
    }
}

#[test]
fn what_a_leaver_granted_to_others_they_get_from_us_first() {
    let alice = left("alice")
        .row("admin", "boot", true, Some((true, true)))
        .granted("admin", "bob", false)
        .granted("admin", "stranger", true);
    assert_eq!(
        approved_lines(&acid(Members(&[])), &on_16([alice, dora()])),
        [
            "grant admin to bob from us instead of alice",
            "revoke admin from bob, as granted by alice",
            "grant admin to stranger from us instead of alice",
            "revoke admin from stranger, as granted by alice",
            "revoke admin from alice, as granted by boot",
        ]
    );
}

#[test]
fn what_somebody_has_with_more_does_not_become_less() {
    let alice = left("alice").row("admin", "boot", true, None).granted("admin", "bob", false);
    let mut alice = alice;
    alice.granted.first_mut().unwrap().inherit = Some(false);
    let bob = role("bob").row("admin", "alice", false, Some((false, true))).row(
        "admin",
        "boot",
        true,
        Some((true, true)),
    );
    let plan = planned_with(&acid(Members(&[])), &on_16([alice, bob, dora()]), &style());
    let options = Options { admin: false, inherit: true, set: true };
    let change = Change::Regrant { role: name("admin"), member: name("bob"), options };
    assert_eq!(plan.changes().next().unwrap().change, change);
}

#[test]
fn of_two_leavers_the_one_who_has_it_from_the_other_goes_first_and_nothing_is_revoked_twice() {
    let alice =
        left("alice").row("admin", "boot", true, Some((true, true))).granted("admin", "bob", true);
    let bob = left("bob")
        .row("admin", "alice", true, Some((true, true)))
        .granted("admin", "carol", false);
    let carol = left("carol").row("admin", "bob", false, Some((true, true)));
    assert_eq!(
        approved_lines(&acid(Members(&[])), &on_16([alice, bob, carol, dora()])),
        [
            "revoke admin from carol, as granted by bob",
            "revoke admin from bob, as granted by alice",
            "revoke admin from alice, as granted by boot",
        ]
    );
}

#[test]
fn who_is_held_keeps_what_a_leaver_granted_her() {
    let ben =
        left("ben").row("admin", "boot", true, Some((true, true))).granted("admin", "alice", false);
    let hers = role("alice")
        .login()
        .managed()
        .row("admin", "ben", false, Some((true, true)))
        .comment("teams-sync: person teams=acid");
    let observed = on_16([ben, hers, dora()]);
    let plan = planned_with(&acid(Members(&[])), &observed, &style());
    let approved = approve(plan, &Limits::default(), &Releases::default());
    // acid is empty, so she stays.
    assert_eq!(approved.held().len(), 1);
    assert_eq!(
        lines(approved.plan()),
        [
            "grant admin to alice from us instead of ben",
            "revoke admin from alice, as granted by ben",
            "revoke admin from ben, as granted by boot",
        ]
    );
}

#[test]
fn we_do_not_saw_off_the_branch_that_we_sit_on() {
    let alice = left("alice")
        .row("admin", "boot", true, Some((true, true)))
        .row("byhand", "boot", false, Some((true, true)))
        .granted("admin", "me", true);
    let plan = planned_with(&acid(Members(&[])), &on_16([alice, dora()]), &style());
    assert_eq!(lines(&plan), ["revoke byhand from alice, as granted by boot"]);
    assert!(texts(&plan).concat().contains("teams-sync itself has it from there"));
}

#[test]
fn circles_are_a_problem_and_no_statement() {
    let mut observed = on_15([dora()]);
    // Somebody granted alice to the PAM role.
    observed.roles.insert(name("users"), role("users").member_of("alice"));
    let plan = planned_with(&acid(Members(&["alice"])), &observed, &style());
    assert!(!lines(&plan).contains(&"grant users to alice".to_owned()));
    assert!(lines(&plan).contains(&"grant admin to alice".to_owned()));
    assert!(texts(&plan).concat().contains("PostgreSQL allows no circles"));
}

/// An owner that is to be a member of `cron_admin`.
fn owner() -> Desired {
    let owner = crate::infrastructure::Robot {
        kind: Kind::Static,
        member_of: vec![name("cron_admin")],
        password: None,
        ..crate::desired::tests::robot("bar_owner")
    };
    let robots = crate::desired::tests::robots([owner]);
    let answers = crate::desired::tests::answers(&[]);
    let (humans, server) = (crate::desired::tests::humans(), crate::desired::tests::server());
    crate::desired::desired(&humans, &crate::names::tests::names(), &server, &answers, &robots)
}

#[test]
fn a_membership_the_wrong_way_round_is_taken_from_a_role_that_yields_and_from_no_other() {
    let bar_owner = || {
        role("bar_owner").login().managed().comment("teams-sync: static since=2026-11-01T00:00:00Z")
    };
    let wrong = || role("cron_admin").row("bar_owner", "boot", false, Some((true, true)));
    let yielding = Style { yielding: BTreeSet::from([name("cron_admin")]), ..style() };
    let plan = planned_with(&owner(), &on_16([bar_owner(), wrong()]), &yielding);
    assert_eq!(
        lines(&plan),
        [
            "revoke bar_owner from cron_admin, as granted by boot",
            "grant cron_admin to bar_owner",
            "note in the comment of bar_owner",
        ]
    );
    assert!(plan.problems.is_empty(), "{:?}", texts(&plan));
    let on_15 = on_15([bar_owner(), role("cron_admin").member_of("bar_owner")]);
    assert_eq!(lines_of(&owner(), &on_15, &yielding)[0], "revoke bar_owner from cron_admin");
    // Whoever does not yield keeps it, and so does one for whom it would not be enough.
    let kept = planned_with(&owner(), &on_16([bar_owner(), wrong()]), &style());
    assert!(texts(&kept)[0].contains("no circles"), "{:?}", texts(&kept));
    let between = role("between").member_of("bar_owner");
    let also = wrong().member_of("between");
    let mut wider = yielding;
    wider.vocabulary.insert(name("between"));
    let kept = planned_with(&owner(), &on_16([bar_owner(), also, between]), &wider);
    assert!(texts(&kept)[0].contains("no circles"), "{:?}", texts(&kept));
    assert!(!lines(&kept).iter().any(|line| line.starts_with("revoke")), "{:?}", lines(&kept));
}
