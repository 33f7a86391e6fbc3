use serde_json::{Value, json};

use crate::patroni::dynamic::{Member, next, reason};

/// `reasons`: parameter, before, after; `None`: nothing is pending.
fn member(name: &str, role: &str, reasons: Option<&[(&str, &str, &str)]>) -> Member {
    let all: serde_json::Map<String, Value> = reasons
        .into_iter()
        .flatten()
        .map(|(name, old, new)| ((*name).to_owned(), json!({ "old_value": old, "new_value": new })))
        .collect();
    let instance = serde_json::from_value(json!({
        "state": "running", "role": role, "pending_restart": reasons.is_some(),
        "pending_restart_reason": all, "patroni": { "version": "4.0.4" },
    }));
    let leads = ["primary", "master", "standby_leader"].contains(&role);
    Member { name: name.to_owned(), leads, instance: instance.expect("an instance") }
}

/// The order in which members are restarted, if a restart brings everything.
fn order(mut all: Vec<Member>) -> Vec<String> {
    let mut order = Vec::new();
    while let Some(name) = next(&all, |_| true).map(|member| member.name.clone()) {
        all.retain(|member| member.name != name);
        order.push(name);
    }
    order
}

const UP: (&str, &str, &str) = ("max_connections", "100", "120");
const DOWN: (&str, &str, &str) = ("max_connections", "120", "100");

#[test]
fn replicas_are_restarted_first_and_the_primary_last() {
    let all = |reason| {
        vec![
            member("acid-0", "primary", Some(reason)),
            member("acid-1", "replica", Some(reason)),
            member("acid-2", "replica", Some(reason)),
        ]
    };
    for reason in
        [&[UP][..], &[("wal_level", "replica", "logical")], &[("max_connections", "?", "9")], &[]]
    {
        assert_eq!(order(all(reason)), ["acid-1", "acid-2", "acid-0"], "{reason:?}");
    }
}

#[test]
fn the_primary_is_first_where_all_that_is_pending_shrinks() {
    for parameter in [
        "max_connections",
        "max_prepared_transactions",
        "max_locks_per_transaction",
        "max_worker_processes",
        "max_wal_senders",
    ] {
        let down = &[(parameter, "10", "9"), DOWN][..];
        let all =
            vec![member("acid-0", "replica", Some(down)), member("acid-1", "master", Some(down))];
        assert_eq!(order(all), ["acid-1", "acid-0"], "{parameter}");
    }
    // Other parameters may shrink where they like.
    let down = &[("autovacuum_max_workers", "5", "3")][..];
    let all =
        vec![member("acid-0", "replica", Some(down)), member("acid-1", "primary", Some(down))];
    assert_eq!(order(all), ["acid-0", "acid-1"]);
}

#[test]
fn what_grows_and_shrinks_at_once_restarts_a_replica_on_both_sides_of_its_primary() {
    let both = &[DOWN, ("max_wal_senders", "10", "12")][..];
    let primary = || member("acid-0", "primary", Some(both));
    let at_first = [primary(), member("acid-1", "replica", Some(both))];
    assert_eq!(next(&at_first, |_| true).map(|own| own.name.as_str()), Some("acid-1"));
    // What grows is done there, and what shrinks cannot be yet.
    let then = [primary(), member("acid-1", "replica", Some(&[DOWN]))];
    assert_eq!(next(&then, |_| true).map(|own| own.name.as_str()), Some("acid-0"));
    let at_last = [member("acid-0", "primary", None), member("acid-1", "replica", Some(&[DOWN]))];
    assert_eq!(next(&at_last, |_| true).map(|own| own.name.as_str()), Some("acid-1"));
}

#[test]
fn whoever_may_not_is_passed_over_and_nobody_is_restarted_without_a_reason() {
    let all = [
        member("acid-0", "primary", Some(&[UP])),
        member("acid-1", "replica", Some(&[UP])),
        member("acid-2", "replica", Some(&[UP])),
    ];
    let but = |out: &'static str| move |member: &Member| member.name != out;
    assert_eq!(next(&all, but("acid-1")).map(|own| own.name.as_str()), Some("acid-2"));
    assert_eq!(next(&[member("acid-0", "primary", None)], |_| true), None);
}

#[test]
fn a_standby_cluster_has_a_leader_as_well() {
    let all = vec![
        member("acid-0", "standby_leader", Some(&[UP])),
        member("acid-1", "replica", Some(&[UP])),
    ];
    assert_eq!(order(all), ["acid-1", "acid-0"]);
}

#[test]
fn a_reason_names_parameters_with_their_values() {
    let both = member("acid-0", "primary", Some(&[("wal_level", "replica", "logical"), UP]));
    let wanted = "max_connections: 100 -> 120, wal_level: replica -> logical";
    assert_eq!(reason(&both.instance), wanted);
}
