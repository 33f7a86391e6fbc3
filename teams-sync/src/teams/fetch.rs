//! All teams from all sources, at once, within a time.
//!
//! In: sources, the names of teams, limits. Out: for each team who is in it and which source
//! said so, that nobody knows it, or why it is frozen. Never: a team from which a source is
//! missing that might know more members, a wait beyond the limit of a team.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::{Instant, sleep, timeout_at};

use super::foreign::shown;
use super::{Source, SourceError, Team};

/// Pauses do not grow beyond this.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// How long everything may take.
#[derive(Clone, Copy)]
pub struct Limits {
    /// One request to a source.
    pub request: Duration,
    /// One team from one source, all attempts and pauses together.
    pub team: Duration,
    /// The pause before the second attempt; it doubles from there on.
    pub first_pause: Duration,
    /// Teams at a time.
    pub concurrency: usize,
    /// What becomes of a pause, so that not everybody comes back at the same moment.
    pub jitter: fn(Duration) -> Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(10),
            team: Duration::from_secs(30),
            first_pause: Duration::from_millis(250),
            concurrency: 64,
            jitter: between_half_and_whole,
        }
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request, team, first_pause, concurrency, jitter: _ } = self;
        f.debug_struct("Limits")
            .field("request", request)
            .field("team", team)
            .field("first_pause", first_pause)
            .field("concurrency", concurrency)
            .finish_non_exhaustive()
    }
}

fn between_half_and_whole(pause: Duration) -> Duration {
    let mut bytes = [0_u8; 2];
    // Without randomness the pause is whole, which is no harm.
    let share = match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => f64::from(u16::from_ne_bytes(bytes)) / f64::from(u16::MAX),
        Err(_) => 1.0,
    };
    pause.mul_f64(share.mul_add(0.5, 0.5))
}

/// A team as all its sources together see it: each member with the kinds of the sources that
/// named her.
pub type Members = BTreeMap<String, BTreeSet<&'static str>>;

/// What is known about a team.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Everybody, complete.
    Team(Members),
    /// Every source says that there is no such team; what they said.
    Unknown(String),
    /// Nobody is asked about it, on purpose: its members are those of the configuration, and no
    /// others. [`fetch_all`] never says so.
    NoSource,
    /// A source has no answer, so nothing about the team may change.
    Frozen {
        /// The kind of the source.
        source: &'static str,
        /// Why.
        error: SourceError,
    },
}

/// Asks every source for every team.
///
/// A source that does not know a team has nothing to say about it. One that should answer and
/// does not freezes the team, whatever the others say: she whom it alone names would be removed.
pub async fn fetch_all(
    sources: &[Arc<dyn Source>],
    teams: &BTreeSet<String>,
    limits: &Limits,
) -> BTreeMap<String, Answer> {
    stream::iter(teams.iter().cloned())
        .map(|team| async move {
            let answer = fetch(sources, &team, limits).await;
            (team, answer)
        })
        .buffer_unordered(limits.concurrency.max(1))
        .collect()
        .await
}

async fn fetch(sources: &[Arc<dyn Source>], team: &str, limits: &Limits) -> Answer {
    let mut asked = Vec::with_capacity(sources.len());
    for source in sources {
        let answer = persistently(source.as_ref(), team, limits);
        asked.push(async move { (source.kind(), answer.await) });
    }
    let mut members = Members::new();
    let mut unknown = Vec::new();
    let mut known = false;
    for (source, answer) in join_all(asked).await {
        match answer {
            Ok(Team { members: names }) => {
                known = true;
                for name in names {
                    members.entry(name).or_default().insert(source);
                }
            }
            Err(SourceError::UnknownTeam(text)) => unknown.push(text),
            Err(error) => return Answer::Frozen { source, error },
        }
    }
    if known {
        return Answer::Team(members);
    }
    if unknown.is_empty() {
        unknown.push(format!("there is no source to ask for the team \"{}\"", shown(team)));
    }
    Answer::Unknown(unknown.join("; "))
}

/// One team from one source, with as many attempts as fit.
async fn persistently(
    source: &dyn Source,
    team: &str,
    limits: &Limits,
) -> Result<Team, SourceError> {
    let end = Instant::now().checked_add(limits.team).unwrap_or_else(Instant::now);
    let mut pause = limits.first_pause;
    // What an attempt found out says more than that the last one was too late.
    let mut last: Option<SourceError> = None;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let attempt = source.fetch(team, limits.request.min(left));
        let error = match timeout_at(end, attempt).await {
            Ok(Err(error)) if error.is_transient() => error,
            Ok(answer) => return answer,
            Err(_) => return Err(last.unwrap_or_else(|| late(source, team, limits))),
        };
        let asked = match &error {
            SourceError::Throttled(_, wait) => wait.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let wait = (limits.jitter)(pause.min(LONGEST_PAUSE)).max(asked);
        if wait >= end.saturating_duration_since(Instant::now()) {
            return Err(error);
        }
        sleep(wait).await;
        pause = pause.saturating_mul(2);
        last = Some(error);
    }
}

fn late(source: &dyn Source, team: &str, limits: &Limits) -> SourceError {
    SourceError::Timeout(format!(
        "{}: the team \"{}\" was not complete within {:.1} s",
        source.kind(),
        shown(team),
        limits.team.as_secs_f64(),
    ))
}
