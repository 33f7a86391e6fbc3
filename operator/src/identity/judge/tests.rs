//! What is said of whom.

use std::collections::BTreeSet;

use teams_sync::desired::Problem;
use teams_sync::infrastructure::Infrastructure;

use super::*;
use crate::report::Outcome;

const SECRET: &str = "the Secret acid/app: ";

/// A pass after which nothing but these is to be told.
fn report(problems: BTreeSet<Problem>) -> Report {
    Report { problems, ..Report::empty("acid/acid-orders") }
}

/// The outcome and reason of roles, databases and people, where this is said of somebody.
fn said(problem: &Problem, definition: Option<Definition>, frozen: bool) -> [Said; 3] {
    let frozen_robots = frozen.then(|| "a Secret cannot be read".to_owned());
    let secrets = definition.map(|own| (problem.subject.clone(), own)).into_iter().collect();
    let facts = Facts {
        desired: &Desired { frozen_robots, ..Desired::default() },
        known: &BTreeMap::new(),
        defined: &Defined::new(&Infrastructure::default(), secrets),
        roles: &report(BTreeSet::from([problem.clone()])),
        databases: Some(&DatabaseReport::default()),
        lookup: None,
        retired: &Retired::default(),
        is_dry_run: false,
        complaint: None,
    };
    let findings: [_; 3] = judge(&facts).findings.try_into().unwrap();
    findings.map(|(_, own)| (own.outcome, own.reason))
}

type Said = (Outcome, &'static str);
const WELL: Said = (Outcome::Done, "Synced");

#[test]
fn what_is_said_of_a_definition_is_a_matter_of_roles_and_not_of_people() {
    let problem = Problem::new("app".to_owned(), format!("{SECRET}it has no password"));
    let unknown = (Outcome::Partly, "InfrastructureRolesUnknown");
    for (definition, wanted, frozen) in [
        (Definition::WrongSecret, (Outcome::Failed, "RolesFailed"), false),
        (Definition::WrongSecret, (Outcome::Failed, "RolesFailed"), true),
        (Definition::NoSecret, (Outcome::Waiting, "SecretsFirst"), false),
        (Definition::NoSecret, (Outcome::Waiting, "SecretsFirst"), true),
        (Definition::Broken, unknown, false),
        (Definition::Broken, unknown, true),
    ] {
        let what = format!("{definition:?} {frozen}");
        assert_eq!(said(&problem, Some(definition), frozen), [wanted, WELL, WELL], "{what}");
    }
    // Of somebody whom a team names and nobody else.
    let people = (Outcome::Failed, "PeopleFailed");
    assert_eq!(said(&problem, None, false), [WELL, WELL, people]);
}

#[test]
fn of_infrastructure_roles_names_and_secrets_are_known() {
    let problems = vec![Problem::new("Secret acid/robots".to_owned(), "user1 is empty".to_owned())];
    let robots = Infrastructure { problems, ..Infrastructure::default() };
    let defined = Defined::new(&robots, BTreeMap::from([("app".to_owned(), Definition::NoSecret)]));
    assert_eq!(defined.of("Secret acid/robots"), Some(Definition::Broken));
    assert_eq!(defined.of("app"), Some(Definition::NoSecret));
    assert_eq!(defined.of("alice"), None);
}
