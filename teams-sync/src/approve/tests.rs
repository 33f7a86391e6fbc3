use super::*;
use crate::desired::Desired;
use crate::desired::tests::{Members, Says, name, wanted};
use crate::observed::tests::{role, server};
use crate::observed::{CatalogRole, Observed};
use crate::password::Checked;
use crate::plan::plan;
use crate::plan::tests::{dora, groups, now, settled, style};

/// People called `p0`, `p1` and so on.
fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("p{number}")).collect()
}

fn acid(members: &[String]) -> Desired {
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    wanted(&[("acid", Members(&members)), ("dba", Members(&["dora"]))])
}

fn on(roles: impl IntoIterator<Item = CatalogRole>) -> Observed {
    server(15, groups().into_iter().chain([dora()]).chain(roles))
}

fn in_acid(people: &[String]) -> Vec<CatalogRole> {
    people.iter().map(|person| settled(person, "acid")).collect()
}

fn planned(desired: &Desired, observed: &Observed) -> Plan {
    planned_at(desired, observed, now())
}

fn planned_at(desired: &Desired, observed: &Observed, now: jiff::Timestamp) -> Plan {
    plan(desired, observed, &style(), &Checked::new().unwrap(), now)
}

fn by_default(plan: Plan) -> Approved {
    approve(plan, &Limits::default(), &Releases::default())
}

fn reasons(approved: &Approved) -> Vec<(String, Reason)> {
    approved.held().iter().map(|held| (held.role.to_string(), held.reason.clone())).collect()
}

fn roles(approved: &Approved) -> BTreeSet<String> {
    approved.plan().changes().map(|planned| planned.role.to_string()).collect()
}

fn by_person(id: &PlanId) -> Releases {
    Releases { by_person: BTreeSet::from([id.clone()]), ..Releases::default() }
}

fn by_time(id: &PlanId) -> Releases {
    Releases { by_time: BTreeSet::from([id.clone()]), ..Releases::default() }
}

/// Of so many people with dora, so many leave: how many of them may.
fn may_leave(people: usize, leave: usize, limits: Limits) -> usize {
    let desired = acid(&numbered(leave..people - 1));
    let plan = planned(&desired, &on(in_acid(&numbered(0..people - 1))));
    let approved = approve(plan, &limits, &Releases::default());
    assert!(approved.held().is_empty() || approved.held().len() == leave);
    approved.plan().out.len()
}

#[test]
fn three_may_leave_of_few_and_a_third_of_many() {
    let default = Limits::default();
    for (people, leave, may) in [
        (5, 3, 3),
        (6, 4, 0),
        // 0.3 * 10 = 3.
        (10, 3, 3),
        (10, 4, 0),
        // 0.3 * 13 = 3.9, 0.3 * 14 = 4.2.
        (13, 4, 0),
        (14, 4, 4),
        (14, 5, 0),
        (20, 6, 6),
        (20, 7, 0),
        (100, 30, 30),
        (100, 31, 0),
    ] {
        assert_eq!(may_leave(people, leave, default), may, "{leave} of {people}");
    }
}

#[test]
fn the_greater_of_both_limits_counts() {
    let limits =
        |removals, removals_share| Limits { removals, removals_share, ..Limits::default() };
    assert_eq!(may_leave(10, 1, limits(0, 0.0)), 0);
    assert_eq!(may_leave(10, 1, limits(1, 0.0)), 1);
    assert_eq!(may_leave(10, 5, limits(1, 0.5)), 5);
    assert_eq!(may_leave(10, 8, limits(8, 0.1)), 8);
    assert_eq!(may_leave(10, 8, limits(0, 1.0)), 8);
}

#[test]
fn only_people_who_are_in_are_counted() {
    // Ten, of whom seven left before.
    let left = |person: String| {
        role(&person).managed().comment("teams-sync: person teams=acid left=2026-01-01T00:00:00Z")
    };
    let gone = numbered(3..100).into_iter().map(left);
    let there = on(in_acid(&numbered(100..110)).into_iter().chain(gone));
    let approved = by_default(planned(&acid(&numbered(104..110)), &there));
    assert_eq!(approved.held().len(), 4);
    assert_eq!(
        approved.held().first().unwrap().reason,
        Reason::ManyRemovals { removals: 4, people: 11 }
    );
}

#[test]
fn what_is_not_held_is_done_in_the_same_run_and_who_is_held_stays_wholly_as_she_is() {
    let there = on(in_acid(&numbered(0..5)).into_iter().map(CatalogRole::superuser));
    let approved = by_default(planned(&acid(&numbered(4..6)), &there));
    let held: BTreeSet<_> = approved.held().iter().map(|held| held.role.to_string()).collect();
    assert_eq!(held, numbered(0..4).into_iter().collect());
    // Superuser included, and her sessions: she is not out.
    assert_eq!(roles(&approved), numbered(4..6).into_iter().collect());
    assert!(approved.plan().out.is_empty());
    assert_eq!(
        approved.held().first().unwrap().changes,
        [
            "alter p0: NOLOGIN",
            "alter p0: NOSUPERUSER",
            "revoke users from p0",
            "revoke admin from p0",
        ]
    );
}

#[test]
fn robots_are_counted_apart() {
    let robot = |number| role(&format!("r{number}")).login().managed().comment("teams-sync: robot");
    let there = on(in_acid(&numbered(0..9)).into_iter().chain((0..4).map(robot)));
    let mut desired = acid(&numbered(3..9));
    desired.no_robots = false;
    let approved = by_default(planned(&desired, &there));
    let robots = Reason::ManyRemovals { removals: 4, people: 4 };
    let expected: Vec<_> = (0..4).map(|number| (format!("r{number}"), robots.clone())).collect();
    assert_eq!(reasons(&approved), expected);
    assert_eq!(approved.plan().out, numbered(0..3).iter().map(|own| name(own)).collect());
}

#[test]
fn robots_that_are_all_gone_at_once_are_held_however_few() {
    let robot = role("etl").login().managed().comment("teams-sync: robot");
    let declared = role("app").login().managed().comment("teams-sync: static");
    let approved = by_default(planned(&acid(&[]), &on([robot, declared])));
    assert_eq!(reasons(&approved), [("etl".to_owned(), Reason::NoRobots)]);
    // What the configuration itself no longer declares is its own word.
    assert_eq!(approved.plan().out, BTreeSet::from([name("app")]));
}

#[test]
fn a_team_that_names_nobody_is_held_however_small() {
    let empty = Reason::EmptyTeam { team: "acid".to_owned() };
    for members in [&[][..], &["x y"]] {
        let desired = wanted(&[("acid", Members(members)), ("dba", Members(&["dora"]))]);
        let approved = by_default(planned(&desired, &on([settled("alice", "acid")])));
        assert_eq!(reasons(&approved), [("alice".to_owned(), empty.clone())]);
    }
    // The others are not.
    let desired = wanted(&[("acid", Members(&[])), ("dba", Members(&["dora"]))]);
    let there = on([settled("alice", "acid"), settled("bob", "dba")]);
    let approved = by_default(planned(&desired, &there));
    assert_eq!(reasons(&approved), [("alice".to_owned(), empty)]);
    assert_eq!(approved.plan().out, BTreeSet::from([name("bob")]));
}

#[test]
fn a_superuser_of_a_team_that_names_nobody_stays_one_though_she_is_in_another_team() {
    let desired = wanted(&[("acid", Members(&["dora"])), ("dba", Members(&[]))]);
    let approved = by_default(planned(&desired, &on([])));
    let empty = Reason::EmptyTeam { team: "dba".to_owned() };
    assert_eq!(reasons(&approved), [("dora".to_owned(), empty)]);
    assert!(approved.plan().is_empty());
}

#[test]
fn where_no_record_says_whose_she_was_any_empty_team_holds_her() {
    let empty = Reason::EmptyTeam { team: "acid".to_owned() };
    let desired = wanted(&[("acid", Members(&[])), ("dba", Members(&["dora", "erin"]))]);
    for comment in ["damaged", "teams-sync: person", "teams-sync: person color=blue"] {
        let leaves = settled("alice", "acid").comment(comment);
        let stays = settled("erin", "acid").comment(comment);
        let approved = by_default(planned(&desired, &on([leaves, stays])));
        let expected = [("alice".to_owned(), empty.clone()), ("erin".to_owned(), empty.clone())];
        assert_eq!(reasons(&approved), expected, "{comment}");
    }
}

#[test]
fn a_team_that_the_configuration_no_longer_names_holds_nobody() {
    let desired = wanted(&[("acid", Members(&["erin"])), ("dba", Members(&["dora"]))]);
    let there = on([settled("alice", "gone"), settled("erin", "acid")]);
    let approved = by_default(planned(&desired, &there));
    assert!(approved.held().is_empty());
    assert_eq!(approved.plan().out, BTreeSet::from([name("alice")]));
}

#[test]
fn a_hundred_may_come_at_once_and_everybody_on_the_first_day() {
    let add = |number: usize, there: Vec<CatalogRole>| {
        let observed = server(15, groups().into_iter().chain(there));
        by_default(planned(&acid(&numbered(0..number)), &observed))
    };
    assert!(add(100, vec![dora()]).held().is_empty());
    let many = add(101, vec![dora()]);
    let reason = Reason::ManyAdditions { additions: 101, allowed: 100 };
    assert_eq!(many.held().len(), 101);
    assert!(many.held().iter().all(|held| held.reason == reason));
    assert!(many.plan().is_empty());
    let robot =
        role("etl").login().managed().comment("teams-sync: robot left=2026-01-01T00:00:00Z");
    for first in [Vec::new(), vec![robot]] {
        assert!(add(500, first).held().iter().all(|held| held.role.as_str() == "etl"));
    }
}

#[test]
fn a_directory_alone_makes_no_superusers() {
    let mut desired = wanted(&[("acid", Members(&["alice"])), ("dba", Members(&["dora", "dan"]))]);
    let alice = desired.roles.get_mut(&name("alice")).unwrap();
    let why = alice.why.clone();
    alice.attributes.superuser = true;
    alice.superuser = Some(crate::desired::Elevation { why, local: false });
    let approved = by_default(planned(&desired, &on([])));
    assert_eq!(reasons(&approved), [("alice".to_owned(), Reason::Superuser)]);
    assert_eq!(approved.held().first().unwrap().changes, ["alter alice: SUPERUSER"]);
    let lines: Vec<_> = approved.plan().changes().map(ToString::to_string).collect();
    // The rest of her is not held; and dan is one by the local configuration.
    assert!(lines.contains(&"create the role alice".to_owned()));
    assert!(lines.contains(&"alter dan: SUPERUSER".to_owned()));
    assert!(!lines.contains(&"alter alice: SUPERUSER".to_owned()));
    // Who is one already by the word of a person stays one.
    let there = on([settled("alice", "acid").superuser()]);
    assert!(by_default(planned(&desired, &there)).held().is_empty());

    let id = by_default(planned(&desired, &on([]))).id().cloned().unwrap();
    let patient = approve(planned(&desired, &on([])), &Limits::default(), &by_time(&id));
    assert_eq!(reasons(&patient), [("alice".to_owned(), Reason::Superuser)]);
    let released = approve(planned(&desired, &on([])), &Limits::default(), &by_person(&id));
    assert!(released.held().is_empty());
    assert!(
        released.plan().changes().any(|planned| planned.to_string() == "alter alice: SUPERUSER")
    );
}

#[test]
fn the_last_superuser_who_can_log_in_stays() {
    let desired = wanted(&[("acid", Members(&["alice"])), ("dba", Members(&["dan"]))]);
    let alone = Observed { foreign_superusers: 0, ..on([]) };
    let approved = by_default(planned(&desired, &alone));
    assert_eq!(reasons(&approved), [("dora".to_owned(), Reason::LastSuperuser)]);
    assert!(!approved.plan().out.contains(&name("dora")));
    let id = approved.id().unwrap();
    let patient = approve(planned(&desired, &alone), &Limits::default(), &by_time(id));
    assert_eq!(reasons(&patient), [("dora".to_owned(), Reason::LastSuperuser)]);
    let released = approve(planned(&desired, &alone), &Limits::default(), &by_person(id));
    assert!(released.plan().out.contains(&name("dora")));
    // Another one is enough, ours or not.
    assert!(by_default(planned(&desired, &on([]))).held().is_empty());
    let dan = dora();
    let second = CatalogRole { rolname: "dan".to_owned(), ..dan };
    let two = Observed { foreign_superusers: 0, ..on([second]) };
    assert!(by_default(planned(&desired, &two)).held().is_empty());
}

#[test]
fn a_person_releases_everything_and_time_all_that_is_no_superusers() {
    let there = on(in_acid(&numbered(0..5)));
    let plan = || planned(&acid(&numbered(4..5)), &there);
    let id = by_default(plan()).id().cloned().unwrap();
    for releases in [by_person(&id), by_time(&id)] {
        let approved = approve(plan(), &Limits::default(), &releases);
        assert!(approved.held().is_empty());
        assert_eq!(approved.plan().out, numbered(0..4).iter().map(|own| name(own)).collect());
        // Of what it would hold, released or not.
        assert_eq!(approved.id(), Some(&id));
    }
    let other: PlanId = "0123456789abcdef0123456789abcdef".parse().unwrap();
    assert_eq!(approve(plan(), &Limits::default(), &by_person(&other)).held().len(), 4);
}

#[test]
fn a_plan_has_the_same_id_at_any_time_and_on_any_server_and_another_for_other_changes() {
    let id = |desired: &Desired, observed: &Observed, time: &str| {
        by_default(planned_at(desired, observed, time.parse().unwrap())).id().cloned()
    };
    let there = on(in_acid(&numbered(0..5)));
    let one = id(&acid(&numbered(4..5)), &there, "2026-11-25T12:00:00Z");
    assert!(one.is_some());
    assert_eq!(id(&acid(&numbered(4..5)), &there, "2027-01-01T00:00:00Z"), one);
    // Somebody joins who is not held; another server with more people, of another kind.
    let more = [numbered(4..5), numbered(50..53)].concat();
    assert_eq!(id(&acid(&more), &there, "2026-11-25T12:00:00Z"), one);
    let other = on(in_acid(&numbered(0..7)));
    let other = Observed { system_identifier: "8".to_owned(), foreign_superusers: 9, ..other };
    assert_eq!(id(&acid(&numbered(4..7)), &other, "2026-11-25T12:00:00Z"), one);
    // Somebody else leaves, or she has something else.
    let mut leavers = vec!["p0".to_owned()];
    leavers.extend(numbered(5..6));
    assert_ne!(id(&acid(&leavers), &on(in_acid(&numbered(0..5))), "2026-11-25T12:00:00Z"), one);
    let mut dirty = in_acid(&numbered(1..5));
    dirty.push(settled("p0", "acid").superuser());
    assert_ne!(id(&acid(&numbered(4..5)), &on(dirty), "2026-11-25T12:00:00Z"), one);
    // Nothing held, no id.
    assert_eq!(id(&acid(&numbered(0..5)), &there, "2026-11-25T12:00:00Z"), None);
}

#[test]
fn an_id_is_what_plan_prints_and_nothing_else() {
    let id: PlanId = "0123456789ABCDEF0123456789ABCDEF".parse().unwrap();
    assert_eq!(id.to_string(), "0123456789abcdef0123456789abcdef");
    for text in [
        "",
        "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdef0",
        "0123456789abcdef0123456789abcdeg",
        "*",
        "０0123456789abcdef0123456789abc",
    ] {
        assert!(text.parse::<PlanId>().is_err(), "{text:?}");
    }
}

#[test]
fn a_frozen_team_and_a_full_one_hold_nothing() {
    let desired = wanted(&[("acid", Says::Down), ("dba", Members(&["dora"]))]);
    let approved = by_default(planned(&desired, &on(in_acid(&numbered(0..9)))));
    assert!(approved.held().is_empty() && approved.plan().is_empty() && approved.id().is_none());
}
