//! Patroni's settings, and the restarts that they need.
//!
//! In: a manifest, and what Patroni says. Out: a finding, as the others, but later: Patroni may be
//! slow to answer, so it is asked beside the queue, by one task for each cluster at a time. Nothing
//! is asked while nothing has changed since the last answer. Never: two members restarted at a
//! time, or one of a cluster that is paused or whose pods are not ready.

mod look;
mod read;
mod restarts;
mod seen;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::api::postgresql::Postgresql;
use crate::cluster::{Cluster, ClusterId};
use crate::config::Config;
use crate::context::Context;
use crate::controller::queue::Why;
use crate::disturbance::{Reserved, What};
use crate::patroni::dynamic::Wanted;
use crate::patroni::{Meant, Patroni, is_paused};
use crate::pause;
use crate::report::{Finding, Stage};
use crate::stages::upgrade;
use crate::tell;
use crate::upgrade::is_under_way;
use look::look;
use read::Door;
use seen::Seen;

/// What takes longer may take days, and each question costs a whole look at the cluster.
const AT_FIRST: Duration = Duration::from_secs(60);

/// How it goes with the settings of a cluster.
#[derive(Debug, Default)]
pub struct PatroniConfig {
    /// What Patroni was asked about last, and when.
    seen: Option<(Seen, Instant)>,
    /// Whether it is being asked.
    looks: bool,
    /// Whether something changed meanwhile.
    again: bool,
    /// It is to be asked then, whatever has changed.
    at: Option<Instant>,
    failures: u32,
    /// Who has to be restarted for which parameters, as far as it was seen.
    pending: BTreeMap<String, BTreeSet<String>>,
    /// Nobody is restarted before.
    settles: Option<Instant>,
    /// The last restart failed.
    failed: Option<Failed>,
    /// Since when it waits for what nobody tells of.
    waits: Option<Instant>,
}

/// A restart that failed.
#[derive(Debug)]
struct Failed {
    in_a_row: u32,
    /// None is tried before.
    not_before: Instant,
    /// What was wrong.
    text: String,
}

/// When Patroni is to be asked again, if nothing changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Next {
    /// With the next change, or when everything is looked at again.
    Rest,
    In(Duration),
    /// So soon at first; what lasts is asked about less and less often.
    Soon(Duration),
    /// It failed; later each time.
    Failed,
}

impl PatroniConfig {
    /// Whether to ask now; whoever is told so has to say how it ended.
    fn begins(&mut self, seen: &Seen, now: Instant, resync: Duration) -> bool {
        let is_new =
            self.seen.as_ref().is_none_or(|(known, at)| known != seen || *at + resync <= now);
        let is_due = self.at.is_some_and(|at| at <= now);
        if !is_new && !is_due {
            return false;
        }
        if is_new {
            self.waits = None;
        }
        if self.looks {
            self.again = true;
            return false;
        }
        self.looks = true;
        self.again = false;
        self.at = None;
        self.seen = Some((seen.clone(), now));
        true
    }

    /// When it is to be asked again, if at a certain time. Whatever makes us look before that has
    /// taken the place of the look that was to come then.
    fn due_in(&self, now: Instant) -> Option<Duration> {
        let at = self.at.filter(|_| !self.looks)?;
        Some(at.saturating_duration_since(now))
    }

    /// When to look again, if at a certain time.
    fn ended(&mut self, now: Instant, next: Next, at_most: Duration) -> Option<Duration> {
        self.looks = false;
        let pause = match next {
            Next::Failed => {
                let pause = pause::after(self.failures, at_most);
                self.failures += 1;
                Some(pause)
            }
            Next::Soon(pause) => {
                self.failures = 0;
                let waited = now.duration_since(*self.waits.get_or_insert(now));
                let longer = if waited < AT_FIRST { Duration::ZERO } else { waited / 2 };
                Some(pause.max(longer.min(at_most)))
            }
            Next::In(_) | Next::Rest => {
                self.failures = 0;
                self.waits = None;
                match next {
                    Next::In(pause) => Some(pause),
                    _ => None,
                }
            }
        };
        let pause = if std::mem::take(&mut self.again) { Some(Duration::ZERO) } else { pause };
        // A restart that has ended meanwhile wants another look, too.
        self.at = self.at.into_iter().chain(pause.map(|pause| now + pause)).min();
        pause
    }

    /// Whether all members have had the time to say that they have to be restarted, so that the
    /// right one is first; if not, for how long to wait. `turn`: so long each of them may take.
    fn settled(
        &mut self,
        pending: BTreeMap<String, BTreeSet<String>>,
        now: Instant,
        turn: Duration,
    ) -> Result<(), Duration> {
        let is_known = |(name, parameters): (&String, &BTreeSet<String>)| {
            self.pending.get(name).is_some_and(|known| parameters.is_subset(known))
        };
        if !pending.iter().all(is_known) {
            self.settles = Some(now + turn);
        }
        self.pending = pending;
        self.settles_in(now).map_or(Ok(()), Err)
    }

    /// A restart was not done, or nobody knows; the next one waits, longer each time.
    fn restart_failed(&mut self, now: Instant, text: String, at_most: Duration) {
        let in_a_row = self.failed.as_ref().map_or(0, |failed| failed.in_a_row);
        let not_before = now + pause::after(in_a_row, at_most);
        self.failed = Some(Failed { in_a_row: in_a_row + 1, not_before, text });
    }

    /// What was wrong with the last restart, and for how long none is tried.
    fn restart_waits(&self, now: Instant) -> Option<(String, Duration)> {
        let failed = self.failed.as_ref()?;
        Some((failed.text.clone(), failed.not_before.saturating_duration_since(now)))
    }

    /// How long it takes until all members have had the time to say that they have to be restarted.
    fn settles_in(&self, now: Instant) -> Option<Duration> {
        let left = self.settles?.checked_duration_since(now)?;
        (!left.is_zero()).then_some(left)
    }
}

/// Asks Patroni, beside everything else, if there is a reason to; if not, when there will be one.
pub fn run(
    context: &Arc<Context>,
    config: &Arc<Config>,
    manifest: &Arc<Postgresql>,
    cluster: &Cluster,
) -> Option<Duration> {
    if upgrade::runs(context, manifest, cluster) {
        return None;
    }
    let wanted = Wanted::of(cluster, config, is_paused(manifest));
    let seen = Seen::of(context, config, cluster, wanted);
    let resync = config.operation.resync_period;
    // Told with everything else, where there is nobody to be asked.
    let idle = idle(cluster, &seen).map(|finding| (Stage::Patroni, finding));
    let (begins, due_in) = context.memory.with(&cluster.id, |known| {
        if idle.is_some() {
            known.picture.found(cluster.generation, idle);
            // When there is somebody to be asked again, they are, though they are the same; and a
            // look that ends meanwhile knows nothing of this.
            known.patroni_config.seen = None;
            known.patroni_config.again |= known.patroni_config.looks;
            return (false, None);
        }
        let now = Instant::now();
        let begins = known.patroni_config.begins(&seen, now, resync);
        (begins, known.patroni_config.due_in(now))
    });
    if !begins {
        return due_in;
    }
    let job = Job {
        context: Arc::clone(context),
        config: Arc::clone(config),
        manifest: Arc::clone(manifest),
        cluster: cluster.clone(),
        wanted: seen.wanted,
    };
    tokio::spawn(async move {
        let own = job.clone();
        // A task of its own: a bug that panics ends this look, not all that are to come.
        let looked = tokio::spawn(async move { look(&own).await }).await;
        let (finding, next) = looked.unwrap_or_else(|error| {
            let cluster = &job.cluster.id;
            tracing::error!(%cluster, %error, "a bug ended the work on Patroni's settings");
            (Finding::failed("Bug", "a bug ended the work on Patroni's settings"), Next::Failed)
        });
        job.ended(finding, next).await;
    });
    None
}

/// Why nobody can be asked.
fn idle(cluster: &Cluster, seen: &Seen) -> Option<Finding> {
    if cluster.spec.number_of_instances == 0 {
        return Some(Finding::off("NoInstances", "the cluster has no instances"));
    }
    seen.doors().is_empty().then(|| Finding::waiting("NoPods", "no pod has an address yet"))
}

/// One look.
#[derive(Clone)]
struct Job {
    context: Arc<Context>,
    config: Arc<Config>,
    manifest: Arc<Postgresql>,
    cluster: Cluster,
    wanted: Wanted,
}

impl Job {
    fn id(&self) -> &ClusterId {
        &self.cluster.id
    }

    /// A pod's, with the patience for one question.
    fn patroni(&self, (pod, address): &Door, patience: Duration) -> Patroni {
        let system = self.context.memory.read(self.id(), |known| known.system.clone()).flatten();
        let meant = Meant::new(pod, system);
        Patroni::new(self.context.http.clone(), *address, patience, meant)
    }

    /// Nobody else disturbs the cluster from now on.
    ///
    /// # Errors
    /// Why not now: something else is being done to it, or it is not as it was when this look
    /// began.
    fn reserve(&self, what: What) -> Result<Reserved, String> {
        let id = self.id();
        let reserved = self.context.memory.with(id, |known| known.disturbance.reserve(what));
        let reserved = reserved.map_err(|other| other.to_string())?;
        // Behind that: whoever wrote there before has it reserved, or is another operator.
        let now = self.context.caches.manifests.get(id, &id.name).ok_or("the manifest is gone")?;
        if is_under_way(&now) {
            return Err("the script of a major upgrade runs".to_owned());
        }
        let (before, now) = (&self.manifest, &now);
        let is_same = before.metadata.uid == now.metadata.uid
            && before.metadata.generation == now.metadata.generation
            && now.metadata.deletion_timestamp.is_none()
            && is_paused(now) == self.wanted.pause;
        if is_same { Ok(reserved) } else { Err("the manifest has changed meanwhile".to_owned()) }
    }

    /// To be told with the next status.
    fn found(&self, finding: Finding) {
        let found = [(Stage::Patroni, finding)];
        let generation = self.cluster.generation;
        self.context.memory.with(self.id(), |known| known.picture.found(generation, found));
    }

    async fn ended(&self, finding: Finding, next: Next) {
        let (context, id) = (&self.context, self.id());
        let at_most = self.config.operation.repair_period;
        self.found(finding);
        let ended = |own: &mut PatroniConfig| own.ended(Instant::now(), next, at_most);
        let again = context.memory.with(id, |known| ended(&mut known.patroni_config));
        if context.caches.manifests.get(id, &id.name).is_none() {
            if context.begun(id).is_none() {
                context.memory.forget(id);
            }
            return;
        }
        let _told_again_at_the_next_look = tell::status(context, &self.manifest).await;
        if let Some(again) = again {
            context.objects.add_later(id, again, Why::Repair);
        }
    }
}

#[cfg(test)]
mod tests;
