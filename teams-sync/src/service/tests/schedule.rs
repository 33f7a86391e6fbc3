use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::{Act, PERIOD, Running, Scripted, config};
use crate::service::{Setup, Signal, pace};

fn assert_near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{found:?} and not {expected:?}");
    for (found_at, expected_at) in found.iter().zip(expected) {
        assert!((found_at - expected_at).abs() < 0.1, "{found:?} and not {expected:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_pass_is_at_once_and_the_others_are_at_the_place_of_the_server() {
    let service = Running::start(Scripted::new(&["a", "b"], |_, _| Act::Succeed)).await;
    service.until(100).await;
    let fetches: Vec<_> = service.work.fetches.lock().unwrap().clone();
    let fetches: Vec<_> = fetches.iter().map(Duration::as_secs_f64).collect();
    assert_near(&fetches, &[0.0, 30.0, 60.0, 90.0]);
    for server in ["a", "b"] {
        let place = pace::offset(server, PERIOD).as_secs_f64();
        let starts = service.work.starts_of(server);
        assert_near(&starts, &[0.0, 30.0 + place, 60.0 + place, 90.0 + place]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_hangs_holds_up_nobody() {
    let work = Scripted::new(&["a", "b"], |server, _| match server {
        "a" => Act::Hang,
        _ => Act::Succeed,
    });
    let service = Running::start(work).await;
    service.until(1000).await;
    assert_eq!(service.work.starts_of("a").len(), 1);
    assert!(service.work.starts_of("b").len() >= 33);
    assert_eq!(service.status("/healthz"), 200);
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_goes_on_with_the_newest_facts_and_not_with_each() {
    let work = Scripted::new(&["a"], |_, _| Act::Take(Duration::from_secs(70)));
    let service = Running::start(work).await;
    service.until(200).await;
    let place = pace::offset("a", PERIOD).as_secs_f64();
    let starts = service.work.starts_of("a");
    // Facts came at 60, so its place has passed by 70; then at 120, before 140 (or 142).
    assert!((starts[1] - 70.0_f64.max(60.0 + place)).abs() < 0.1, "{starts:?}");
    assert_eq!(starts.len(), 3, "{starts:?}");
}

#[tokio::test(start_paused = true)]
async fn fetches_do_not_pile_up() {
    let mut work = Scripted::new(&["a"], |_, _| Act::Succeed);
    work.fetch_takes = Duration::from_secs(75);
    let service = Running::start(work).await;
    service.until(200).await;
    let fetches: Vec<_> = service.work.fetches.lock().unwrap().clone();
    let fetches: Vec<_> = fetches.iter().map(Duration::as_secs_f64).collect();
    assert_near(&fetches, &[0.0, 75.0, 150.0]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_is_left_alone_longer_each_time_whatever_is_new() {
    let service = Running::start(Scripted::new(&["a"], |_, _| Act::Fail)).await;
    service.until(3000).await;
    let starts = service.work.starts_of("a");
    let mut expected = vec![0.0];
    for failures in 1..20 {
        let next = expected.last().unwrap() + pace::pause("a", PERIOD, failures).as_secs_f64();
        if next < 3000.0 {
            expected.push(next);
        }
    }
    assert_near(&starts, &expected);
    assert!(starts.len() < 13, "{starts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_the_pauses() {
    let work = Scripted::new(&["a"], |_, number| match number {
        0..=2 | 4 => Act::Fail,
        _ => Act::Succeed,
    });
    let service = Running::start(work).await;
    service.until(600).await;
    let starts = service.work.starts_of("a");
    let pause = |failures| pace::pause("a", PERIOD, failures).as_secs_f64();
    assert_near(&[starts[3]], &[pause(1) + pause(2) + pause(3)]);
    // Of the fifth pass, which failed, the first pause again.
    assert_near(&[starts[5] - starts[4]], &[pause(1)]);
    assert!(starts.len() > 10);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_pass_and_no_end() {
    let work = Scripted::new(&["a", "b"], |server, number| match (server, number) {
        ("a", 0) => Act::Panic,
        _ => Act::Succeed,
    });
    let service = Running::start(work).await;
    service.until(100).await;
    assert!(service.work.starts_of("a").len() >= 3);
    assert!(service.work.starts_of("b").len() >= 4);
    let metrics = service.metrics();
    assert!(metrics.contains(r#"teams_sync_failures_total{server="a",kind="bug"} 1"#), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn no_more_servers_than_allowed_are_worked_on_at_a_time() {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    let names: Vec<String> = (0..20).map(|number| format!("server-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let work = Scripted::new(&names, |_, _| {
        NOW.fetch_add(1, Ordering::SeqCst);
        Act::Take(Duration::from_secs(10))
    });
    let mut config = config(&names);
    config.apply.parallel = 3;
    *work.setups.lock().unwrap() = [Setup::of(config, &[])].into();
    let service = Running::start(work).await;
    for (seconds, started) in [(5, 3), (15, 6), (25, 9)] {
        service.until(seconds).await;
        assert_eq!(NOW.load(Ordering::SeqCst), started);
    }
    service.until(69).await;
    let passes = service.work.passes.lock().unwrap().clone();
    let reached: std::collections::BTreeSet<_> = passes.iter().map(|pass| &pass.server).collect();
    assert_eq!(reached.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_held_plan_that_stays_is_released_once() {
    const ID: &str = "0f3a5c7e9b1d2c4d6e8fa0b1c2d3e4f5";
    let work = Scripted::new(&["a"], |_, number| match number {
        // In between nothing was seen, which changes nothing.
        2 => Act::Fail,
        _ => Act::Hold(ID),
    });
    let service = Running::start(work).await;
    service.until(220).await;
    let passes = service.work.passes_of("a");
    let released: Vec<_> = passes.iter().filter(|pass| !pass.released.is_empty()).collect();
    assert_eq!(released.len(), 1, "{passes:?}");
    assert_eq!(released[0].released, [ID.parse().unwrap()].into());
    // It stayed for two minutes, as was seen at a pass before.
    let place = pace::offset("a", PERIOD);
    assert!(released[0].start > Duration::from_secs(120) + place, "{passes:?}");
}

#[tokio::test(start_paused = true)]
async fn ready_is_who_had_a_pass_over_every_server_whatever_came_of_it() {
    let mut work = Scripted::new(&["a", "b"], |server, _| match server {
        "a" => Act::Fail,
        _ => Act::Take(Duration::from_secs(10)),
    });
    work.fetch_takes = Duration::from_secs(3);
    let service = Running::start(work).await;
    service.until(1).await;
    assert_eq!((service.status("/readyz"), service.status("/healthz")), (503, 200));
    service.until(5).await;
    assert_eq!(service.status("/readyz"), 503);
    service.until(14).await;
    assert_eq!(service.status("/readyz"), 200);
}

#[tokio::test(start_paused = true)]
async fn at_the_end_passes_that_run_end_and_none_begins() {
    let work = Scripted::new(&["a", "b"], |server, _| match server {
        "a" => Act::Take(Duration::from_secs(10)),
        _ => Act::Succeed,
    });
    let service = Running::start(work).await;
    service.until(5).await;
    service.send(Signal::Stop).await;
    let start = service.work.start;
    service.task.await.unwrap();
    assert_near(&[start.elapsed().as_secs_f64()], &[10.0]);
    assert!(service.work.passes_of("a").iter().all(|pass| pass.ended));
    tokio::time::sleep(PERIOD * 10).await;
    assert_eq!(service.work.passes.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_is_dropped_after_twenty_seconds() {
    let service = Running::start(Scripted::new(&["a"], |_, _| Act::Hang)).await;
    service.until(5).await;
    service.send(Signal::Stop).await;
    let start = service.work.start;
    service.task.await.unwrap();
    assert_near(&[start.elapsed().as_secs_f64()], &[25.0]);
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_at_once() {
    let service = Running::start(Scripted::new(&["a"], |_, _| Act::Hang)).await;
    service.until(5).await;
    service.send(Signal::Stop).await;
    service.send(Signal::Reload).await;
    service.send(Signal::Stop).await;
    let start = service.work.start;
    service.task.await.unwrap();
    assert_near(&[start.elapsed().as_secs_f64()], &[5.0]);
}
