//! The key that a token names, from wherever it is least work to have it: a file, the set that
//! the backends of this server share, or the issuer itself.
//!
//! In: the name of a key. Out: a [`Found`] key, or why there is none. The rules:
//!
//! - A set is fresh for an hour (or less, where its issuer says so) and good for a day. While it
//!   is good nobody waits: one login fetches, all others go on with what there is.
//! - Without a good set one login fetches and the others wait for it, within their deadlines.
//! - A name that the set does not have makes one login fetch, once a minute; a name that was not
//!   there then is not asked for again for a while.
//! - After a failed attempt there is a pause. An answer that is no usable set changes nothing.
//! - Beyond its day a set counts only where `--on-outage=stale` says so, and for that long.

mod fetch;
mod store;

use std::path::Path;

use pam_oauth2_arguments::{JwtIssuer, KeySource, Limits, OnOutage};

use crate::cache::{Cached, Directory, Lead, Lookup, Turn, take_turn, try_lead};
use crate::clock::Clock;
use crate::error::{Refusal, Unusable};
use crate::files;
use crate::http::{Carrier, Deadline};
use crate::journal::{Journal, Text};
use crate::redact::{Foreign, Redactor};
use crate::verify::jwt::{JwtFault, Key, KeySet, NoKey, Wanted};
use fetch::Fetcher;
use store::{Age, Attempts, HARD_LIFETIME, Store, Stored};

/// A local set is read at each login, so it has to be small.
const LARGEST_FILE: usize = 256 * 1024;

/// A key, and how far it can be trusted to be the latest.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) key: Key,
    pub(crate) origin: Origin,
}

/// Where a key was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Origin {
    /// In the shared cache, of a set that is good.
    Cache,
    /// At the issuer, just now.
    Fetched,
    /// In a local file.
    File,
    /// In the shared cache, of a set that only an outage keeps in use; seconds since it came.
    Stale(f64),
}

/// What looking for keys needs.
pub(crate) struct Keys<'a> {
    pub(crate) issuer: &'a JwtIssuer,
    pub(crate) limits: &'a Limits,
    pub(crate) cache: Option<&'a Directory>,
    pub(crate) carrier: &'a dyn Carrier,
    pub(crate) clock: &'a Clock,
    pub(crate) deadline: Deadline,
    pub(crate) journal: &'a Journal,
    pub(crate) redactor: &'a Redactor<'a>,
}

/// A set of the cache that may be used.
struct Held {
    stored: Stored,
    origin: Origin,
}

impl Keys<'_> {
    pub(crate) fn find(&self, wanted: Wanted<'_>) -> Result<Found, Refusal> {
        if let KeySource::File(path) = &self.issuer.keys {
            let set = read_file(path)?;
            return self.pick(&set, Origin::File, wanted);
        }
        let Some(directory) = self.cache else {
            let set = self.fetch(None, self.deadline)?.set;
            return self.pick(&set, Origin::Fetched, wanted);
        };
        let store = Store::of(directory, self.issuer, self.limits);
        let Held { stored, origin } = self.good_set(&store)?;
        match stored.set.find(wanted) {
            Err(NoKey::Unknown) => self.newer(&store, &stored, wanted),
            _ => self.pick(&stored.set, origin, wanted),
        }
    }

    /// A set that may be used, with as little waiting as can be.
    fn good_set(&self, store: &Store<'_>) -> Result<Held, Refusal> {
        let now = self.clock.now();
        let stored = store.set();
        match stored.map(|stored| (stored.age(now), stored)) {
            Some((Age::Fresh, stored)) => {
                self.journal.looked(Cached::Keys, Lookup::Hit);
                Ok(Held { stored, origin: Origin::Cache })
            }
            Some((Age::Aging, stored)) => Ok(self.refresh(store, stored)),
            Some((Age::Old, stored)) => self.renew(store, Some(stored)),
            None => self.renew(store, None),
        }
    }

    /// One login gets a newer set, if it can in half of its time; all others go on.
    fn refresh(&self, store: &Store<'_>, stored: Stored) -> Held {
        self.journal.looked(Cached::Keys, Lookup::Hit);
        let mut held = Held { stored, origin: Origin::Cache };
        if store.attempts().pause(self.clock.now()).is_some() {
            return held;
        }
        let Lead::Ours(_turn) = try_lead(store.directory, store.key()) else {
            return held;
        };
        // Somebody may have fetched since this login looked.
        if let Some(stored) = store.set() {
            held.stored = stored;
        }
        if held.stored.age(self.clock.now()) == Age::Aging {
            match self.fetch_and_keep(store, Some(&held.stored), self.deadline.half()) {
                Ok(stored) => held = Held { stored, origin: Origin::Fetched },
                Err(refusal) => self.journal.warn(
                    Text::ours("the keys of the issuer could not be renewed: ")
                        .and(refusal.sentence(Some(self.redactor)))
                        .and(format!(
                            "; those of {:.0} s ago are good for a day",
                            held.stored.since_fetched(self.clock.now())
                        )),
                ),
            }
        }
        held
    }

    /// There is no good set: one login fetches, the others wait for it.
    fn renew(&self, store: &Store<'_>, old: Option<Stored>) -> Result<Held, Refusal> {
        self.journal.looked(Cached::Keys, Lookup::Miss);
        let began = self.clock.began();
        let bridge = old.filter(|stored| self.bridges(stored));
        let look = || -> Option<Result<Stored, Refusal>> {
            let attempts = store.attempts();
            if let Some(stored) = store.set()
                && stored.age(self.clock.now()) != Age::Old
            {
                return Some(Ok(stored));
            }
            let pause = attempts.pause(self.clock.now());
            (pause.is_some() || attempts.failed_since(began, self.clock.now()))
                .then(|| Err(self.paused(&attempts)))
        };
        let until = self.deadline.of_turn(bridge.is_some()).instant();
        let renewed = match take_turn(store.directory, store.key(), until, look) {
            Turn::Theirs(result) => result.map(|stored| (stored, Origin::Cache)),
            Turn::Late => Err(self.no_keys(Unusable::Busy)),
            Turn::Ours(_turn) => {
                let deadline = self.deadline.of_attempt(bridge.is_some());
                self.fetch_and_keep(store, bridge.as_ref(), deadline)
                    .map(|stored| (stored, Origin::Fetched))
            }
        };
        match (renewed, bridge) {
            (Ok((stored, origin)), _) => Ok(Held { stored, origin }),
            (Err(refusal), Some(stored)) if refusal.is_outage() => Ok(self.stale(stored, &refusal)),
            (Err(refusal), _) => Err(refusal),
        }
    }

    /// Whether a set beyond its time may be used while nobody can be asked.
    fn bridges(&self, stored: &Stored) -> bool {
        let OnOutage::Stale(beyond) = self.limits.on_outage else { return false };
        stored.bridges(HARD_LIFETIME.saturating_add(beyond), self.clock.now())
    }

    fn stale(&self, stored: Stored, refusal: &Refusal) -> Held {
        self.journal.looked(Cached::Keys, Lookup::Stale);
        let age = stored.since_fetched(self.clock.now());
        self.journal.warn(
            Text::ours(format!("keys of {age:.0} s ago are used, as --on-outage says: "))
                .and(refusal.sentence(Some(self.redactor))),
        );
        Held { stored, origin: Origin::Stale(age) }
    }

    /// The set does not have the key. A newer one may, and is fetched once a minute at most.
    fn newer(
        &self,
        store: &Store<'_>,
        stored: &Stored,
        wanted: Wanted<'_>,
    ) -> Result<Found, Refusal> {
        let began = self.clock.began();
        let id = wanted.id.unwrap_or_default();
        let unknown = |why| self.broken(JwtFault::unknown_key(wanted.id, why));
        if stored.fetched_at() >= began {
            return Err(unknown("and its keys were fetched just now"));
        }
        let look = || -> Option<Result<Stored, Refusal>> {
            let attempts = store.attempts();
            let now = self.clock.now();
            let current = store.set()?;
            if current.set.find(wanted).err() != Some(NoKey::Unknown) {
                return Some(Ok(current));
            }
            if attempts.missed(id, now) {
                return Some(Err(unknown("and somebody asked for it a short while ago")));
            }
            if attempts.failed_since(began, self.clock.now()) || attempts.pause(now).is_some() {
                return Some(Err(self.paused(&attempts)));
            }
            attempts
                .forced_lately(now)
                .then(|| Err(unknown("and its keys were fetched less than a minute ago")))
        };
        let until = self.deadline.instant();
        let current = match take_turn(store.directory, store.key(), until, look) {
            Turn::Theirs(result) => result?,
            Turn::Late => return Err(self.no_keys(Unusable::Busy)),
            Turn::Ours(_turn) => {
                let newer = self.force(store, stored, id, wanted)?;
                return self.pick(&newer.set, Origin::Fetched, wanted);
            }
        };
        self.pick(&current.set, Origin::Cache, wanted)
    }

    fn force(
        &self,
        store: &Store<'_>,
        stored: &Stored,
        id: &str,
        wanted: Wanted<'_>,
    ) -> Result<Stored, Refusal> {
        let newer = self.fetch_and_keep(store, Some(stored), self.deadline.early())?;
        let mut attempts = store.attempts();
        attempts.force(self.clock.now());
        if newer.set.find(wanted).err() == Some(NoKey::Unknown) {
            attempts.miss(id, self.clock.now());
        }
        store.note(&attempts);
        Ok(newer)
    }

    /// An attempt, whose end all others learn.
    fn fetch_and_keep(
        &self,
        store: &Store<'_>,
        known: Option<&Stored>,
        deadline: Deadline,
    ) -> Result<Stored, Refusal> {
        let fetched = self.fetch(known, deadline);
        let now = self.clock.now();
        let mut attempts = store.attempts();
        let kept = match fetched {
            Ok(fetched) => {
                let stored = store.keep(fetched, now);
                attempts.succeeded(now, known.is_none_or(|known| !known.equals(&stored)));
                Ok(stored)
            }
            // What is wrong here is wrong for this configuration alone, and nobody's outage.
            Err(refusal) if !refusal.is_outage() => return Err(refusal),
            Err(refusal) => {
                attempts.failed(now, refusal.sentence(Some(self.redactor)));
                Err(refusal)
            }
        };
        store.note(&attempts);
        kept
    }

    fn fetch(&self, known: Option<&Stored>, deadline: Deadline) -> Result<fetch::Fetched, Refusal> {
        let fetcher = Fetcher {
            carrier: self.carrier,
            allow_http: self.limits.allow_http,
            journal: self.journal,
        };
        let known = known.map(Stored::known);
        fetcher.fetch(self.issuer, known, self.clock.now(), deadline)
    }

    fn pick(&self, set: &KeySet, origin: Origin, wanted: Wanted<'_>) -> Result<Found, Refusal> {
        self.journal.step("keys", || origin.told(set.len()));
        let fault = match set.find(wanted) {
            Ok(key) => return Ok(Found { key: key.clone(), origin }),
            Err(NoKey::Ambiguous) => JwtFault::AmbiguousKey,
            Err(NoKey::OtherAlgorithm) => JwtFault::KeyOfOtherAlgorithm(Foreign::new(
                wanted.id.unwrap_or_default().to_owned(),
            )),
            Err(NoKey::Unknown) => JwtFault::unknown_key(wanted.id, origin.newness()),
        };
        Err(self.broken(fault))
    }

    fn broken(&self, fault: JwtFault) -> Refusal {
        Refusal::of_issuer(&self.issuer.issuer, fault)
    }

    fn no_keys(&self, fault: Unusable) -> Refusal {
        Refusal::NoKeys { service: self.issuer.issuer.to_string(), fault }
    }

    fn paused(&self, attempts: &Attempts) -> Refusal {
        let left = attempts.pause(self.clock.now()).unwrap_or_default();
        self.no_keys(Unusable::Paused { left, reason: Foreign::new(attempts.reason.clone()) })
    }
}

impl Origin {
    fn told(self, keys: usize) -> Text {
        Text::ours(match self {
            Self::Cache => format!("{keys} keys in the cache"),
            Self::Fetched => format!("{keys} keys from the issuer"),
            Self::File => format!("{keys} keys in the local file"),
            Self::Stale(age) => format!("{keys} keys in the cache, {age:.0} s old, in an outage"),
        })
    }

    /// For the message that a key is unknown.
    fn newness(self) -> &'static str {
        match self {
            Self::Cache => "by the keys in the cache",
            Self::Fetched => "by the keys that were fetched just now",
            Self::File => "by the file of --jwks",
            Self::Stale(_) => "by the keys in the cache, and it cannot be asked now",
        }
    }
}

fn read_file(path: &Path) -> Result<KeySet, Refusal> {
    let refuse = |fault| Refusal::KeyFile { path: path.to_owned(), fault };
    let document = files::read_trusted(path, LARGEST_FILE)
        .map_err(|fault| refuse(Foreign::new(fault.to_string())))?;
    KeySet::parse(&document)
        .map_err(|fault| refuse(Foreign::new(format!("is no key set that can be used: {fault}"))))
}

#[cfg(test)]
mod tests;
