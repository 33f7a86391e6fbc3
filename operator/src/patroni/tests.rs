use std::collections::BTreeMap;

use serde_json::json;

use super::{Members, leader};

fn members(all: &[(&str, &str, &str, serde_json::Value)]) -> Members {
    let members: Vec<_> = all
        .iter()
        .map(|(name, role, state, lag)| {
            json!({ "name": name, "role": role, "state": state, "lag": lag, "port": 5432 })
        })
        .collect();
    serde_json::from_value(json!({ "members": members, "scope": "acid" }))
        .expect("as Patroni has it")
}

#[test]
fn the_leader_is_who_the_annotation_names() {
    let named = BTreeMap::from([("leader".to_owned(), "acid-0".to_owned())]);
    assert_eq!(leader(&named), Some("acid-0"));
    assert_eq!(leader(&BTreeMap::from([("leader".to_owned(), String::new())])), None);
    assert_eq!(leader(&BTreeMap::new()), None);
}

#[test]
fn a_synchronous_standby_comes_before_one_that_is_less_behind() {
    let all = members(&[
        ("acid-0", "leader", "running", json!(null)),
        ("acid-1", "replica", "streaming", json!(0)),
        ("acid-2", "sync_standby", "streaming", json!(16)),
    ]);
    assert_eq!(all.candidate(|_| true), Some("acid-2"));
    assert_eq!(all.candidate(|name| name != "acid-2"), Some("acid-1"));
}

#[test]
fn the_one_that_is_least_behind_takes_over() {
    let all = members(&[
        ("acid-0", "leader", "running", json!(null)),
        ("acid-1", "replica", "streaming", json!("unknown")),
        ("acid-2", "replica", "running", json!(512)),
    ]);
    assert_eq!(all.candidate(|_| true), Some("acid-2"));
}

#[test]
fn nobody_takes_over_who_does_not_run() {
    let all = members(&[
        ("acid-0", "leader", "running", json!(null)),
        ("acid-1", "replica", "starting", json!(0)),
        ("acid-2", "replica", "stopped", json!(0)),
    ]);
    assert_eq!(all.candidate(|_| true), None);
}
