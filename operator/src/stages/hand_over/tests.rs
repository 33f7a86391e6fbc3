use std::time::Duration;

use tokio::time::Instant;

use super::{HandOver, Step, ordinal, step};

const MOST: Duration = Duration::from_secs(300);

#[test]
fn a_primary_that_stays_lets_the_others_go() {
    assert_eq!(step(1, 3, Some(0), true), Step::Go);
    assert_eq!(step(2, 3, Some(1), true), Step::Go);
}

#[test]
fn a_primary_that_goes_hands_over_first() {
    assert_eq!(step(1, 3, Some(1), true), Step::HandOver);
    assert_eq!(step(2, 3, Some(2), true), Step::HandOver);
}

#[test]
fn nobody_goes_while_the_primary_is_not_known() {
    assert_eq!(step(1, 3, None, true), Step::Wait);
}

#[test]
fn pods_that_never_had_a_role_go_without_a_primary() {
    assert_eq!(step(1, 3, None, false), Step::Go);
}

#[test]
fn whoever_wants_none_or_more_waits_for_nobody() {
    assert_eq!(step(0, 3, None, true), Step::Go);
    assert_eq!(step(0, 3, Some(2), true), Step::Go);
    assert_eq!(step(4, 3, Some(2), true), Step::Go);
    assert_eq!(step(3, 3, None, true), Step::Go);
}

#[test]
fn one_is_asked_at_a_time_and_a_refusal_is_followed_by_longer_and_longer_pauses() {
    let start = Instant::now();
    let mut hand_over = HandOver::default();
    assert!(hand_over.begins(start));
    assert!(!hand_over.begins(start), "it is under way");
    hand_over.ended(start, Err("412".to_owned()), MOST);
    assert_eq!(hand_over.problem.as_deref(), Some("412"));
    assert!(!hand_over.begins(start));
    let second = start + Duration::from_secs(2);
    assert!(hand_over.begins(second));
    hand_over.ended(second, Err("412".to_owned()), MOST);
    assert!(!hand_over.begins(second + Duration::from_secs(3)));
    assert!(hand_over.begins(second + Duration::from_secs(4)));
    for _ in 0..40 {
        hand_over.ended(second, Err("412".to_owned()), MOST);
    }
    assert!(hand_over.begins(second + MOST), "no pause is longer than this");
}

#[test]
fn a_success_begins_anew() {
    let now = Instant::now();
    let mut hand_over = HandOver::default();
    hand_over.ended(now, Err("503".to_owned()), MOST);
    hand_over.ended(now, Ok(()), MOST);
    assert!(hand_over.begins(now));
    assert_eq!(hand_over.problem, None);
}

#[test]
fn a_pod_has_its_number_at_the_end() {
    assert_eq!(ordinal("acid-2-db-11"), Some(11));
    assert_eq!(ordinal("acid"), None);
}
