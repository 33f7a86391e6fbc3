//! Companies are large.

use jiff::Timestamp;

use super::catalog::{BOOTSTRAP, Catalog, Row};
use super::style;
use crate::approve::{Limits, Releases, approve};
use crate::desired::tests::{Says, answers, humans, name, robots, server};
use crate::desired::{Desired, desired};
use crate::names::tests::names;
use crate::password::Checked;
use crate::plan::{Change, plan, wanted};
use crate::role::marker;

#[test]
fn ten_thousand_people_are_planned_for_in_a_moment() {
    let people: Vec<String> = (0..10_000).map(|number| format!("person-{number}")).collect();
    let all: Vec<&str> = people.iter().map(String::as_str).collect();
    let wanted_roles = |all: &[&str]| {
        let answers = answers(&[("acid", Says::Members(all)), ("dba", Says::Members(&["dora"]))]);
        desired(&humans(), &names(), &server(), &answers, &robots([]))
    };
    let checked = Checked::new().unwrap();
    let mut catalog = Catalog::new(16);
    let full = wanted_roles(&all);
    let observe = |catalog: &Catalog, desired| catalog.observe(&wanted(desired, &style()));
    let timed = |what: &str, observed: &crate::observed::Observed, desired: &Desired| {
        let start = std::time::Instant::now();
        let plan = plan(desired, observed, &style(), &checked, Timestamp::UNIX_EPOCH);
        let approved = approve(plan, &Limits::default(), &Releases::default());
        let both = start.elapsed();
        // Far from what it takes, and far below what a quadratic step would.
        assert!(both < std::time::Duration::from_secs(10), "{what}: {both:?}");
        approved
    };
    let first = timed("first", &observe(&catalog, &full), &full);
    assert_eq!(first.plan().roles.len(), 10_001);
    // Rows as the plan would make them; granting one by one looks at all others here.
    for planned in first.plan().changes() {
        match &planned.change {
            Change::Grant { roles } => catalog.rows.extend(roles.iter().map(|group| {
                let (group, member) = (group.clone(), planned.role.clone());
                let usable = group != marker();
                let grantor = name(BOOTSTRAP);
                Row { group, member, grantor, admin: false, inherit: usable, set: usable }
            })),
            _ => catalog.apply(planned, &checked).unwrap(),
        }
    }
    let mut observed = observe(&catalog, &full);
    assert!(timed("steady", &observed, &full).plan().is_empty());
    observed.foreign_superusers = 1;
    let empty = wanted_roles(&[]);
    let held = timed("everybody leaves", &observed, &empty);
    assert_eq!(held.held().len(), 20_000);
}
