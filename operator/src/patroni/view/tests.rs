use serde_json::{Value, json};

use super::{View, is_on, tells_streaming};

fn view(all: &[(&str, &str, &str, Value)], is_synchronous: bool) -> View {
    let members: Vec<_> = all
        .iter()
        .map(|(name, role, state, lag)| {
            json!({ "name": name, "role": role, "state": state, "lag": lag, "port": 5432 })
        })
        .collect();
    let members = serde_json::from_value(json!({ "members": members, "scope": "acid" }));
    View { members: members.expect("as Patroni has it"), is_synchronous, tells_streaming: true }
}

#[test]
fn a_synchronous_standby_comes_before_one_that_is_less_behind() {
    let all = [
        ("acid-0", "leader", "running", json!(null)),
        ("acid-1", "replica", "streaming", json!(0)),
        ("acid-2", "sync_standby", "streaming", json!(16)),
    ];
    assert_eq!(view(&all, false).candidates(|_| Some(0)), ["acid-2", "acid-1"]);
    assert_eq!(view(&all, true).candidates(|_| Some(0)), ["acid-2"], "others may lack a write");
}

#[test]
fn the_one_that_is_least_behind_takes_over() {
    let all = [
        ("acid-0", "leader", "running", json!(null)),
        ("acid-1", "replica", "streaming", json!("unknown")),
        ("acid-2", "replica", "streaming", json!(512)),
        ("acid-3", "replica", "streaming", json!(64)),
    ];
    let candidates = ["acid-3", "acid-2", "acid-1"];
    assert_eq!(view(&all, false).candidates(|_| Some(0)), candidates);
}

#[test]
fn whoever_follows_the_archive_has_not_caught_up_and_comes_after_all_that_stream() {
    let mut all = [
        ("acid-0", "leader", "running", json!(null)),
        ("acid-1", "replica", "in archive recovery", json!(0)),
        ("acid-2", "replica", "in archive recovery", json!(10_000_000_000_u64)),
        ("acid-3", "replica", "streaming", json!(512)),
        ("acid-4", "replica", "in archive recovery", json!("unknown")),
    ];
    let rank = |name: &str| Some(u8::from(name == "acid-3"));
    let own = view(&all, false);
    assert_eq!(own.candidates(rank), ["acid-3", "acid-1"]);
    assert!(own.streams("acid-3") && !own.streams("acid-1"));
    all[1].1 = "sync_standby";
    assert!(!view(&all, true).has_synchronous_standby());
    // A standby cluster may have nothing else to follow.
    all[0].1 = "standby_leader";
    assert!(view(&all, false).streams("acid-2"));
}

#[test]
fn nobody_takes_over_whose_tags_say_that_it_never_leads() {
    let tagged = |tags: Value| {
        let member = json!({ "name": "a", "role": "replica", "state": "streaming", "tags": tags });
        let members = serde_json::from_value(json!({ "members": [member] })).expect("members");
        let view = View { members, is_synchronous: false, tells_streaming: true };
        view.candidates(|_| Some(0)).is_empty()
    };
    assert!(tagged(json!({ "nofailover": true })) && tagged(json!({ "failover_priority": 0 })));
    assert!(!tagged(json!({})) && !tagged(json!({ "failover_priority": 1 })));
    assert!(!tagged(json!({ "nofailover": false, "failover_priority": 0 })));
}

#[test]
fn a_standby_cluster_has_no_synchronous_standby_whatever_its_settings_say() {
    let with = |standby: Value| {
        let config = json!({ "synchronous_mode": true, "standby_cluster": standby });
        super::is_synchronous_mode(&config)
    };
    assert!(with(json!(null)) && with(json!({})));
    assert!(!with(json!({ "host": "10.0.0.1" })));
}

#[test]
fn whoever_would_have_to_move_again_comes_after_who_is_further_behind() {
    let all = [
        ("acid-0", "leader", "running", json!(null)),
        ("acid-1", "replica", "streaming", json!(0)),
        ("acid-2", "replica", "streaming", json!(512)),
        ("acid-3", "replica", "streaming", json!(0)),
    ];
    let rank = |name: &str| match name {
        "acid-1" => Some(1),
        "acid-2" => Some(0),
        _ => None,
    };
    assert_eq!(view(&all, false).candidates(rank), ["acid-2", "acid-1"]);
}

#[test]
fn nobody_takes_over_who_does_not_run() {
    let all = [
        ("acid-0", "leader", "running", json!(null)),
        ("acid-1", "replica", "starting", json!(0)),
        ("acid-2", "replica", "stopped", json!(0)),
        ("acid-3", "replica", "", json!("unknown")),
    ];
    assert!(view(&all, false).candidates(|_| Some(0)).is_empty());
}

#[test]
fn a_leader_is_no_candidate_of_its_own_and_a_standby_cluster_has_one_as_well() {
    for role in ["leader", "standby_leader"] {
        let all = view(&[("acid-0", role, "streaming", json!(0))], false);
        assert!(all.candidates(|_| Some(0)).is_empty());
        assert_eq!(all.leader(), Some("acid-0"));
    }
}

#[test]
fn who_catches_up_does_not_stream_unless_patroni_is_too_old_to_say_so() {
    let mut view = view(&[("acid-1", "replica", "running", json!(0))], false);
    assert!(!view.streams("acid-1"));
    view.tells_streaming = false;
    assert!(view.streams("acid-1"));
    assert!(!view.streams("acid-2"), "nobody knows it");
}

#[test]
fn patroni_says_since_3_1_who_streams() {
    assert!(!tells_streaming("3.0.2") && !tells_streaming("2.1.4"));
    assert!(tells_streaming("3.1.0") && tells_streaming("4.0.4") && tells_streaming(""));
}

#[test]
fn synchronous_mode_has_many_words() {
    for on in [json!(true), json!("quorum"), json!("on"), json!(1)] {
        assert!(is_on(&on), "{on}");
    }
    for off in [json!(false), json!(null), json!("off"), json!("False"), json!(0)] {
        assert!(!is_on(&off), "{off}");
    }
}
