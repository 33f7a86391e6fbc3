//! Pods that nobody may disturb: Patroni is paused, or one does what must not be interrupted.

use super::{Pod, Step, View, Waiting, Why, cluster, marked, next, waits};
use crate::rolling::{Life, Situation};

/// Whatever takes a pod down or its lead away.
fn disturbed() -> Vec<Situation> {
    let changes: [fn(&mut Situation); 6] = [
        |now| now.pods[1].marked = true,
        |now| now.pods[0].marked = true,
        |now| now.pods[0].leaves_node = true,
        |now| (now.pods[0].goes, now.held) = (true, true),
        |now| (now.pods[1].marked, now.pods[1].ready, now.pods[1].life) = (true, false, Life::Dead),
        |now| {
            now.pods.truncate(1);
            (now.wanted, now.pods[0].marked) = (1, true);
        },
    ];
    let situations = changes.into_iter().map(|change| {
        let mut now = cluster(2);
        change(&mut now);
        assert!(matches!(next(&now), Step::Delete { .. } | Step::SwitchOver { .. }), "{now:?}");
        now
    });
    situations.collect()
}

fn view(now: &mut Situation) -> &mut View {
    now.view.as_mut().expect("a view").as_mut().expect("a good one")
}

#[test]
fn while_patroni_is_paused_no_pod_is_made_anew_and_nobody_hands_over() {
    for mut now in disturbed() {
        now.pauses = Some(true);
        assert_eq!(waits(&now), Waiting::Pauses);
        now.view = None;
        assert!(matches!(next(&now), Step::Wait(Waiting::Pauses) | Step::Ask), "{now:?}");
    }
}

#[test]
fn where_its_settings_are_elsewhere_a_member_says_whether_patroni_is_paused() {
    for mut now in disturbed() {
        now.pauses = None;
        assert!(matches!(next(&now), Step::Delete { .. } | Step::SwitchOver { .. }));
        view(&mut now).members.pause = true;
        assert_eq!(waits(&now), Waiting::Pauses);
        now.view = None;
        assert_eq!(next(&now), Step::Ask);
    }
    let mut now = marked(1, &[0]);
    (now.pauses, now.view) = (None, Some(Err("no answer".to_owned())));
    let step = Step::Delete { pod: "db-0".to_owned(), why: Why::Rolls };
    assert_eq!(next(&now), step, "nobody can say so");
}

#[test]
fn where_no_pod_runs_nobody_waits_for_the_end_of_a_pause() {
    let mut now = marked(1, &[0]);
    (now.pauses, now.view) = (Some(true), None);
    (now.pods[0].ready, now.pods[0].life) = (false, Life::Dead);
    assert_eq!(next(&now), Step::Delete { pod: "db-0".to_owned(), why: Why::IsDown });
}

#[test]
fn a_pod_in_a_critical_operation_is_left_alone() {
    // A backup is being restored there.
    let mut now = marked(1, &[0]);
    (now.leader, now.view) = (None, None);
    (now.pods[0].ready, now.pods[0].role, now.pods[0].critical) = (false, None, true);
    assert_eq!(waits(&now), Waiting::Critical("db-0".to_owned()));
    now.pods[0].critical = false;
    assert_eq!(next(&now), Step::Delete { pod: "db-0".to_owned(), why: Why::IsDown });
    let critical = |change: fn(&mut Pod)| {
        let mut now = cluster(2);
        now.pods[0].critical = true;
        change(&mut now.pods[0]);
        next(&now)
    };
    let waiting = Step::Wait(Waiting::Critical("db-0".to_owned()));
    assert_eq!(critical(|pod| pod.marked = true), waiting);
    assert_eq!(critical(|pod| pod.leaves_node = true), waiting);
    let dead = |pod: &mut Pod| (pod.marked, pod.ready, pod.life) = (true, false, Life::Dead);
    assert!(matches!(critical(dead), Step::Delete { .. }), "nothing is interrupted");
}
