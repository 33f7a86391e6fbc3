use std::time::{Duration, Instant};

use crate::approve::PlanId;
use crate::service::confirm::Confirm;

const HALF_AN_HOUR: Duration = Duration::from_secs(1800);
const MOMENT: Duration = Duration::from_nanos(1);

fn plan(text: &str) -> PlanId {
    text.parse().unwrap()
}

/// What is due after the same plan was seen at these times.
fn due_after(times: &[Duration]) -> bool {
    let (mut confirm, start, id) =
        (Confirm::default(), Instant::now(), plan("0f3a5c7e9b1d2c4d6e8fa0b1c2d3e4f5"));
    for time in times {
        confirm.observe(Some(&id), start + *time);
    }
    confirm.due(Some(HALF_AN_HOUR)) == Some(&id)
}

#[test]
fn a_plan_is_released_when_it_stayed_for_the_whole_time_and_not_before() {
    let minute = Duration::from_secs(60);
    assert!(!due_after(&[Duration::ZERO, minute, HALF_AN_HOUR - MOMENT]));
    assert!(due_after(&[Duration::ZERO, minute, HALF_AN_HOUR]));
    assert!(due_after(&[Duration::ZERO, minute, HALF_AN_HOUR + MOMENT]));
}

#[test]
fn a_plan_has_to_be_seen_at_three_passes() {
    assert!(!due_after(&[Duration::ZERO]));
    assert!(!due_after(&[Duration::ZERO, HALF_AN_HOUR * 2]));
    assert!(due_after(&[Duration::ZERO, HALF_AN_HOUR * 2, HALF_AN_HOUR * 3]));
}

#[test]
fn a_changed_plan_begins_anew() {
    let (mut confirm, start) = (Confirm::default(), Instant::now());
    let (one, other) =
        (plan("0f3a5c7e9b1d2c4d6e8fa0b1c2d3e4f5"), plan("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    for minute in 0..40 {
        confirm.observe(Some(&one), start + Duration::from_secs(60) * minute);
    }
    assert_eq!(confirm.due(Some(HALF_AN_HOUR)), Some(&one));
    confirm.observe(Some(&other), start + Duration::from_secs(60) * 40);
    assert_eq!(confirm.due(Some(HALF_AN_HOUR)), None);
    confirm.observe(Some(&one), start + Duration::from_secs(60) * 41);
    assert_eq!(confirm.due(Some(HALF_AN_HOUR)), None);
}

#[test]
fn what_is_not_held_any_more_is_forgotten() {
    let (mut confirm, start, id) =
        (Confirm::default(), Instant::now(), plan("0f3a5c7e9b1d2c4d6e8fa0b1c2d3e4f5"));
    for minute in 0..40 {
        confirm.observe(Some(&id), start + Duration::from_secs(60) * minute);
    }
    confirm.observe(None, start + Duration::from_secs(60) * 40);
    confirm.observe(Some(&id), start + Duration::from_secs(60) * 41);
    assert_eq!(confirm.due(Some(HALF_AN_HOUR)), None);
}

#[test]
fn nothing_is_released_where_it_is_never_to_be() {
    let (mut confirm, start, id) =
        (Confirm::default(), Instant::now(), plan("0f3a5c7e9b1d2c4d6e8fa0b1c2d3e4f5"));
    for hour in 0..1000 {
        confirm.observe(Some(&id), start + Duration::from_secs(3600) * hour);
    }
    assert_eq!(confirm.due(None), None);
}
