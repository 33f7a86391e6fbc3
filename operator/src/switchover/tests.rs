use std::time::Duration;

use tokio::time::Instant;

use super::Switchover;

const MOST: Duration = Duration::from_secs(300);

#[test]
fn a_refusal_is_followed_by_longer_and_longer_pauses() {
    let start = Instant::now();
    let mut switchover = Switchover::default();
    assert!(switchover.is_due(start));
    switchover.ended(start, "a-1", Err("412".to_owned()), MOST);
    assert_eq!(switchover.problem.as_deref(), Some("412"));
    assert!(!switchover.is_due(start));
    let second = start + Duration::from_secs(2);
    assert!(switchover.is_due(second));
    switchover.ended(second, "a-1", Err("412".to_owned()), MOST);
    assert!(!switchover.is_due(second + Duration::from_secs(3)));
    assert!(switchover.is_due(second + Duration::from_secs(4)));
    for _ in 0..40 {
        switchover.ended(second, "a-1", Err("412".to_owned()), MOST);
    }
    assert!(switchover.is_due(second + MOST), "no pause is longer than this");
}

#[test]
fn a_success_begins_anew() {
    let now = Instant::now();
    let mut switchover = Switchover::default();
    switchover.ended(now, "a-1", Err("503".to_owned()), MOST);
    switchover.ended(now, "a-1", Ok(()), MOST);
    assert!(switchover.is_due(now));
    assert_eq!(switchover.problem, None);
}

#[test]
fn who_could_not_take_over_comes_after_all_others() {
    let now = Instant::now();
    let mut switchover = Switchover::default();
    let all = ["a-1".to_owned(), "a-2".to_owned()];
    for wanted in ["a-1", "a-2", "a-1"] {
        let next = switchover.next("a-0", &all).expect("one");
        assert_eq!(next, wanted);
        switchover.ended(now, &next, Err("412".to_owned()), MOST);
    }
    assert_eq!(switchover.next("a-2", &all[..1]).as_deref(), Some("a-1"), "another one leads");
    assert_eq!(switchover.next("a-0", &[]), None);
}
