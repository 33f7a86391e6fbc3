//! Nodes that are emptied, one after the other or all at once.

use jiff::Timestamp;

use super::{
    Pod, Situation, Step, Stranded, Waiting, Why, cluster, marked, next, switches, view, waits,
};
use crate::rolling::{Idle, Limit};

fn remade(pod: &str, why: Why) -> Step {
    Step::Delete { pod: pod.to_owned(), why }
}

fn later() -> Timestamp {
    "2026-11-28T01:00:00Z".parse().expect("a time")
}

/// -0 leads on a node that goes, and this is true of -1, the one that may take over.
fn leaving(change: impl Fn(&mut Pod)) -> Situation {
    let mut now = cluster(2);
    now.pods[0].leaves_node = true;
    change(&mut now.pods[1]);
    now
}

#[test]
fn outside_of_a_maintenance_window_the_primary_leaves_when_the_next_one_opens() {
    let mut now = leaving(|_| ());
    now.opens = Some(later());
    let candidates = vec!["db-1".to_owned()];
    let (from, why, at) = ("db-0".to_owned(), Why::LeavesNode, now.opens);
    assert_eq!(next(&now), Step::SwitchOver { from, why, candidates, at });
    // A rolling update does not wait for it.
    let mut now = marked(2, &[0]);
    now.opens = Some(later());
    assert_eq!(next(&now), switches("db-0", Why::Rolls, vec!["db-1".to_owned()]));
    let mut now = cluster(1);
    (now.pods[0].leaves_node, now.opens) = (true, Some(later()));
    assert_eq!(waits(&now), Waiting::Window(later()));
    assert_eq!(waits(&now).limit(), Limit::Never);
}

#[test]
fn a_second_switchover_is_not_scheduled() {
    let mut now = leaving(|_| ());
    now.opens = Some(later());
    let view = now.view.as_mut().expect("a view").as_mut().expect("a good one");
    let at = later().to_string();
    view.members.scheduled_switchover = Some(crate::patroni::Scheduled { at: at.clone() });
    assert_eq!(waits(&now), Waiting::Scheduled(at));
    // The window that it waits for is no more.
    now.opens = None;
    assert!(matches!(next(&now), Step::SwitchOver { at: None, .. }));
}

/// With a switchover to come.
fn scheduled(mut now: Situation, at: &str) -> Situation {
    let view = now.view.as_mut().expect("a view").as_mut().expect("a good one");
    view.members.scheduled_switchover = Some(crate::patroni::Scheduled { at: at.to_owned() });
    now.opens = Some(later());
    now
}

/// As Patroni writes it.
const LATER: &str = "2026-11-28T01:00:00+00:00";

#[test]
fn a_switchover_for_a_node_that_stays_after_all_is_withdrawn() {
    let mut now = scheduled(cluster(2), LATER);
    assert_eq!(next(&now), Step::Nothing(Idle::UpToDate), "nobody was told that it is to be");
    now.drained = true;
    assert_eq!(next(&now), Step::Withdraw { at: LATER.to_owned() });
    now.view = None;
    assert_eq!(next(&now), Step::Ask);
    let mut now = scheduled(cluster(2), "2026-11-28T02:00:00+00:00");
    now.drained = true;
    assert_eq!(next(&now), Step::Nothing(Idle::UpToDate), "somebody else wants that one");
}

#[test]
fn a_rolling_update_does_not_wait_until_the_primary_leaves_its_node() {
    let mut now = marked(2, &[1]);
    now.pods[0].leaves_node = true;
    let now = scheduled(now, LATER);
    assert_eq!(next(&now), Step::Withdraw { at: LATER.to_owned() });
    let mut now = marked(2, &[1]);
    (now.pods[0].leaves_node, now.opens) = (true, Some(later()));
    assert_eq!(next(&now), remade("db-1", Why::Rolls));
    let now = scheduled(marked(2, &[1]), "2026-11-28T02:00:00+00:00");
    assert!(matches!(waits(&now), Waiting::Scheduled(_)), "somebody else wants that one");
}

#[test]
fn who_would_have_to_be_made_anew_as_well_is_so_before_it_leads() {
    let of = |change: fn(&mut Pod)| next(&leaving(change));
    assert_eq!(of(|pod| pod.leaves_node = true), remade("db-1", Why::LeavesNode));
    assert_eq!(of(|pod| pod.marked = true), remade("db-1", Why::Rolls));
    let both = |pod: &mut Pod| (pod.leaves_node, pod.marked) = (true, true);
    assert_eq!(of(both), remade("db-1", Why::Rolls));
    // The same for a primary that is to be made anew itself.
    let mut now = marked(2, &[0]);
    now.pods[1].leaves_node = true;
    assert_eq!(next(&now), remade("db-1", Why::LeavesNode));
}

#[test]
fn where_a_replica_cannot_move_the_primary_stays_and_a_rolling_update_goes_on() {
    for (stranded, waiting) in [
        (Stranded::Landed, Waiting::Landed("db-1".to_owned())),
        (Stranded::NoNode, Waiting::NoNode("db-1".to_owned())),
    ] {
        let change = |pod: &mut Pod| (pod.leaves_node, pod.stranded) = (true, Some(stranded));
        assert_eq!(waits(&leaving(change)), waiting);
        let mut now = marked(2, &[0]);
        change(&mut now.pods[1]);
        assert_eq!(next(&now), switches("db-0", Why::Rolls, vec!["db-1".to_owned()]));
        let mut now = cluster(1);
        change(&mut now.pods[0]);
        assert!(matches!(waits(&now), Waiting::Landed(_) | Waiting::NoNode(_)));
    }
}

#[test]
fn no_replica_moves_while_another_is_down() {
    let mut now = cluster(3);
    now.pods.iter_mut().for_each(|pod| pod.leaves_node = true);
    now.pods[2].ready = false;
    assert_eq!(waits(&now), Waiting::NotReady(vec!["db-2".to_owned()]));
    now.pods.remove(2);
    assert_eq!(waits(&now), Waiting::Missing { there: 2, wanted: 3 });
}

#[test]
fn a_rolling_update_that_does_not_go_on_keeps_no_primary_on_its_node_for_ever() {
    let mut now = cluster(3);
    now.pods[0].leaves_node = true;
    now.pods[1].marked = true;
    now.pods[2].ready = false;
    assert_eq!(waits(&now), Waiting::NotReady(vec!["db-2".to_owned()]));
    now.overdue = true;
    assert_eq!(next(&now), switches("db-0", Why::LeavesNode, vec!["db-1".to_owned()]));
}

#[test]
fn a_primary_that_is_down_does_not_wait_until_its_heir_has_moved() {
    let mut now = marked(2, &[0]);
    (now.pods[0].ready, now.pods[1].leaves_node) = (false, true);
    assert!(matches!(next(&now), Step::SwitchOver { .. }));
}

/// Every node is emptied, one after the other; how often the primary moves.
#[test]
fn an_upgrade_of_all_nodes_moves_the_primary_once_where_a_ready_node_is_there_before() {
    let mut now = cluster(3);
    // All three leave at once, and whoever is made anew comes to a new node.
    now.pods.iter_mut().for_each(|pod| pod.leaves_node = true);
    let mut moves = 0;
    for _ in 0..10 {
        match next(&now) {
            Step::Delete { pod, .. } => {
                let pod = now.pods.iter_mut().find(|own| own.name == pod).expect("it is there");
                pod.leaves_node = false;
                assert_eq!(pod.name, "db-1", "the one that may take over goes first");
            }
            Step::SwitchOver { candidates, .. } => {
                moves += 1;
                now.leader = candidates.first().cloned();
                let members = [
                    ("db-0", "sync_standby", "streaming"),
                    ("db-1", "leader", "running"),
                    ("db-2", "replica", "streaming"),
                ];
                now.view = Some(Ok(view(&members, true)));
            }
            Step::Nothing(_) => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((moves, now.leader.as_deref()), (1, Some("db-1")));
}
