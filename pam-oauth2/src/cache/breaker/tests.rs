use std::fs;
use std::sync::Barrier;

use proptest::prelude::*;

use super::super::scratch::Scratch;
use super::*;

const NOW: f64 = 1_753_000_000.1;
const ENDPOINT: &str = "https://login.example.org/tokeninfo";
const LEASE: Duration = Duration::from_secs(5);

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_seconds(NOW + seconds)
}

/// Seconds from now until the next try, where the breaker is open.
fn wait(permit: Permit, now: f64) -> Option<f64> {
    match permit {
        Permit::Open { until, .. } => Some(until.since(at(now))),
        Permit::Closed | Permit::Probe => None,
    }
}

fn is_about(found: Option<f64>, expected: f64) -> bool {
    found.is_some_and(|found| (found - expected).abs() < ROUNDING)
}

#[test]
fn it_opens_with_the_third_failure_in_a_row() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let breaker = Breaker::new(&directory, ENDPOINT);
    for success in [true, false] {
        for failure in 0..2 {
            assert_eq!(breaker.permit(at(0.0), LEASE), Permit::Closed);
            breaker.failed(at(f64::from(failure)));
        }
        assert_eq!(breaker.permit(at(2.0), LEASE), Permit::Closed);
        if success {
            breaker.succeeded();
        }
    }
    breaker.failed(at(3.0));
    let open = Permit::Open { until: at(4.0), since: at(3.0), failures: 3 };
    assert_eq!(breaker.permit(at(3.0), LEASE), open);
    assert_eq!(breaker.permit(at(3.9), LEASE), open);
}

#[test]
fn when_the_interval_is_over_one_tries_and_the_others_wait_for_it() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let breaker = Breaker::new(&directory, ENDPOINT);
    (0..3).for_each(|_| breaker.failed(at(0.0)));
    assert_eq!(breaker.permit(at(1.0), LEASE), Permit::Probe);
    let open = Permit::Open { until: at(6.0), since: at(0.0), failures: 3 };
    assert_eq!(breaker.permit(at(1.0), LEASE), open);
    assert_eq!(breaker.permit(at(5.9), LEASE), open);
    // It died.
    assert_eq!(breaker.permit(at(6.0), LEASE), Permit::Probe);
    breaker.succeeded();
    assert_eq!(breaker.permit(at(6.0), LEASE), Permit::Closed);
    // And all is forgotten.
    breaker.failed(at(6.0));
    breaker.failed(at(6.0));
    assert_eq!(breaker.permit(at(6.0), LEASE), Permit::Closed);
    breaker.failed(at(6.0));
    assert!(is_about(wait(breaker.permit(at(6.0), LEASE), 6.0), 1.0));
}

#[test]
fn the_interval_doubles_up_to_thirty_seconds() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let breaker = Breaker::new(&directory, ENDPOINT);
    breaker.failed(at(0.0));
    breaker.failed(at(0.0));
    let mut now = 0.0;
    for (n, interval) in [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0].into_iter().enumerate() {
        breaker.failed(at(now));
        let permit = breaker.permit(at(now), LEASE);
        assert!(is_about(wait(permit, now), interval), "{permit:?}");
        let Permit::Open { since, failures, .. } = permit else { panic!() };
        assert_eq!((since, failures as usize), (at(0.0), n + 3));
        now += interval + 0.001;
        assert_eq!(breaker.permit(at(now), LEASE), Permit::Probe);
    }
}

#[test]
fn failures_of_those_who_began_earlier_do_not_lengthen_the_interval() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let breaker = Breaker::new(&directory, ENDPOINT);
    (0..500).for_each(|_| breaker.failed(at(0.0)));
    let open = Permit::Open { until: at(1.0), since: at(0.0), failures: 3 };
    assert_eq!(breaker.permit(at(0.5), LEASE), open);
}

#[test]
fn a_lease_is_thirty_seconds_at_most() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let breaker = Breaker::new(&directory, ENDPOINT);
    (0..3).for_each(|_| breaker.failed(at(0.0)));
    assert_eq!(breaker.permit(at(1.0), Duration::from_secs(3600)), Permit::Probe);
    assert!(is_about(wait(breaker.permit(at(1.0), LEASE), 1.0), 30.0));
    assert_eq!(breaker.permit(at(31.1), LEASE), Permit::Probe);
}

#[test]
fn a_clock_that_was_set_back_does_not_keep_it_open() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let breaker = Breaker::new(&directory, ENDPOINT);
    (0..3).for_each(|_| breaker.failed(at(0.0)));
    for back in [3600.0, 31.0, 29.1] {
        assert_eq!(breaker.permit(at(-back), LEASE), Permit::Probe);
        // Nor does what the wrong clock left hit later.
        assert_eq!(breaker.permit(at(0.5), LEASE), Permit::Probe);
        breaker.succeeded();
        (0..3).for_each(|_| breaker.failed(at(0.0)));
    }
    // Within thirty seconds nobody can tell.
    assert!(is_about(wait(breaker.permit(at(-28.0), LEASE), -28.0), 29.0));
}

#[test]
fn a_clock_that_tells_no_time_closes_nothing_off() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let breaker = Breaker::new(&directory, ENDPOINT);
    let never = Timestamp::from_seconds(f64::INFINITY);
    (0..5).for_each(|_| breaker.failed(never));
    assert_eq!(breaker.permit(never, LEASE), Permit::Closed);
    assert_eq!(breaker.permit(at(0.0), LEASE), Permit::Closed);
}

#[test]
fn each_endpoint_has_its_own() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let [one, other] =
        [ENDPOINT, "https://login.example.org/keys"].map(|e| Breaker::new(&directory, e));
    (0..3).for_each(|_| one.failed(at(0.0)));
    assert_eq!(other.permit(at(0.0), LEASE), Permit::Closed);
    other.succeeded();
    assert!(wait(one.permit(at(0.0), LEASE), 0.0).is_some());
    // Also where one file has the name of the other.
    fs::copy(scratch.file(&one.file), scratch.file(&other.file)).unwrap();
    assert_eq!(other.permit(at(0.0), LEASE), Permit::Closed);
    assert_eq!(all(&directory), [(ENDPOINT.to_owned(), true)]);
}

#[test]
fn what_is_known_of_all_endpoints_can_be_listed() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    assert_eq!(all(&directory), []);
    let open = Breaker::new(&directory, "open");
    (0..3).for_each(|_| open.failed(at(0.0)));
    Breaker::new(&directory, "closed").failed(at(0.0));
    let mut found = all(&directory);
    found.sort();
    assert_eq!(found, [("closed".to_owned(), false), ("open".to_owned(), true)]);
}

#[test]
fn a_service_that_is_well_costs_no_write() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let breaker = Breaker::new(&directory, ENDPOINT);
    assert_eq!(breaker.permit(at(0.0), LEASE), Permit::Closed);
    breaker.succeeded();
    assert!(scratch.names().is_empty());
    breaker.failed(at(0.0));
    breaker.succeeded();
    let inode = || {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(scratch.file(&breaker.file)).unwrap().ino()
    };
    let written = inode();
    assert_eq!(breaker.permit(at(0.0), LEASE), Permit::Closed);
    breaker.succeeded();
    assert_eq!(inode(), written);
}

#[test]
fn a_damaged_file_is_a_closed_breaker_and_healed_by_the_next_failure() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let breaker = Breaker::new(&directory, ENDPOINT);
    (0..3).for_each(|_| breaker.failed(at(0.0)));
    fs::write(scratch.file(&breaker.file), "rubbish").unwrap();
    assert_eq!(breaker.permit(at(0.0), LEASE), Permit::Closed);
    breaker.succeeded();
    directory.write(&breaker.file, b"{\"endpoint\": null}").unwrap();
    assert_eq!(breaker.permit(at(0.0), LEASE), Permit::Closed);
    (0..3).for_each(|_| breaker.failed(at(0.0)));
    assert!(wait(breaker.permit(at(0.0), LEASE), 0.0).is_some());
}

#[test]
fn where_nothing_can_be_written_everybody_tries() {
    let scratch = Scratch::new();
    let directory = Scratch::unwritable();
    let breaker = Breaker::new(&directory, ENDPOINT);
    (0..5).for_each(|_| breaker.failed(at(0.0)));
    breaker.succeeded();
    assert_eq!(breaker.permit(at(0.0), LEASE), Permit::Closed);
    // Whoever only reads sees what there is, and takes nobody's probe.
    let writer = scratch.directory();
    (0..3).for_each(|_| Breaker::new(&writer, ENDPOINT).failed(at(0.0)));
    let directory = scratch.read_only();
    let breaker = Breaker::new(&directory, ENDPOINT);
    assert!(wait(breaker.permit(at(0.5), LEASE), 0.5).is_some());
    assert_eq!(breaker.permit(at(1.0), LEASE), Permit::Probe);
    assert_eq!(breaker.permit(at(1.0), LEASE), Permit::Probe);
    assert_eq!(Breaker::new(&writer, ENDPOINT).permit(at(1.0), LEASE), Permit::Probe);
}

#[test]
fn who_cannot_get_the_lock_goes_on_without() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let breaker = Breaker::new(&directory, ENDPOINT);
    let Locked::Held(_stopped) = breaker.lock() else { panic!() };
    (0..3).for_each(|_| breaker.failed(at(0.0)));
    assert!(wait(breaker.permit(at(0.0), LEASE), 0.0).is_some());
    assert_eq!(breaker.permit(at(1.0), LEASE), Permit::Probe);
    assert!(wait(breaker.permit(at(1.0), LEASE), 1.0).is_some());
    breaker.succeeded();
    assert_eq!(breaker.permit(at(1.0), LEASE), Permit::Closed);
}

/// What 8 processes do at once with the breaker, each with all the patience that it takes.
fn at_once<T: Send>(scratch: &Scratch, act: impl Fn(&Breaker<'_>) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        let actors = (0..8).map(|_| {
            let (directory, start, act) = (scratch.directory(), &start, &act);
            scope.spawn(move || {
                let patience = Duration::from_secs(60);
                let breaker = Breaker { patience, ..Breaker::new(&directory, ENDPOINT) };
                start.wait();
                act(&breaker)
            })
        });
        let actors: Vec<_> = actors.collect();
        actors.into_iter().map(|actor| actor.join().unwrap()).collect()
    })
}

#[test]
fn of_many_who_ask_at_once_one_tries() {
    for _ in 0..20 {
        let scratch = Scratch::new();
        let directory = scratch.directory();
        (0..3).for_each(|_| Breaker::new(&directory, ENDPOINT).failed(at(0.0)));
        let permits = at_once(&scratch, |breaker| breaker.permit(at(1.0), LEASE));
        let open = Permit::Open { until: at(6.0), since: at(0.0), failures: 3 };
        assert_eq!(permits.iter().filter(|permit| **permit == Permit::Probe).count(), 1);
        assert_eq!(permits.iter().filter(|permit| **permit == open).count(), 7);
    }
}

#[test]
fn of_many_who_fail_at_once_one_opens_it() {
    for _ in 0..20 {
        let scratch = Scratch::new();
        let directory = scratch.directory();
        at_once(&scratch, |breaker| breaker.failed(at(0.0)));
        let open = Permit::Open { until: at(1.0), since: at(0.0), failures: 3 };
        assert_eq!(Breaker::new(&directory, ENDPOINT).permit(at(0.0), LEASE), open);
    }
}

#[test]
fn a_failure_that_tells_nothing_new_takes_no_lock() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let breaker = Breaker::new(&directory, ENDPOINT);
    (0..3).for_each(|_| breaker.failed(at(0.0)));
    let lock = scratch.file(&format!("lock-{}", breaker.file));
    fs::remove_file(&lock).unwrap();
    breaker.failed(at(0.5));
    assert!(!lock.exists());
    breaker.failed(at(1.5));
    assert!(lock.exists());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Ask { lease: u8 },
    Back(f64),
    Fail,
    Pass(f64),
    Succeed,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..90).prop_map(|lease| Step::Ask { lease }),
        1 => (0.0..100.0).prop_map(Step::Back),
        4 => Just(Step::Fail),
        4 => (0.0..40.0).prop_map(Step::Pass),
        1 => Just(Step::Succeed),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn it_is_never_open_for_long_and_nobody_tries_during_the_lease_of_another(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let scratch = Scratch::new();
        let directory = scratch.directory();
        let breaker = Breaker::new(&directory, ENDPOINT);
        let onlooker = scratch.read_only();
        let onlooker = Breaker::new(&onlooker, ENDPOINT);
        let (mut now, mut in_a_row) = (0.0, 0);
        // When the latest probe has to be over.
        let mut leased_until = f64::NEG_INFINITY;
        for step in steps {
            match step {
                Step::Ask { lease } => {
                    let permit = breaker.permit(at(now), Duration::from_secs(lease.into()));
                    if permit == Permit::Probe {
                        prop_assert!(now + ROUNDING > leased_until, "a second probe");
                        leased_until = now + f64::from(lease.min(30));
                    }
                }
                Step::Back(seconds) => {
                    now -= seconds;
                    leased_until = f64::NEG_INFINITY;
                }
                Step::Fail => {
                    breaker.failed(at(now));
                    in_a_row += 1;
                    leased_until = f64::NEG_INFINITY;
                }
                Step::Pass(seconds) => now += seconds,
                Step::Succeed => {
                    breaker.succeeded();
                    in_a_row = 0;
                    leased_until = f64::NEG_INFINITY;
                }
            }
            let permit = onlooker.permit(at(now), LEASE);
            prop_assert_eq!(permit == Permit::Closed, in_a_row < 3);
            if let Some(wait) = wait(permit, now) {
                prop_assert!(wait > 0.0 && wait <= 30.0 + ROUNDING, "{}", wait);
                prop_assert_eq!(onlooker.permit(at(now + wait + ROUNDING), LEASE), Permit::Probe);
            }
        }
    }
}
