//! What is said of whom.

use std::collections::BTreeSet;
use std::time::Duration;

use teams_sync::adopt::Findings;
use teams_sync::desired::Problem;
use teams_sync::infrastructure::Infrastructure;

use super::*;
use crate::databases::{DatabaseName, Problem as OfDatabase};
use crate::report::Outcome;

const SECRET: &str = "the Secret acid/app: ";

/// A pass after which nothing but these is to be told.
fn report(problems: BTreeSet<Problem>) -> Report {
    Report {
        server: "acid/acid-orders".to_owned(),
        error: None,
        changes: Vec::new(),
        held: Vec::new(),
        plan_id: None,
        found: Findings::default(),
        later: Vec::new(),
        failures: Vec::new(),
        problems,
        frozen: BTreeMap::new(),
        frozen_robots: None,
        ended: Vec::new(),
        people: 0,
        version: 170_000,
        system_identifier: String::new(),
        elapsed: Duration::ZERO,
    }
}

/// The outcome and reason of roles, databases and people.
fn said(
    problem: &Problem,
    of_robot: bool,
    is_missing: bool,
    databases: &DatabaseReport,
) -> [(Outcome, &'static str); 3] {
    let problems = of_robot.then(|| problem.clone()).into_iter().collect();
    let robots = Infrastructure { problems, ..Infrastructure::default() };
    let missing = is_missing.then(|| problem.subject.clone()).into_iter().collect();
    let facts = Facts {
        desired: &Desired::default(),
        known: &BTreeMap::new(),
        defined: &Defined::new(&robots, missing),
        roles: &report(BTreeSet::from([problem.clone()])),
        databases: Some(databases),
        lookup: None,
        retired: &Retired::default(),
        is_dry_run: false,
        complaint: None,
    };
    let findings = judge(&facts).findings;
    let [roles, databases, people] = findings
        .try_into()
        .map(|all: [_; 3]| all.map(|(_, own)| (own.outcome, own.reason)))
        .unwrap();
    [roles, databases, people]
}

const WELL: (Outcome, &str) = (Outcome::Done, "Synced");

#[test]
fn a_role_whose_secret_is_wrong_is_a_matter_of_roles_and_not_of_people() {
    let problem = Problem::new("app".to_owned(), format!("{SECRET}it has no password"));
    let [roles, databases, people] = said(&problem, true, false, &DatabaseReport::default());
    assert_eq!(roles, (Outcome::Failed, "RolesFailed"));
    assert_eq!((databases, people), (WELL, WELL));
    // Of somebody whom a team names and nobody else.
    let problem = Problem::new("alice".to_owned(), "alice cannot be a role".to_owned());
    let [roles, databases, people] = said(&problem, false, false, &DatabaseReport::default());
    assert_eq!((roles, databases), (WELL, WELL));
    assert_eq!(people, (Outcome::Failed, "PeopleFailed"));
}

#[test]
fn roles_wait_for_secrets_that_are_not_there_yet_and_so_do_their_databases() {
    let problem = Problem::new("app".to_owned(), format!("{SECRET}is not there yet"));
    let ready = DatabaseReport::default();
    let [roles, databases, people] = said(&problem, true, true, &ready);
    assert_eq!(roles, (Outcome::Waiting, "SecretsFirst"));
    assert_eq!((databases, people), (WELL, WELL));
    let missing = OfDatabase {
        database: DatabaseName::parse("", "app").unwrap(),
        field: "spec.databases.app".to_owned(),
        reason: "its owner, the role app, does not exist".to_owned(),
    };
    let waits = DatabaseReport { problems: vec![missing], ..DatabaseReport::default() };
    let [_, databases, _] = said(&problem, true, true, &waits);
    assert_eq!(databases, (Outcome::Waiting, "RolesFirst"));
    let [_, databases, _] = said(&problem, true, false, &waits);
    assert_eq!(databases, (Outcome::Failed, "DatabasesFailed"));
}
