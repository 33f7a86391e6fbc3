//! What the backends of a server remember of an issuer: its latest good set, and how the latest
//! attempts to get a newer one went. Two files, both written by whoever has the turn to fetch.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use pam_oauth2_arguments::{JwtIssuer, KeySource, Limits, ServiceUrl};
use serde::{Deserialize, Serialize};

use super::fetch::{Fetched, Known, Place};
use crate::cache::{Directory, LARGEST, LONGEST_PAUSE, hash, pause_after, short_hash};
use crate::clock::Timestamp;
use crate::verify::jwt::KeySet;

/// How long a set is fresh where its issuer does not say less.
const SOFT_LIFETIME: Duration = Duration::from_secs(3600);
/// An issuer that says less than this is asked once a minute all the same.
const LEAST_LIFETIME: Duration = Duration::from_secs(60);
/// How long a set is good while no newer one can be had.
pub(super) const HARD_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// One forced attempt per issuer in so many seconds.
const FORCED_EVERY: f64 = 60.0;
/// For so long nobody asks again for a key that was not there.
const UNKNOWN_FOR: f64 = 120.0;
/// Seconds by which a clock may have been ahead when a set came. How old one from further ahead
/// is, nobody knows.
const MOST_AHEAD: f64 = 3.0 * 3600.0;
/// As many names of such keys are remembered.
const MOST_UNKNOWN: usize = 64;

/// A good set and its age.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) set: KeySet,
    body: Vec<u8>,
    about: AboutSet,
    place: Place,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct AboutSet {
    issuer: String,
    url: String,
    found_at: f64,
    fetched_at: f64,
    fresh_until: f64,
    tag: Option<String>,
}

/// Of which age a set is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Age {
    Fresh,
    /// Good, but a newer one is wanted.
    Aging,
    /// Beyond what it is good for.
    Old,
}

/// How the latest attempts went.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Attempts {
    /// How many have failed since the last one that did not.
    failures: u32,
    failed_at: f64,
    /// Why, in our words.
    pub(super) reason: String,
    /// When a token last made somebody fetch.
    forced_at: f64,
    /// Hashes of names of keys that were not there, and when.
    unknown: Vec<(String, f64)>,
}

/// The two files of one issuer.
pub(super) struct Store<'a> {
    pub(super) directory: &'a Directory,
    key: [u8; 32],
    issuer: &'a str,
}

impl<'a> Store<'a> {
    pub(super) fn of(directory: &'a Directory, issuer: &'a JwtIssuer, limits: &Limits) -> Self {
        let place = match &issuer.keys {
            KeySource::Url(url) => url.as_str(),
            KeySource::Discovery | KeySource::File(_) => "",
        };
        let name = issuer.issuer.name();
        // Whoever trusts more people on the way to the issuer has keys of his own.
        let trust = limits.ca_file.as_deref().map(Path::as_os_str).unwrap_or_default();
        let plain = [u8::from(limits.allow_http)];
        let parts: [&[u8]; 5] =
            [b"keys", name.as_bytes(), place.as_bytes(), trust.as_bytes(), &plain];
        let key = hash(&parts);
        Self { directory, key, issuer: name }
    }

    /// What the turn to fetch is about.
    pub(super) fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The latest good set.
    pub(super) fn set(&self) -> Option<Stored> {
        let file = self.directory.read(&self.name("keys"), LARGEST)?;
        let end = file.iter().position(|byte| *byte == b'\n')?;
        let (about, body) = file.split_at_checked(end)?;
        let about: AboutSet = serde_json::from_slice(about).ok()?;
        let body = body.get(1..)?;
        // Files are found by a hash; the name is what they are about.
        if about.issuer != self.issuer {
            return None;
        }
        let place = Place {
            // What the configuration allows is checked where it is used.
            url: ServiceUrl::parse(&about.url, true).ok()?,
            found_at: Timestamp::from_seconds(about.found_at),
        };
        Some(Stored { set: KeySet::parse(body).ok()?, body: body.to_vec(), about, place })
    }

    /// Keeps a set that was just fetched. A full disk is no reason to refuse anybody.
    pub(super) fn keep(&self, fetched: Fetched, now: Timestamp) -> Stored {
        let lifetime = fetched.max_age.unwrap_or(SOFT_LIFETIME);
        let lifetime = lifetime.clamp(LEAST_LIFETIME, SOFT_LIFETIME);
        let Fetched { set, body, place, tag, max_age: _ } = fetched;
        let about = AboutSet {
            issuer: self.issuer.to_owned(),
            url: place.url.as_str().to_owned(),
            found_at: place.found_at.seconds(),
            fetched_at: now.seconds(),
            fresh_until: now.plus(lifetime).seconds(),
            tag,
        };
        if let Ok(mut file) = serde_json::to_vec(&about) {
            file.push(b'\n');
            file.extend_from_slice(&body);
            let _kept_or_not = self.directory.write(&self.name("keys"), &file);
        }
        Stored { set, body, about, place }
    }

    pub(super) fn attempts(&self) -> Attempts {
        let file = self.directory.read(&self.name("tries"), LARGEST);
        file.and_then(|file| serde_json::from_slice(&file).ok()).unwrap_or_default()
    }

    pub(super) fn note(&self, attempts: &Attempts) {
        if let Ok(file) = serde_json::to_vec(attempts) {
            let _kept_or_not = self.directory.write(&self.name("tries"), &file);
        }
    }

    fn name(&self, kind: &str) -> String {
        format!("{kind}-{}", short_hash(&[&self.key], 16))
    }
}

impl Stored {
    /// A set from the future is one of a clock that was wrong: still good, and to be renewed.
    pub(super) fn age(&self, now: Timestamp) -> Age {
        let most = HARD_LIFETIME.as_secs_f64();
        match self.fetched_at().ago_within(most, now) {
            Some(_) if now.seconds() < self.about.fresh_until => Age::Fresh,
            Some(_) => Age::Aging,
            None if (-MOST_AHEAD..0.0).contains(&self.since_fetched(now)) => Age::Aging,
            None => Age::Old,
        }
    }

    /// Seconds.
    pub(super) fn since_fetched(&self, now: Timestamp) -> f64 {
        now.seconds() - self.about.fetched_at
    }

    /// Whether an outage may keep it in use for so long after it came.
    pub(super) fn bridges(&self, most: Duration, now: Timestamp) -> bool {
        (-MOST_AHEAD..=most.as_secs_f64()).contains(&self.since_fetched(now))
    }

    pub(super) fn fetched_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.about.fetched_at)
    }

    /// For the next fetch.
    pub(super) fn known(&self) -> Known<'_> {
        let tag = self.about.tag.as_deref();
        Known {
            place: &self.place,
            unchanged: tag.map(|tag| (&self.set, self.body.as_slice(), tag)),
        }
    }

    /// Whether the other set has the same text.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self.body == other.body
    }
}

impl Attempts {
    pub(super) fn succeeded(&mut self, now: Timestamp, changed: bool) {
        self.failures = 0;
        self.reason.clear();
        self.unknown.retain(|(_, at)| !changed && recent(*at, now, UNKNOWN_FOR));
    }

    pub(super) fn failed(&mut self, now: Timestamp, reason: String) {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = now.seconds();
        self.reason = reason;
    }

    /// Whether the latest attempt failed, between `moment` and `now`.
    pub(super) fn failed_since(&self, moment: Timestamp, now: Timestamp) -> bool {
        self.failures > 0 && Timestamp::from_seconds(self.failed_at).is_between(moment, now)
    }

    /// How many seconds the pause after the latest failures still lasts.
    pub(super) fn pause(&self, now: Timestamp) -> Option<f64> {
        let length = pause_after(self.failures.checked_sub(1)?).as_secs_f64();
        let left = self.failed_at + length - now.seconds();
        // One that would last longer than it can is of a clock that was wrong.
        (left > 0.0 && left <= LONGEST_PAUSE.as_secs_f64()).then_some(left)
    }

    pub(super) fn force(&mut self, now: Timestamp) {
        self.forced_at = now.seconds();
    }

    /// Whether a token has made somebody fetch within the last minute.
    pub(super) fn forced_lately(&self, now: Timestamp) -> bool {
        recent(self.forced_at, now, FORCED_EVERY)
    }

    pub(super) fn miss(&mut self, id: &str, now: Timestamp) {
        self.unknown.retain(|(_, at)| recent(*at, now, UNKNOWN_FOR));
        if self.unknown.len() >= MOST_UNKNOWN {
            self.unknown.remove(0);
        }
        self.unknown.push((short(id), now.seconds()));
    }

    /// Whether this key was asked for in vain a short while ago.
    pub(super) fn missed(&self, id: &str, now: Timestamp) -> bool {
        let id = short(id);
        self.unknown.iter().any(|(known, at)| *known == id && recent(*at, now, UNKNOWN_FOR))
    }
}

/// Names of keys come from strangers, so they are kept as hashes: short ones, of one length.
fn short(id: &str) -> String {
    short_hash(&[b"kid", id.as_bytes()], 32)
}

fn recent(at: f64, now: Timestamp, seconds: f64) -> bool {
    Timestamp::from_seconds(at).ago_within(seconds, now).is_some()
}
