use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::connect::Dsn;
use crate::desired::ServerRules;
use crate::plan::tests::style;

fn server(name: &str, team: &str) -> Server {
    Server {
        name: name.to_owned(),
        dsn: Dsn::parse("host=localhost user=postgres", &|_| None).unwrap(),
        standbys: Vec::new(),
        system_identifier: None,
        rules: ServerRules {
            team: Some(team.to_owned()),
            additional_teams: BTreeSet::new(),
            levels: BTreeMap::new(),
            vocabulary: BTreeSet::new(),
        },
        style: style(),
    }
}

fn cluster(identifier: &str) -> Observed {
    let observed = crate::observed::tests::server(16, []);
    Observed { system_identifier: identifier.to_owned(), ..observed }
}

#[test]
fn a_name_that_was_forgotten_may_mean_another_cluster() {
    let known = Identities::default();
    known.check(&server("orders", "acid"), &cluster("1")).unwrap();
    known.check(&server("stock", "acid"), &cluster("2")).unwrap();
    let other = known.check(&server("orders", "acid"), &cluster("3"));
    assert!(matches!(other, Err(SyncError::OtherServer { .. })), "{other:?}");
    known.forget("orders");
    known.check(&server("orders", "acid"), &cluster("3")).unwrap();
    let other = known.check(&server("stock", "acid"), &cluster("3"));
    assert!(matches!(other, Err(SyncError::OtherServer { .. })), "{other:?}");
}

#[test]
fn a_cluster_whose_first_name_was_forgotten_may_have_other_rules_under_another() {
    let known = Identities::default();
    known.check(&server("orders", "acid"), &cluster("1")).unwrap();
    let other = known.check(&server("new", "crew"), &cluster("1"));
    assert!(matches!(other, Err(SyncError::SameServer { .. })), "{other:?}");
    known.forget("stock");
    let other = known.check(&server("new", "crew"), &cluster("1"));
    assert!(matches!(other, Err(SyncError::SameServer { .. })), "{other:?}");
    known.forget("orders");
    known.check(&server("new", "crew"), &cluster("1")).unwrap();
}

#[test]
fn nobody_else_can_claim_to_be_a_server_whose_identifier_is_configured() {
    let known = Identities::default();
    let expecting =
        |name: &str| Server { system_identifier: Some("1".to_owned()), ..server(name, name) };
    // It says what it read of the other one.
    known.check(&expecting("liar"), &cluster("1")).unwrap();
    known.check(&expecting("orders"), &cluster("1")).unwrap();
    let other = known.check(&expecting("orders"), &cluster("2"));
    assert!(matches!(other, Err(SyncError::OtherServer { .. })), "{other:?}");
}
