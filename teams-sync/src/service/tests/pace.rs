use std::time::Duration;

use crate::service::pace::{offset, pause};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn servers_have_different_places_within_a_quarter_of_the_period_and_five_seconds() {
    for (period, most) in [(10, 2.5), (20, 5.0), (3600, 5.0)] {
        let all: Vec<f64> = (0..100)
            .map(|number| offset(&format!("server-{number}"), Duration::from_secs(period)))
            .map(|offset| offset.as_secs_f64())
            .collect();
        assert!(all.iter().all(|offset| (0.0..most).contains(offset)), "{all:?}");
        assert!(all.iter().any(|offset| *offset < most * 0.2), "{all:?}");
        assert!(all.iter().any(|offset| *offset > most * 0.8), "{all:?}");
    }
}

#[test]
fn the_place_of_a_server_stays() {
    assert_eq!(offset("prod-1", MINUTE), offset("prod-1", MINUTE));
    assert_ne!(offset("prod-1", MINUTE), offset("prod-2", MINUTE));
}

#[test]
fn the_first_pause_is_a_period_and_the_longest_sixteen() {
    let period = Duration::from_secs(30);
    for server in ["a", "b", "c", "d", "e", "f"] {
        for (failures, least, most) in
            [(1, 30.0, 37.5), (2, 60.0, 75.0), (3, 120.0, 150.0), (5, 384.0, 480.0)]
        {
            let pause = pause(server, period, failures).as_secs_f64();
            assert!((least - 1e-6..=most).contains(&pause), "{failures}: {pause}");
        }
        assert!(pause(server, period, u32::MAX) <= period * 16);
    }
}

#[test]
fn nobody_is_left_alone_for_more_than_ten_minutes() {
    for failures in [1, 4, 5, 1000] {
        let pause = pause("prod-1", MINUTE * 600, failures);
        assert!((MINUTE * 8..=MINUTE * 10).contains(&pause), "{failures}: {pause:?}");
    }
}

#[test]
fn servers_that_failed_at_once_come_back_one_after_the_other() {
    let a = pause("prod-1", MINUTE, 9);
    assert_ne!(a, pause("prod-2", MINUTE, 9));
}
