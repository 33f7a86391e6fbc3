//! A token that a service vouched for a moment ago, for this role and under this policy.
//!
//! Verdicts live in the shared cache, found by a hash of everything that changes the answer. A
//! good one spares the call for `--cache-ttl`; one beyond that bridges an outage where
//! `--on-outage=stale` says so; none outlives its token. A refusal is remembered for seconds, so
//! that a pool with a bad token asks once. That nobody answered is told to those who were waiting
//! for that very answer, and keeps others from asking again at once.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Verified;
use crate::authorize::Authorized;
use crate::cache::{Directory, Slots, hash, pause_after};
use crate::clock::Timestamp;
use crate::facts::Facts;
use crate::policy::{OnOutage, Policy};
use crate::role::Role;
use crate::token::AccessToken;

/// For so long a refusal stands without being asked for again, at most.
const DENIED_FOR: Duration = Duration::from_secs(5);

/// Nobody waits for longer than a login may take.
const WAITERS: Duration = Duration::from_secs(60);
/// As long as any verdict can count: the most of `--cache-ttl` and of `--on-outage` together.
const LONGEST_MEMORY: Duration = Duration::from_secs(8 * 86_400);

/// What was decided, about whom, and when.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Verdict {
    role: String,
    accepted_at: f64,
    facts: Facts,
}

/// What became of the latest questions that were not answered with yes.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Denial {
    /// When the answer was no. Nothing that was accepted before counts any more.
    denied_at: Option<f64>,
    /// That nobody answered.
    unanswered: Option<Unanswered>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Unanswered {
    at: f64,
    /// Why, in our words.
    reason: String,
    /// How many questions in a row.
    times: u32,
}

/// What the cache knows about one token and role.
pub(crate) enum Known {
    Accepted(Verified<Verdict>),
    /// So many seconds ago.
    Denied(f64),
    /// Somebody asked while this login was waiting, and nobody answered.
    Unanswered(String),
}

/// The place in the cache for one token, role and policy.
pub(crate) struct Memory<'a> {
    pub(crate) directory: &'a Directory,
    key: [u8; 32],
    /// What is known of the token alone.
    grave: [u8; 32],
    ttl: Duration,
    stale: Duration,
}

/// Remembers that a service does not know a token any more, for every role that it could be and
/// whatever the policy: no outage brings back what was accepted of it.
pub(crate) fn bury(directory: &Directory, token: &AccessToken, now: Timestamp) {
    let until = now.plus(LONGEST_MEMORY);
    let _kept_or_not =
        Slots::new(directory, "denials").store(&grave_of(token), &now.seconds(), until, now);
}

fn grave_of(token: &AccessToken) -> [u8; 32] {
    hash(&[b"grave", token.expose()])
}

impl Verdict {
    pub(crate) fn role(&self) -> &str {
        &self.role
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Seconds since the service vouched for it.
    pub(crate) fn age(&self, now: Timestamp) -> f64 {
        now.seconds() - self.accepted_at
    }

    /// Whether it is from the past, at most `most` old, and the token has not ended. No leeway:
    /// the service would have to be asked.
    fn holds(&self, most: Duration, now: Timestamp) -> bool {
        let accepted = Timestamp::from_seconds(self.accepted_at);
        let young = accepted.ago_within(most.as_secs_f64(), now).is_some();
        young && self.facts.expires.is_none_or(|end| now.seconds() < end)
    }
}

impl<'a> Memory<'a> {
    /// `None` where the policy keeps no verdicts.
    pub(crate) fn of(
        directory: &'a Directory,
        policy: &Policy,
        role: &Role,
        token: &AccessToken,
    ) -> Option<Self> {
        let ttl = policy.limits.cache_ttl;
        let stale = match policy.limits.on_outage {
            OnOutage::Deny => Duration::ZERO,
            OnOutage::Stale(duration) => duration,
        };
        let parts: [&[u8]; 4] =
            [b"verdict", &policy.fingerprint, role.as_str().as_bytes(), token.expose()];
        let keeps = !ttl.is_zero() || !stale.is_zero();
        keeps.then(|| Self { directory, key: hash(&parts), grave: grave_of(token), ttl, stale })
    }

    /// What the turn to ask is about.
    pub(crate) fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// What makes a call needless. `began` is when this login did.
    pub(crate) fn known(&self, began: Timestamp, now: Timestamp) -> Option<Known> {
        let denial = self.denial(now);
        if let Some(verdict) = self.verdict(&denial, now)
            && verdict.holds(self.ttl, now)
        {
            return Some(Known::Accepted(Verified(verdict)));
        }
        if let Some(Unanswered { at, reason, times }) = denial.unanswered {
            let at = Timestamp::from_seconds(at);
            let waited = at.is_between(began, now);
            if waited || at.ago_within(self.pause(times, now).as_secs_f64(), now).is_some() {
                return Some(Known::Unanswered(reason));
            }
        }
        let at = Timestamp::from_seconds(denial.denied_at?);
        at.ago_within(self.denied_for().as_secs_f64(), now).map(Known::Denied)
    }

    fn denial(&self, now: Timestamp) -> Denial {
        self.denials().find(&self.key, now).unwrap_or_default()
    }

    /// What was accepted, unless it was refused since. (That a refusal removes it is not enough:
    /// somebody who stores another verdict in the same file may bring it back.)
    fn verdict(&self, denial: &Denial, now: Timestamp) -> Option<Verdict> {
        let verdict = self.verdicts().find::<Verdict>(&self.key, now)?;
        let refused_since = denial.denied_at.is_some_and(|at| at >= verdict.accepted_at);
        (!refused_since).then_some(verdict)
    }

    /// For how long nobody asks again: as after the first time, because this token lets nobody in
    /// meanwhile; longer each time where something bridges the outage.
    fn pause(&self, times: u32, now: Timestamp) -> Duration {
        let earlier = if self.bridge(now).is_some() { times.saturating_sub(1) } else { 0 };
        pause_after(earlier)
    }

    /// What counts while nobody can be asked.
    pub(crate) fn bridge(&self, now: Timestamp) -> Option<Verified<Verdict>> {
        // Before any file is read: most ask for nothing of the kind.
        if self.stale.is_zero() {
            return None;
        }
        let verdict = self.verdict(&self.denial(now), now)?;
        let most = self.ttl.saturating_add(self.stale);
        // Of a token without a known end nobody knows whether it still lives.
        let ends = verdict.facts.expires.is_some();
        let bridges = ends && verdict.holds(most, now);
        (bridges && !self.is_buried(&verdict, now)).then_some(Verified(verdict))
    }

    /// Remembers what was decided on an answer of the service.
    pub(crate) fn accept(&self, authorized: &Authorized, facts: &Facts, now: Timestamp) {
        let verdict = Verdict {
            role: authorized.role().as_str().to_owned(),
            accepted_at: now.seconds(),
            facts: facts.clone(),
        };
        let until = now.plus(self.ttl.saturating_add(self.stale));
        let _kept_or_not = self.verdicts().store(&self.key, &verdict, until, now);
    }

    /// Remembers that the answer was no. What was accepted before is forgotten first, so that no
    /// outage brings it back.
    pub(crate) fn deny(&self, now: Timestamp) {
        self.verdicts().forget(&self.key, now);
        let denial = Denial { denied_at: Some(now.seconds()), unanswered: None };
        self.keep(&denial, now);
    }

    /// Tells those who wait that nobody answered.
    pub(crate) fn give_up(&self, reason: String, now: Timestamp) {
        let before = self.denial(now);
        let times = before.unanswered.map_or(0, |last| last.times).saturating_add(1);
        let unanswered = Some(Unanswered { at: now.seconds(), reason, times });
        self.keep(&Denial { denied_at: before.denied_at, unanswered }, now);
    }

    /// Whether the token was found dead since, by whoever asked about it.
    fn is_buried(&self, verdict: &Verdict, now: Timestamp) -> bool {
        let died = self.denials().find::<f64>(&self.grave, now);
        died.is_some_and(|died| died >= verdict.accepted_at)
    }

    /// For as long as anything that it contradicts.
    fn keep(&self, denial: &Denial, now: Timestamp) {
        let until = now.plus(self.ttl.saturating_add(self.stale).max(WAITERS));
        let _kept_or_not = self.denials().store(&self.key, denial, until, now);
    }

    fn denied_for(&self) -> Duration {
        self.ttl.min(DENIED_FOR)
    }

    fn verdicts(&self) -> Slots<'_> {
        Slots::new(self.directory, "verdicts")
    }

    fn denials(&self) -> Slots<'_> {
        Slots::new(self.directory, "denials")
    }
}
