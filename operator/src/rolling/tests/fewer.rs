//! Pods that are too many, and are not gone yet.

use super::{Step, Waiting, Why, marked, next, switches, waits};
use crate::rolling::{Life, Situation};

/// -0 leads and is marked, and -1 goes.
fn one_of_two() -> Situation {
    let mut now = marked(2, &[0]);
    now.wanted = 1;
    now.pods[1].goes = true;
    now
}

#[test]
fn a_primary_is_not_made_anew_while_a_pod_that_goes_could_take_over() {
    let mut now = one_of_two();
    let waiting = Waiting::TooMany(vec!["db-1".to_owned()]);
    assert_eq!(waits(&now), waiting);
    now.pods[1].deleting = true;
    assert_eq!(waits(&now), waiting, "it takes its time");
    now.pods[1].life = Life::Dead;
    assert_eq!(next(&now), Step::Delete { pod: "db-0".to_owned(), why: Why::Rolls });
    now.pods.remove(1);
    assert_eq!(next(&now), Step::Delete { pod: "db-0".to_owned(), why: Why::Rolls });
}

#[test]
fn nor_does_it_leave_its_node_before() {
    let mut now = one_of_two();
    (now.pods[0].marked, now.pods[0].leaves_node) = (false, true);
    assert_eq!(waits(&now), Waiting::TooMany(vec!["db-1".to_owned()]));
    now.pods.remove(1);
    assert_eq!(next(&now), Step::Delete { pod: "db-0".to_owned(), why: Why::LeavesNode });
}

#[test]
fn a_primary_whose_postgresql_does_not_run_waits_for_nobody() {
    let mut now = one_of_two();
    (now.pods[0].ready, now.pods[0].life) = (false, Life::Dead);
    assert_eq!(next(&now), Step::Delete { pod: "db-0".to_owned(), why: Why::IsDown });
}

#[test]
fn who_is_kept_until_the_primary_has_handed_over_holds_nobody_up() {
    let mut now = marked(3, &[2]);
    (now.wanted, now.held) = (2, true);
    now.leader = Some("db-0".to_owned());
    now.pods[0].goes = true;
    let candidates = vec!["db-1".to_owned()];
    assert_eq!(next(&now), switches("db-0", Why::ScalesDown, candidates));
    let mut now = one_of_two();
    now.held = true;
    now.pods[0].ready = false;
    assert_eq!(next(&now), Step::Delete { pod: "db-0".to_owned(), why: Why::Rolls });
}
