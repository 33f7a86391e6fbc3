use std::time::Duration;

use tokio::time::Instant;

use super::Switchover;

const MOST: Duration = Duration::from_secs(300);

#[test]
fn a_refusal_is_followed_by_longer_and_longer_pauses() {
    let start = Instant::now();
    let mut switchover = Switchover::default();
    assert!(switchover.is_due(start));
    switchover.ended(start, Err("412".to_owned()), MOST);
    assert_eq!(switchover.problem.as_deref(), Some("412"));
    assert!(!switchover.is_due(start));
    let second = start + Duration::from_secs(2);
    assert!(switchover.is_due(second));
    switchover.ended(second, Err("412".to_owned()), MOST);
    assert!(!switchover.is_due(second + Duration::from_secs(3)));
    assert!(switchover.is_due(second + Duration::from_secs(4)));
    for _ in 0..40 {
        switchover.ended(second, Err("412".to_owned()), MOST);
    }
    assert!(switchover.is_due(second + MOST), "no pause is longer than this");
}

#[test]
fn a_success_begins_anew() {
    let now = Instant::now();
    let mut switchover = Switchover::default();
    switchover.ended(now, Err("503".to_owned()), MOST);
    switchover.ended(now, Ok(()), MOST);
    assert!(switchover.is_due(now));
    assert_eq!(switchover.problem, None);
}
