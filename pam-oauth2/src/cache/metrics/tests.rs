use std::fs;
use std::os::unix::fs::symlink;
use std::time::Instant;

use reference::{Document, markdown};
use regex_lite::Regex;

use super::super::Breaker;
use super::super::scratch::Scratch;
use super::*;
use crate::clock::Timestamp;

const LOGIN: Counter = Counter::Login { outcome: Outcome::Accepted, verified_by: VerifiedBy::Jwt };

fn one_login() -> Tally {
    let mut tally = Tally::new();
    tally.count(LOGIN);
    tally.took(Duration::from_millis(3));
    tally
}

/// The lines that show a number other than zero.
fn shown(directory: &Directory) -> Vec<String> {
    let text = render(directory);
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0"));
    lines.map(str::to_owned).collect()
}

/// The number behind a name with its labels.
fn number(text: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    lines.next().unwrap().parse().unwrap()
}

fn logins(directory: &Directory) -> u64 {
    let name = r#"pam_oauth2_logins_total{outcome="accepted",verified_by="jwt"}"#;
    number(&render(directory), name)
}

fn shard(scratch: &Scratch) -> std::path::PathBuf {
    scratch.file(&name_of(std::process::id()))
}

#[test]
fn the_tables_of_the_reference_have_every_metric_and_label() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    Breaker::new(&directory, "https://idp.example.com").failed(Timestamp::from_seconds(1e9));
    let document = Document::read("metrics.md");
    document.generated("pam-oauth2", &reference::metrics(&render(&directory)));
    let mut labels: Vec<(&str, Vec<String>)> = Vec::new();
    for (label, value) in Counter::all().flat_map(Counter::labels) {
        let value = format!("`{value}`");
        match labels.iter_mut().find(|(known, _)| *known == label) {
            Some((_, values)) if values.contains(&value) => {}
            Some((_, values)) => values.push(value),
            None => labels.push((label, vec![value])),
        }
    }
    let rows =
        labels.into_iter().map(|(label, values)| vec![format!("`{label}`"), values.join(" ")]);
    document.generated("pam-oauth2 labels", &markdown(&["label", "values"], rows));
}

#[test]
fn what_logins_leave_adds_up() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    one_login().add_to(&directory);
    let mut tally = one_login();
    tally.count(Counter::Request { endpoint: Endpoint::Jwks, result: Answer::Failed });
    tally.count(Counter::Cache { cache: Cache::Keys, result: Lookup::Stale });
    tally.count(Counter::Cache { cache: Cache::Keys, result: Lookup::Stale });
    tally.count(Counter::BreakerRefusal);
    tally.count_times(Counter::UnusableFile, 5);
    tally.count_times(Counter::UnusableFile, 0);
    tally.add_to(&scratch.directory());
    let expected = [
        r#"pam_oauth2_logins_total{outcome="accepted",verified_by="jwt"} 2"#,
        r#"pam_oauth2_requests_total{endpoint="jwks",result="failed"} 1"#,
        r#"pam_oauth2_cache_total{cache="keys",result="stale"} 2"#,
        "pam_oauth2_breaker_refusals_total 1",
        "pam_oauth2_cache_unusable_files_total 5",
        r#"pam_oauth2_login_seconds_bucket{le="0.005"} 2"#,
        r#"pam_oauth2_login_seconds_bucket{le="0.025"} 2"#,
        r#"pam_oauth2_login_seconds_bucket{le="0.1"} 2"#,
        r#"pam_oauth2_login_seconds_bucket{le="0.5"} 2"#,
        r#"pam_oauth2_login_seconds_bucket{le="1"} 2"#,
        r#"pam_oauth2_login_seconds_bucket{le="2.5"} 2"#,
        r#"pam_oauth2_login_seconds_bucket{le="5"} 2"#,
        r#"pam_oauth2_login_seconds_bucket{le="10"} 2"#,
        r#"pam_oauth2_login_seconds_bucket{le="30"} 2"#,
        r#"pam_oauth2_login_seconds_bucket{le="+Inf"} 2"#,
        "pam_oauth2_login_seconds_sum 0.006",
        "pam_oauth2_login_seconds_count 2",
    ];
    assert_eq!(shown(&directory), expected);
    assert_eq!(shown(&scratch.read_only()), expected);
}

#[test]
fn each_counter_has_a_number_and_a_line_of_its_own() {
    let all: Vec<_> = Counter::all().collect();
    assert_eq!(all.len(), COUNTERS);
    for (n, counter) in all.iter().enumerate() {
        let scratch = Scratch::new();
        let directory = scratch.directory();
        let mut tally = Tally::new();
        tally.count(*counter);
        assert_eq!(tally.counters.iter().position(|number| *number == 1), Some(n));
        tally.add_to(&directory);
        let [line] = &shown(&directory)[..] else { panic!("{counter:?}") };
        let others = counter.labels().into_iter().all(|(_, value)| line.contains(value));
        assert!(line.starts_with(counter.metric().0) && others, "{line}");
    }
}

#[test]
fn the_text_is_what_prometheus_reads() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    one_login().add_to(&directory);
    Breaker::new(&directory, "https://login.example.org").failed(Timestamp::from_seconds(1e9));
    let text = render(&directory);
    assert!(text.ends_with('\n'));
    let sample = Regex::new(
        r#"^(\w+?)(_bucket|_sum|_count)?(\{\w+="[^"\\\n]*"(,\w+="[^"\\\n]*")*\})? [0-9.]+$"#,
    )
    .unwrap();
    let (mut metrics, mut lines) = (Vec::new(), std::collections::BTreeSet::new());
    for line in text.lines() {
        assert!(lines.insert(line.split(' ').next().unwrap_or_default()) || line.starts_with('#'));
        if let Some(help) = line.strip_prefix("# HELP ") {
            metrics.push(help.split(' ').next().unwrap());
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(metrics.last(), Some(&name));
            assert!(["counter", "gauge", "histogram"].contains(&kind));
        } else {
            // Each sample is in the piece of its metric.
            let name = sample.captures(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(metrics.last(), Some(&name.get(1).unwrap().as_str()), "{line}");
        }
    }
    let expected = [
        "pam_oauth2_logins_total",
        "pam_oauth2_requests_total",
        "pam_oauth2_cache_total",
        "pam_oauth2_breaker_refusals_total",
        "pam_oauth2_cache_unusable_files_total",
        "pam_oauth2_login_seconds",
        "pam_oauth2_breaker_open",
    ];
    assert_eq!(metrics, expected);
}

#[test]
fn a_bucket_holds_what_took_as_long_as_its_end_and_no_longer() {
    let whole = |bucket: usize| std::array::from_fn(|n| u64::from(n == bucket));
    for (n, (end, label)) in ENDS.into_iter().enumerate() {
        for (duration, bucket) in [(end, n), (end + Duration::from_nanos(1), n + 1)] {
            let mut tally = Tally::new();
            tally.took(duration);
            assert_eq!(tally.buckets, whole(bucket), "{duration:?}");
        }
        assert_eq!(label.parse::<f64>().unwrap(), end.as_secs_f64());
    }
    let mut tally = Tally::new();
    tally.took(Duration::ZERO);
    assert_eq!(tally.buckets, whole(0));
    tally.took(Duration::MAX);
    tally.took(Duration::MAX);
    assert_eq!((tally.buckets[BUCKETS - 1], tally.microseconds), (2, u64::MAX));
}

#[test]
fn a_breaker_shows_whether_it_is_open() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let [open, once, well] =
        ["a\"b\\c\nd\u{f6}", "once", "well"].map(|endpoint| Breaker::new(&directory, endpoint));
    (0..3).for_each(|_| open.failed(Timestamp::from_seconds(1e9)));
    once.failed(Timestamp::from_seconds(1e9));
    well.succeeded();
    let text = render(&directory);
    assert!(text.contains(r#"pam_oauth2_breaker_open{endpoint="once"} 0"#), "{text}");
    let odd = r#"pam_oauth2_breaker_open{endpoint="a\"b\\c\\nd\\u{f6}"} 1"#;
    assert!(text.contains(odd), "{text}");
    assert!(!text.contains("well"), "{text}");
}

#[test]
fn a_damaged_file_starts_at_zero() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    one_login().add_to(&directory);
    let good = fs::read(shard(&scratch)).unwrap();
    let cuts = (0..good.len()).step_by(29).map(|end| good[..end].to_vec());
    let flips = (0..good.len()).step_by(29).map(|at| {
        let mut damaged = good.clone();
        damaged[at] ^= 1;
        damaged
    });
    let longer = [good.clone(), b"x".to_vec()].concat();
    let others = [&b"odd"[..], &[1; 8], &[1; 440], &[1; 456]].map(seal);
    let large = vec![b'x'; 1 << 20];
    for damaged in cuts.chain(flips).chain(others).chain([longer, large]) {
        fs::write(shard(&scratch), &damaged).unwrap();
        assert_eq!(logins(&directory), 0);
        one_login().add_to(&directory);
        assert_eq!(fs::read(shard(&scratch)).unwrap(), good);
        assert_eq!(logins(&directory), 1);
    }
}

#[test]
fn a_number_stays_at_the_largest() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let mut tally = one_login();
    tally.count_times(LOGIN, u64::MAX);
    tally.add_to(&directory);
    one_login().add_to(&directory);
    assert_eq!(logins(&directory), u64::MAX);
    // Also over several files.
    let other = name_of(std::process::id() + 1);
    fs::copy(shard(&scratch), scratch.file(&other)).unwrap();
    assert_eq!(logins(&directory), u64::MAX);
}

#[test]
fn the_files_of_all_processes_are_added_up() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    one_login().add_to(&directory);
    for process in 0..100 {
        let file = scratch.file(&name_of(process));
        if !file.exists() {
            fs::copy(shard(&scratch), file).unwrap();
        }
    }
    assert_eq!(scratch.names().len(), 16);
    assert_eq!(logins(&directory), 16);
}

#[test]
fn a_link_in_place_of_a_file_costs_one_count() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let precious = scratch.folder().join("precious");
    fs::write(&precious, "precious").unwrap();
    symlink(&precious, shard(&scratch)).unwrap();
    one_login().add_to(&directory);
    assert_eq!(logins(&directory), 0);
    one_login().add_to(&directory);
    assert_eq!(logins(&directory), 1);
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
}

#[test]
fn a_count_does_not_wait_for_a_stopped_process() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let name = name_of(std::process::id());
    let Locked::Held(_stopped) = lock(&directory, &name, PATIENCE) else { panic!() };
    let start = Instant::now();
    one_login().add_to(&directory);
    assert!(start.elapsed() >= PATIENCE && start.elapsed() < 20 * PATIENCE);
    assert_eq!(logins(&directory), 0);
}

#[test]
fn where_nothing_can_be_written_nothing_is_counted() {
    let scratch = Scratch::new();
    scratch.directory();
    for directory in [scratch.read_only(), Scratch::unwritable()] {
        one_login().add_to(&directory);
        assert_eq!(shown(&directory), [""; 0]);
    }
    assert!(scratch.names().is_empty());
}

#[test]
fn many_count_at_once_and_nobody_sees_a_number_fall() {
    const LOGINS: u64 = 100;
    let scratch = Scratch::new();
    scratch.directory();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let directory = scratch.directory();
            scope.spawn(move || {
                for _ in 0..LOGINS {
                    while one_login().try_add_to(&directory).is_err() {}
                }
            });
        }
        let directory = scratch.read_only();
        scope.spawn(move || {
            let mut last = 0;
            while last < 4 * LOGINS {
                let text = render(&directory);
                let logins = number(&text, "pam_oauth2_login_seconds_count");
                assert!(logins >= last, "{logins} after {last}");
                last = logins;
            }
        });
    });
    assert_eq!(logins(&scratch.directory()), 4 * LOGINS);
}
