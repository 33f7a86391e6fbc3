//! What logins count, and how it is shown to Prometheus.
//!
//! There is no daemon, so each login adds its [`Tally`] to one of 16 files, in place and under a
//! lock, which takes seven system calls. A count that finds the lock taken for too long is lost,
//! and a file that was damaged starts at zero, as counters do after a restart. Numbers are for
//! watching; nothing is decided by them. No label comes from outside; the endpoints of breakers
//! are configured.

mod counter;

use std::fmt::Write;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::time::Duration;

pub(crate) use counter::{Answer, Cache, Counter, Endpoint, Lookup, Outcome, VerifiedBy};

use super::breaker;
use super::container::{HEADER, seal, unseal};
use super::directory::Directory;
use super::lock::{Lock, Locked, lock, pause};
use crate::redact::visible;

const SHARDS: u32 = 16;
/// The lock is held for some ten microseconds.
const PATIENCE: Duration = Duration::from_millis(20);
/// A file is read again where a login was just writing it.
const READS: usize = 5;
const BETWEEN_READS: Duration = Duration::from_millis(1);

/// Where the buckets of the histogram end, as Prometheus writes it. One more has no end.
const ENDS: [(Duration, &str); 10] = [
    (Duration::from_millis(1), "0.001"),
    (Duration::from_millis(5), "0.005"),
    (Duration::from_millis(25), "0.025"),
    (Duration::from_millis(100), "0.1"),
    (Duration::from_millis(500), "0.5"),
    (Duration::from_secs(1), "1"),
    (Duration::from_millis(2500), "2.5"),
    (Duration::from_secs(5), "5"),
    (Duration::from_secs(10), "10"),
    (Duration::from_secs(30), "30"),
];

const COUNTERS: usize = 44;
const BUCKETS: usize = ENDS.len() + 1;
const SHARD: usize = HEADER + size_of::<Tally>();

/// What one login adds, and equally what all of them came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Tally {
    /// In the order of [`Counter::all`].
    counters: [u64; COUNTERS],
    /// How many logins took as long as this bucket has it, and no other.
    buckets: [u64; BUCKETS],
    microseconds: u64,
}

impl Tally {
    pub(crate) const fn new() -> Self {
        Self { counters: [0; COUNTERS], buckets: [0; BUCKETS], microseconds: 0 }
    }

    pub(crate) fn count(&mut self, counter: Counter) {
        self.count_times(counter, 1);
    }

    pub(crate) fn count_times(&mut self, counter: Counter, times: u64) {
        let mut numbers = Counter::all().zip(&mut self.counters);
        if let Some((_, number)) = numbers.find(|(other, _)| *other == counter) {
            *number = number.saturating_add(times);
        }
    }

    /// How long the login took.
    pub(crate) fn took(&mut self, duration: Duration) {
        let ends = ENDS.map(|(end, _)| end).into_iter().chain([Duration::MAX]);
        let mut buckets = ends.zip(&mut self.buckets);
        if let Some((_, number)) = buckets.find(|(end, _)| duration <= *end) {
            *number = number.saturating_add(1);
        }
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.microseconds = self.microseconds.saturating_add(microseconds);
    }

    /// Adds this to what the logins before it left. Where that is not possible, it is lost.
    pub(crate) fn add_to(&self, directory: &Directory) {
        let _lost_for_watching_alone = self.try_add_to(directory);
    }

    fn try_add_to(&self, directory: &Directory) -> io::Result<()> {
        match lock(directory, &name_of(std::process::id()), PATIENCE) {
            Locked::Held(shard) => self.add_to_shard(&shard),
            Locked::Busy | Locked::Impossible => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn add_to_shard(&self, shard: &Lock) -> io::Result<()> {
        let file = shard.file();
        let mut content = vec![0; SHARD.saturating_add(1)];
        let length = file.read_at(&mut content, 0)?;
        content.truncate(length);
        if length != SHARD {
            file.set_len(0)?;
        }
        let mut total =
            unseal(content).and_then(|payload| Self::parse(&payload)).unwrap_or(Self::new());
        total.add(self);
        // Whoever is killed or finds the disk full in the middle of this leaves a damaged file.
        file.write_all_at(&seal(&total.payload()), 0)
    }

    fn numbers(&self) -> impl Iterator<Item = &u64> {
        self.counters.iter().chain(&self.buckets).chain([&self.microseconds])
    }

    fn numbers_mut(&mut self) -> impl Iterator<Item = &mut u64> {
        self.counters.iter_mut().chain(&mut self.buckets).chain([&mut self.microseconds])
    }

    fn add(&mut self, other: &Self) {
        for (number, more) in self.numbers_mut().zip(other.numbers()) {
            *number = number.saturating_add(*more);
        }
    }

    fn payload(&self) -> Vec<u8> {
        self.numbers().flat_map(|number| number.to_le_bytes()).collect()
    }

    fn parse(payload: &[u8]) -> Option<Self> {
        let (found, []) = payload.as_chunks() else { return None };
        let mut tally = Self::new();
        if found.len() != tally.numbers().count() {
            return None;
        }
        for (number, found) in tally.numbers_mut().zip(found) {
            *number = u64::from_le_bytes(*found);
        }
        Some(tally)
    }
}

/// All that is known, in the text format of Prometheus.
pub(crate) fn render(directory: &Directory) -> String {
    let mut total = Tally::new();
    (0..SHARDS).filter_map(|shard| read(directory, shard)).for_each(|shard| total.add(&shard));
    let mut text = String::new();
    let mut metric = "";
    for (counter, number) in Counter::all().zip(total.counters) {
        let (name, help) = counter.metric();
        if name != metric {
            head(&mut text, name, "counter", help);
            metric = name;
        }
        line(&mut text, name, &counter.labels(), &number.to_string());
    }
    histogram(&mut text, &total);
    let name = "pam_oauth2_breaker_open";
    let help = "1 from when an endpoint is given up until it is reached again.";
    head(&mut text, name, "gauge", help);
    for (endpoint, is_open) in breaker::all(directory) {
        let labels = [("endpoint", visible(&endpoint))];
        line(&mut text, name, &labels, if is_open { "1" } else { "0" });
    }
    text
}

fn read(directory: &Directory, shard: u32) -> Option<Tally> {
    let name = name_of(shard);
    for _ in 0..READS {
        let damaged = directory.unusable();
        let payload = directory.read(&name, SHARD);
        if directory.unusable() == damaged {
            return Tally::parse(&payload?);
        }
        pause(BETWEEN_READS);
    }
    None
}

fn histogram(text: &mut String, total: &Tally) {
    let name = "pam_oauth2_login_seconds";
    head(text, name, "histogram", "How long logins took, from having the token to the answer.");
    let ends = ENDS.iter().map(|(_, end)| *end).chain(["+Inf"]);
    let mut count = 0u64;
    for (end, number) in ends.zip(total.buckets) {
        count = count.saturating_add(number);
        line(text, "pam_oauth2_login_seconds_bucket", &[("le", end)], &count.to_string());
    }
    let seconds = Duration::from_micros(total.microseconds).as_secs_f64();
    line(text, "pam_oauth2_login_seconds_sum", &[] as &[(_, &str)], &seconds.to_string());
    line(text, "pam_oauth2_login_seconds_count", &[] as &[(_, &str)], &count.to_string());
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _a_string_takes_all = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(text: &mut String, name: &str, labels: &[(&str, impl AsRef<str>)], value: &str) {
    let labels = labels.iter().map(|(label, value)| {
        let value = value.as_ref().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("{label}=\"{value}\"")
    });
    let labels = labels.collect::<Vec<_>>().join(",");
    let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
    let _a_string_takes_all = writeln!(text, "{name}{labels} {value}");
}

fn name_of(process: u32) -> String {
    format!("metrics-{:x}", process % SHARDS)
}

#[cfg(test)]
mod tests;
