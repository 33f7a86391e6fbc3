use std::time::Duration;

use super::{Act, PERIOD, Running, Scripted, config, setup};
use crate::service::{Service, Setup, Signal, pace};

#[tokio::test(start_paused = true)]
async fn servers_come_and_go_and_a_fresh_pass_is_at_once() {
    let work = Scripted::new(&["a", "b"], |_, _| Act::Succeed).then(setup(&["b", "c"]));
    let service = Running::start(work).await;
    service.until(10).await;
    service.send(Signal::Reload).await;
    service.until(20).await;
    assert_eq!(service.work.starts_of("a").len(), 1);
    for (server, at) in [("b", 1), ("c", 0)] {
        let starts = service.work.starts_of(server);
        assert!((starts[at] - 10.0).abs() < 0.1, "{server}: {starts:?}");
    }
    let metrics = service.metrics();
    assert!(!metrics.contains(r#"server="a""#) && !metrics.contains("team of a"), "{metrics}");
    assert!(metrics.contains(r#"server="c""#) && metrics.contains("team of c"), "{metrics}");
    assert!(metrics.contains("teams_sync_config_reloads_total 1"), "{metrics}");
    service.until(1000).await;
    assert_eq!(service.work.starts_of("a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_broken_configuration_changes_nothing() {
    let work = Scripted::new(&["a"], |_, _| Act::Succeed).then(Err("line 1".to_owned()));
    let service = Running::start(work).await;
    service.until(10).await;
    service.send(Signal::Reload).await;
    service.until(100).await;
    let starts = service.work.starts_of("a");
    assert_eq!(starts.len(), 4, "{starts:?}");
    let metrics = service.metrics();
    assert!(metrics.contains("teams_sync_config_reload_failures_total 1"), "{metrics}");
    assert!(service.board.summary().contains("refused"));
}

#[tokio::test(start_paused = true)]
async fn a_reload_ends_the_pause_of_a_server_that_fails() {
    let work = Scripted::new(&["a"], |_, _| Act::Fail).then(setup(&["a"]));
    let service = Running::start(work).await;
    service.until(300).await;
    let before = service.work.starts_of("a").len();
    service.send(Signal::Reload).await;
    service.until(301).await;
    assert_eq!(service.work.starts_of("a").len(), before + 1);
    // And the next pause is the first one again.
    service.until(340).await;
    let starts = service.work.starts_of("a");
    let pause = starts[before + 1] - starts[before];
    assert!((pause - pace::pause("a", PERIOD, 1).as_secs_f64()).abs() < 0.1, "{starts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pass_over_a_server_that_vanished_comes_to_its_end() {
    let work = Scripted::new(&["a", "b"], |server, _| match server {
        "a" => Act::Take(Duration::from_secs(20)),
        _ => Act::Succeed,
    });
    let service = Running::start(work.then(setup(&["b"]))).await;
    service.until(10).await;
    service.send(Signal::Reload).await;
    service.until(200).await;
    let passes = service.work.passes_of("a");
    assert_eq!(passes.len(), 1);
    assert!(passes[0].ended);
    assert!(!service.metrics().contains(r#"server="a""#));
}

#[tokio::test(start_paused = true)]
async fn answers_to_the_old_configuration_are_not_used_for_the_new_one() {
    let mut work = Scripted::new(&["a"], |_, _| Act::Succeed).then(setup(&["a"]));
    work.fetch_takes = Duration::from_secs(10);
    let service = Running::start(work).await;
    service.until(5).await;
    service.send(Signal::Reload).await;
    service.until(14).await;
    assert_eq!(service.work.starts_of("a"), [0.0; 0]);
    service.until(16).await;
    assert_eq!(service.work.starts_of("a").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn fewer_or_more_servers_at_a_time_count_from_the_next_turn_on() {
    let with = |parallel| {
        let mut config = config(&["a", "b", "c", "d", "e", "f"]);
        config.apply.parallel = parallel;
        Setup::of(config, &[])
    };
    let work = Scripted::new(&[], |_, _| Act::Take(Duration::from_secs(10)));
    *work.setups.lock().unwrap() = [with(4), with(1), with(2)].into();
    let service = Running::start(work).await;
    let running = || {
        let passes = service.work.passes.lock().unwrap();
        passes.iter().filter(|pass| !pass.ended).count()
    };
    service.until(1).await;
    assert_eq!(running(), 4);
    service.send(Signal::Reload).await;
    service.until(25).await;
    assert_eq!(running(), 1);
    service.send(Signal::Reload).await;
    service.until(26).await;
    assert_eq!(running(), 2);
}

#[tokio::test]
async fn an_address_that_is_taken_is_a_broken_configuration() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listening = |address| {
        let mut config = config(&["a"]);
        config.service.listen = Some(address);
        Setup::of(config, &[])
    };
    let work = Scripted::new(&[], |_, _| Act::Succeed);
    *work.setups.lock().unwrap() = [listening(taken.local_addr().unwrap())].into();
    let (_signals, receiver) = tokio::sync::mpsc::channel(1);
    let notifier = crate::service::Notifier::new(None).unwrap();
    let error = Service::start(std::sync::Arc::new(work), receiver, notifier, None).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("cannot be listened on"), "{error}");

    let work = Scripted::new(&[], |_, _| Act::Succeed);
    let free = "127.0.0.1:0".parse().unwrap();
    *work.setups.lock().unwrap() = [listening(free), listening(taken.local_addr().unwrap())].into();
    let service = Running::start(work).await;
    service.send(Signal::Reload).await;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if service.board.state().refused_reloads == 1 {
            return;
        }
    }
    panic!("the reload was not refused");
}
