use jiff::Timestamp;

use super::{Windows, check};
use crate::api::spec::PostgresSpec;
use crate::config::Config;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn windows(own: &[&str], general: &[&str]) -> Windows {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let spec = PostgresSpec { maintenance_windows: texts(own), ..PostgresSpec::default() };
    let mut config = Config::default();
    config.operation.enable_maintenance_windows = true;
    config.operation.maintenance_windows = texts(general);
    Windows::of(&spec, &config)
}

#[test]
fn a_window_is_two_times_of_a_day_and_may_name_the_day() {
    for window in ["01:00-06:00", "Sat:00:00-04:00", "sunday:23:00-23:59", "0:00-0:00"] {
        check(window).unwrap_or_else(|error| panic!("{window}: {error}"));
    }
    for window in [
        "",
        "01:00",
        "06:00-01:00",
        "Someday:01:00-02:00",
        "24:00-24:30",
        "1:60-2:00",
        "1:0-2:00",
        "01:00-Sat:02:00",
    ] {
        check(window).expect_err(window);
    }
}

#[test]
fn without_windows_one_is_always_open() {
    assert!(windows(&[], &[]).is_open(at("2026-11-26T12:00:00Z")));
    assert_eq!(windows(&[], &[]).next(at("2026-11-26T12:00:00Z")), None);
}

#[test]
fn a_window_is_open_from_its_first_minute_to_the_one_before_its_last() {
    let windows = windows(&["01:00-06:00"], &[]);
    for (time, is_open) in [
        ("2026-11-26T00:59:59Z", false),
        ("2026-11-26T01:00:00Z", true),
        ("2026-11-26T05:59:59Z", true),
        ("2026-11-26T06:00:00Z", false),
    ] {
        assert_eq!(windows.is_open(at(time)), is_open, "{time}");
    }
}

#[test]
fn a_window_that_ends_where_it_begins_is_a_minute_long() {
    let windows = windows(&["01:00-01:00"], &[]);
    assert!(windows.is_open(at("2026-11-26T01:00:30Z")));
    assert!(!windows.is_open(at("2026-11-26T01:01:00Z")));
}

#[test]
fn a_window_of_a_day_is_open_on_that_day_alone() {
    // A Saturday and a Sunday.
    let windows = windows(&["Sat:01:00-06:00"], &[]);
    assert!(windows.is_open(at("2026-11-28T02:00:00Z")));
    assert!(!windows.is_open(at("2026-11-29T02:00:00Z")));
}

#[test]
fn the_next_window_is_the_one_that_opens_first() {
    let windows = windows(&["Sat:01:00-06:00", "23:00-23:30"], &[]);
    let next = |now: &str| windows.next(at(now)).map(|next| next.to_string());
    assert_eq!(next("2026-11-26T12:00:00Z").as_deref(), Some("2026-11-26T23:00:00Z"));
    assert_eq!(next("2026-11-27T23:45:00Z").as_deref(), Some("2026-11-28T01:00:00Z"));
    assert_eq!(next("2026-11-26T23:10:00Z"), None);
}

#[test]
fn a_window_of_a_day_that_is_over_comes_again_in_a_week() {
    let windows = windows(&["Sat:01:00-06:00"], &[]);
    let next = windows.next(at("2026-11-28T06:00:00Z")).map(|next| next.to_string());
    assert_eq!(next.as_deref(), Some("2026-12-05T01:00:00Z"));
}

#[test]
fn the_windows_of_a_manifest_go_before_those_of_the_configuration() {
    let now = at("2026-11-26T12:00:00Z");
    assert!(!windows(&[], &["01:00-06:00"]).is_open(now));
    assert!(windows(&["11:00-13:00"], &["01:00-06:00"]).is_open(now));
}

#[test]
fn windows_that_are_switched_off_keep_nobody_waiting() {
    let spec = PostgresSpec {
        maintenance_windows: vec!["01:00-06:00".to_owned()],
        ..PostgresSpec::default()
    };
    assert!(Windows::of(&spec, &Config::default()).is_open(at("2026-11-26T12:00:00Z")));
}
