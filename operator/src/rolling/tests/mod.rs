mod fewer;
mod leave;
mod marks;
mod pauses;
mod seen;
mod world;

use serde_json::json;

use super::{Idle, Life, Limit, Pod, Situation, Step, Stranded, Waiting, Why, next};
use crate::build::names::Role;
use crate::patroni::View;

/// One that is well; -0 leads.
fn pod(ordinal: i32) -> Pod {
    Pod {
        name: format!("db-{ordinal}"),
        ordinal,
        role: Some(if ordinal == 0 { Role::Master } else { Role::Replica }),
        ready: true,
        life: Life::Runs,
        marked: false,
        deleting: false,
        goes: false,
        leaves_node: false,
        stranded: None,
        critical: false,
    }
}

fn view(members: &[(&str, &str, &str)], is_synchronous: bool) -> View {
    let of = |(name, role, state): &(&str, &str, &str)| json!({ "name": name, "role": role, "state": state, "lag": 0 });
    let members: Vec<_> = members.iter().map(of).collect();
    let members = serde_json::from_value(json!({ "members": members })).expect("members");
    View { members, is_synchronous, tells_streaming: true }
}

/// So many, all well, in synchronous mode: -0 leads and -1 is the synchronous standby.
fn cluster(size: i32) -> Situation {
    let names: Vec<String> = (0..size).map(|ordinal| format!("db-{ordinal}")).collect();
    let members: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(ordinal, name)| match ordinal {
            0 => (name.as_str(), "leader", "running"),
            1 => (name.as_str(), "sync_standby", "streaming"),
            _ => (name.as_str(), "replica", "streaming"),
        })
        .collect();
    Situation {
        paused: false,
        rolls: false,
        wanted: names.len(),
        held: false,
        pauses: Some(false),
        pods: (0..size).map(pod).collect(),
        leader: Some("db-0".to_owned()),
        view: Some(Ok(view(&members, true))),
        switches: false,
        restarts: None,
        opens: None,
        overdue: false,
        drained: false,
    }
}

fn marked(size: i32, ordinals: &[usize]) -> Situation {
    let mut now = cluster(size);
    for ordinal in ordinals {
        now.pods[*ordinal].marked = true;
    }
    now
}

fn remakes(step: &Step) -> &str {
    match step {
        Step::Delete { pod, .. } => pod,
        other => panic!("{other:?}"),
    }
}

fn switches(from: &str, why: Why, candidates: Vec<String>) -> Step {
    Step::SwitchOver { from: from.to_owned(), why, candidates, at: None }
}

#[track_caller]
fn waits(now: &Situation) -> Waiting {
    match next(now) {
        Step::Wait(waiting) => waiting,
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_marks_nothing_is_done() {
    assert_eq!(next(&cluster(3)), Step::Nothing(Idle::UpToDate));
}

#[test]
fn replicas_come_first_and_a_synchronous_one_comes_behind_others() {
    assert_eq!(remakes(&next(&marked(3, &[0, 1, 2]))), "db-2");
    assert_eq!(remakes(&next(&marked(3, &[0, 1]))), "db-1");
    assert_eq!(remakes(&next(&marked(2, &[0, 1]))), "db-1");
}

#[test]
fn the_primary_hands_over_before_it_is_made_anew() {
    let step = next(&marked(3, &[0]));
    let candidates = vec!["db-1".to_owned()];
    assert_eq!(step, switches("db-0", Why::Rolls, candidates));
    let mut asynchronous = marked(3, &[0]);
    let members = [
        ("db-0", "leader", "running"),
        ("db-1", "replica", "streaming"),
        ("db-2", "replica", "starting"),
    ];
    asynchronous.view = Some(Ok(view(&members, false)));
    assert_eq!(waits(&asynchronous), Waiting::Streams(vec!["db-2".to_owned()]));
}

#[test]
fn who_led_before_is_made_anew_once_another_has_the_label() {
    let mut now = marked(2, &[0]);
    now.leader = Some("db-1".to_owned());
    now.pods[0].ready = false;
    assert_eq!(waits(&now), Waiting::Label("db-1".to_owned()));
    now.pods[1].role = Some(Role::Master);
    now.pods[0].role = None;
    let step = Step::Delete { pod: "db-0".to_owned(), why: Why::IsDown };
    assert_eq!(next(&now), step, "it is a standby that starts");
    now.pods[0].ready = true;
    assert_eq!(waits(&now), Waiting::Label("db-0".to_owned()));
    now.pods[0].role = Some(Role::Replica);
    let members = [("db-1", "leader", "running"), ("db-0", "sync_standby", "streaming")];
    now.view = Some(Ok(view(&members, true)));
    assert_eq!(remakes(&next(&now)), "db-0");
}

#[test]
fn two_pods_with_the_label_of_the_primary_are_no_two_leaders() {
    // The old one was killed, and its label stays.
    let mut now = marked(2, &[0, 1]);
    now.leader = Some("db-1".to_owned());
    now.pods[1].role = Some(Role::Master);
    now.pods[0].ready = false;
    assert_eq!(remakes(&next(&now)), "db-0");
}

#[test]
fn a_single_pod_is_restarted_without_a_switchover() {
    let mut now = marked(1, &[0]);
    now.view = None;
    assert_eq!(remakes(&next(&now)), "db-0");
    now.pods[0].ready = false;
    assert_eq!(remakes(&next(&now)), "db-0");
}

#[test]
fn a_dead_primary_is_made_anew_without_a_switchover() {
    let mut now = marked(2, &[0, 1]);
    now.view = None;
    (now.pods[0].ready, now.pods[0].life) = (false, Life::Dead);
    assert_eq!(next(&now), Step::Delete { pod: "db-0".to_owned(), why: Why::IsDown });
}

#[test]
fn a_primary_whose_sidecar_alone_is_dead_hands_over() {
    let mut now = marked(2, &[0]);
    (now.pods[0].ready, now.pods[0].life) = (false, Life::Partly);
    assert!(matches!(next(&now), Step::SwitchOver { .. }));
}

#[test]
fn what_is_down_anyway_is_made_anew_first_whatever_else_is_down() {
    let mut now = marked(3, &[0, 1, 2]);
    (now.pods[1].ready, now.pods[1].life) = (false, Life::Dead);
    now.pods.remove(2);
    assert_eq!(remakes(&next(&now)), "db-1", "the StatefulSet makes -2 behind it");
}

#[test]
fn replicas_whose_sidecar_alone_is_dead_go_one_after_the_other() {
    // PostgreSQL of all streams.
    for life in [Life::Partly, Life::Runs] {
        let mut now = marked(3, &[0, 1, 2]);
        for pod in &mut now.pods[1..] {
            (pod.ready, pod.life) = (false, life);
        }
        assert_eq!(remakes(&next(&now)), "db-1");
        now.pods[1].deleting = true;
        assert_eq!(waits(&now), Waiting::Deleting("db-1".to_owned()));
        let old = now.pods.remove(1);
        assert_eq!(waits(&now), Waiting::Missing { there: 2, wanted: 3 });
        now.pods.insert(1, Pod { marked: false, deleting: false, life: Life::Runs, ..old });
        assert_eq!(waits(&now), Waiting::NotReady(vec!["db-1".to_owned()]));
        now.pods[1].ready = true;
        assert_eq!(remakes(&next(&now)), "db-2");
    }
}

#[test]
fn a_pod_that_is_not_ready_does_not_wait_for_those_that_are_made_behind_it() {
    let mut now = marked(3, &[1]);
    (now.pods[1].ready, now.pods[1].life) = (false, Life::Partly);
    now.pods.remove(2);
    assert_eq!(remakes(&next(&now)), "db-1");
    let mut now = marked(2, &[0]);
    (now.pods[0].ready, now.pods[0].life) = (false, Life::Partly);
    now.pods.remove(1);
    assert_eq!(remakes(&next(&now)), "db-0");
}

#[test]
fn what_was_said_of_another_leader_is_not_used() {
    let mut now = marked(2, &[0, 1]);
    now.leader = Some("db-1".to_owned());
    now.pods[1].role = Some(Role::Master);
    now.pods[0].role = Some(Role::Replica);
    assert!(matches!(waits(&now), Waiting::Silent(problem) if problem.contains("db-0 leads")));
}

#[test]
fn a_pod_that_is_well_stays_while_another_is_not() {
    let all = || marked(3, &[0, 1]);
    let mut now = all();
    now.pods[2].ready = false;
    assert_eq!(waits(&now), Waiting::NotReady(vec!["db-2".to_owned()]));
    let mut now = all();
    now.pods.remove(2);
    assert_eq!(waits(&now), Waiting::Missing { there: 2, wanted: 3 });
    let mut now = all();
    (now.pods[1].deleting, now.pods[1].ready) = (true, false);
    assert_eq!(waits(&now), Waiting::Deleting("db-1".to_owned()));
    assert_eq!(waits(&now).limit(), Limit::Deletion);
    let mut now = all();
    now.pods[2].role = None;
    assert_eq!(waits(&now), Waiting::Label("db-2".to_owned()));
}

#[test]
fn a_member_is_asked_before_anything_is_disturbed() {
    let mut now = marked(2, &[0, 1]);
    now.view = None;
    assert_eq!(next(&now), Step::Ask);
    now.view = Some(Err("no answer".to_owned()));
    assert_eq!(waits(&now), Waiting::Silent("no answer".to_owned()));
}

#[test]
fn the_next_one_waits_until_there_is_a_synchronous_standby_again() {
    let mut now = marked(2, &[0]);
    let members = [("db-0", "leader", "running"), ("db-1", "replica", "streaming")];
    now.view = Some(Ok(view(&members, true)));
    assert_eq!(waits(&now), Waiting::NoSynchronousStandby);
}

#[test]
fn a_primary_stays_while_nobody_could_take_over() {
    let mut now = marked(2, &[0, 1]);
    now.leader = None;
    assert_eq!(waits(&now), Waiting::NoLeader);
    let mut now = marked(2, &[0]);
    let members = [("db-0", "leader", "running"), ("db-1", "replica", "stopped")];
    now.view = Some(Ok(view(&members, false)));
    assert_eq!(waits(&now), Waiting::Streams(vec!["db-1".to_owned()]));
}

#[test]
fn a_primary_that_goes_hands_over_to_one_that_stays() {
    let mut now = cluster(3);
    (now.wanted, now.leader) = (2, Some("db-2".to_owned()));
    now.pods[2].goes = true;
    let members = [
        ("db-2", "leader", "running"),
        ("db-0", "replica", "streaming"),
        ("db-1", "sync_standby", "streaming"),
    ];
    now.view = Some(Ok(view(&members, true)));
    let candidates = vec!["db-1".to_owned()];
    let step = switches("db-2", Why::ScalesDown, candidates);
    assert_eq!(next(&now), step);
    now.pods[1].goes = true;
    assert_eq!(waits(&now), Waiting::NoCandidate("db-2".to_owned()));
}

#[test]
fn whoever_could_take_over_from_a_primary_that_goes_is_made_well_first() {
    for life in [Life::Partly, Life::Runs] {
        let mut now = marked(2, &[0]);
        (now.wanted, now.leader) = (1, Some("db-1".to_owned()));
        (now.pods[0].ready, now.pods[0].life) = (false, life);
        now.pods[1].goes = true;
        let members = [("db-1", "leader", "running"), ("db-0", "replica", "stopped")];
        now.view = Some(Ok(view(&members, false)));
        assert_eq!(next(&now), Step::Delete { pod: "db-0".to_owned(), why: Why::IsDown });
    }
}

#[test]
fn a_pod_that_goes_is_not_made_anew_before() {
    let mut now = marked(3, &[2]);
    (now.wanted, now.pods[2].goes) = (2, true);
    assert_eq!(next(&now), Step::Nothing(Idle::UpToDate));
}

#[test]
fn a_primary_leaves_its_node_for_a_pod_that_need_not_move() {
    let mut now = cluster(3);
    let members = [
        ("db-0", "leader", "running"),
        ("db-1", "replica", "streaming"),
        ("db-2", "replica", "streaming"),
    ];
    now.view = Some(Ok(view(&members, false)));
    (now.pods[0].leaves_node, now.pods[1].leaves_node) = (true, true);
    let candidates = vec!["db-2".to_owned(), "db-1".to_owned()];
    let step = switches("db-0", Why::LeavesNode, candidates);
    assert_eq!(next(&now), step);
}

#[test]
fn where_every_pod_leaves_its_node_a_replica_moves_before_the_primary_hands_over() {
    let mut now = cluster(2);
    now.pods.iter_mut().for_each(|pod| pod.leaves_node = true);
    assert_eq!(next(&now), Step::Delete { pod: "db-1".to_owned(), why: Why::LeavesNode });
    now.pods[1].stranded = Some(Stranded::Landed);
    assert_eq!(waits(&now), Waiting::Landed("db-1".to_owned()));
    now.pods[1].leaves_node = false;
    assert!(matches!(next(&now), Step::SwitchOver { .. }));
}

#[test]
fn nobody_takes_over_who_would_have_to_hand_over_again() {
    let mut now = marked(2, &[0]);
    now.pods[1].leaves_node = true;
    assert_eq!(next(&now), Step::Delete { pod: "db-1".to_owned(), why: Why::LeavesNode });
    let mut now = marked(2, &[1]);
    now.pods[0].leaves_node = true;
    assert_eq!(next(&now), Step::Delete { pod: "db-1".to_owned(), why: Why::Rolls });
    now.pods[0].ready = false;
    assert!(matches!(next(&now), Step::SwitchOver { .. }), "there is no time");
}

#[test]
fn a_single_pod_leaves_its_node_by_being_made_anew() {
    let mut now = cluster(1);
    now.pods[0].leaves_node = true;
    assert_eq!(next(&now), Step::Delete { pod: "db-0".to_owned(), why: Why::LeavesNode });
}

#[test]
fn replicas_are_left_to_whoever_empties_the_node() {
    let mut now = cluster(2);
    now.pods[1].leaves_node = true;
    assert_eq!(next(&now), Step::Nothing(Idle::UpToDate));
}

#[test]
fn who_is_paused_is_left_alone() {
    for change in [
        (|pod: &mut Pod| pod.marked = true) as fn(&mut Pod),
        |pod| pod.leaves_node = true,
        |pod| pod.goes = true,
        |pod| (pod.marked, pod.ready, pod.life) = (true, false, Life::Dead),
    ] {
        let mut now = cluster(2);
        now.paused = true;
        change(&mut now.pods[0]);
        assert_eq!(next(&now), Step::Nothing(Idle::Paused));
    }
}

#[test]
fn while_postgresql_of_a_pod_is_restarted_no_other_pod_is_disturbed() {
    for change in [
        (|pod: &mut Pod| pod.marked = true) as fn(&mut Pod),
        |pod| pod.leaves_node = true,
        |pod| pod.goes = true,
    ] {
        let mut now = cluster(2);
        now.restarts = Some("db-1".to_owned());
        change(&mut now.pods[0]);
        assert_eq!(waits(&now), Waiting::Restarts("db-1".to_owned()));
    }
}

#[test]
fn while_a_primary_hands_over_nothing_else_is_done() {
    let mut now = marked(2, &[0, 1]);
    now.switches = true;
    assert_eq!(waits(&now), Waiting::Switches);
    let mut now = marked(2, &[0]);
    let view = now.view.as_mut().expect("a view").as_mut().expect("a good one");
    let at = "2026-11-26T03:00:00+00:00".to_owned();
    view.members.scheduled_switchover = Some(crate::patroni::Scheduled { at: at.clone() });
    assert_eq!(waits(&now), Waiting::Scheduled(at));
}

#[test]
fn it_is_over_when_the_last_pod_is_back() {
    let mut now = cluster(2);
    now.rolls = true;
    now.pods[0].ready = false;
    assert_eq!(waits(&now), Waiting::NotReady(vec!["db-0".to_owned()]));
    now.pods[0].ready = true;
    assert_eq!(next(&now), Step::Nothing(Idle::UpToDate));
}
