use std::time::Duration;

use tokio::time::Instant;

use super::Switchover;

const MOST: Duration = Duration::from_secs(300);

#[test]
fn one_is_asked_at_a_time_and_a_refusal_is_followed_by_longer_and_longer_pauses() {
    let start = Instant::now();
    let mut switchover = Switchover::default();
    assert!(switchover.begins(start));
    assert!(!switchover.begins(start), "it is under way");
    switchover.ended(start, Err("412".to_owned()), MOST);
    assert_eq!(switchover.problem.as_deref(), Some("412"));
    assert!(!switchover.begins(start));
    let second = start + Duration::from_secs(2);
    assert!(switchover.begins(second));
    switchover.ended(second, Err("412".to_owned()), MOST);
    assert!(!switchover.begins(second + Duration::from_secs(3)));
    assert!(switchover.begins(second + Duration::from_secs(4)));
    for _ in 0..40 {
        switchover.ended(second, Err("412".to_owned()), MOST);
    }
    assert!(switchover.begins(second + MOST), "no pause is longer than this");
}

#[test]
fn a_success_begins_anew() {
    let now = Instant::now();
    let mut switchover = Switchover::default();
    switchover.ended(now, Err("503".to_owned()), MOST);
    switchover.ended(now, Ok(()), MOST);
    assert!(switchover.begins(now));
    assert_eq!(switchover.problem, None);
}
