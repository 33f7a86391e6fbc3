//! Restarts that are pending: whose turn it is, and why nobody's if so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::read::{Answer, Door};
use super::seen::Seen;
use super::{Job, Next};
use crate::api::status::{PatroniStatus, RestartStatus};
use crate::controller::queue::Why;
use crate::disturbance::{Reserved, What};
use crate::patroni::dynamic::{Member, Plan, next, reason, shrinks};
use crate::patroni::{Instance, PatroniError};
use crate::report::{Finding, News};
use crate::tell;

/// A restart that changes nothing about its reason is not tried for ever: something else sets the
/// parameter, `ALTER SYSTEM` for one. The second try is for a standby that had not heard yet that
/// its primary has less.
const MOST: u32 = 2;
/// Until a server that was restarted streams again, it is looked at so often.
const SOON: Duration = Duration::from_secs(1);

/// What is to be done.
pub(super) enum Restart {
    None(Next),
    Waits(Finding, Next),
    Now(Begun),
}

/// One that begins as soon as it is written down.
pub(super) struct Begun {
    door: Door,
    leads: bool,
    reason: String,
    /// Those that can have less as soon as their primary has, if that is what it is for.
    followers: Vec<Door>,
    turn: Duration,
    _reserved: Reserved,
}

/// `after`: gets what has to be remembered.
pub(super) async fn restarts(
    job: &Job,
    seen: &Seen,
    plan: &Plan,
    after: &mut PatroniStatus,
    answer: &Answer,
    turn: Duration,
) -> Restart {
    let pending: Vec<&str> = answer
        .members
        .members
        .iter()
        .filter(|member| member.pending_restart)
        .map(|member| member.name.as_str())
        .collect();
    let waits = |text: String, next| {
        let text = format!("a restart is pending on {}: {text}", pending.join(", "));
        Restart::Waits(Finding::waiting("RestartPending", text), next)
    };
    let other = job.context.memory.read(job.id(), |known| known.disturbance.now()).flatten();
    if let Some(other @ What::Restart(_)) = other {
        return Restart::Waits(Finding::waiting("Restarting", other.to_string()), Next::Rest);
    }
    if pending.is_empty() {
        after.restarts.clear();
        let settles = job.context.memory.with(job.id(), |known| {
            known.patroni_config.failed = None;
            known.patroni_config.settles_in(Instant::now())
        });
        return Restart::None(settles.map_or(Next::Rest, Next::In));
    }
    if plan.is_paused {
        return waits("it is done when the pause is over".to_owned(), Next::Rest);
    }
    if let Some(why) = seen.why_not() {
        return waits(why, Next::Rest);
    }
    let members = match members(job, seen, answer).await {
        Ok(members) => members,
        Err(why) => return waits(why, Next::Soon(RETRY)),
    };
    let parameters = members.iter().filter(|own| own.instance.pending_restart).map(|own| {
        let parameters: BTreeSet<String> =
            own.instance.pending_restart_reason.keys().cloned().collect();
        (own.name.clone(), parameters)
    });
    let parameters: BTreeMap<_, _> = parameters.collect();
    let settled = job
        .context
        .memory
        .with(job.id(), |known| known.patroni_config.settled(parameters, Instant::now(), turn));
    if let Err(left) = settled {
        return waits("all members get the time to say so".to_owned(), Next::In(left));
    }
    if let Some(why) = members.iter().find_map(why_not_well) {
        return waits(why, Next::Soon(SOON));
    }
    let last = job
        .context
        .memory
        .read(job.id(), |known| known.patroni_config.restart_waits(Instant::now()))
        .flatten();
    if let Some((problem, left)) = last.as_ref().filter(|(_, left)| !left.is_zero()) {
        let text = format!("a restart is pending on {}: {problem}", pending.join(", "));
        return Restart::Waits(Finding::failed("RestartFailed", text), Next::In(*left));
    }
    let noted = after.clone();
    match choose(&members, after) {
        Some(member) => match Begun::reserved(job, seen, member, turn) {
            Ok(begun) => Restart::Now(begun),
            Err(why) => {
                *after = noted;
                waits(why, Next::Soon(SOON))
            }
        },
        None if members.iter().any(|own| own.instance.pending_restart) => {
            let problem = last.map_or("something else sets these parameters (ALTER SYSTEM, a file); see GET /patroni of the pod".to_owned(), |(problem, _)| problem);
            let text = format!(
                "a restart is pending on {} and has not helped: {problem}",
                pending.join(", ")
            );
            Restart::Waits(Finding::partly("RestartPending", text), Next::Rest)
        }
        // Patroni's own list is a turn old.
        None => Restart::None(Next::Soon(turn)),
    }
}

/// Between two looks at a member that does not answer.
const RETRY: Duration = Duration::from_secs(2);

/// All members, as they are now.
///
/// # Errors
/// Who does not answer, or has no pod.
async fn members(job: &Job, seen: &Seen, answer: &Answer) -> Result<Vec<Member>, String> {
    let patience = job.config.operation.patroni_api_check_timeout;
    let doors = seen.doors();
    let mut all = Vec::new();
    for standing in &answer.members.members {
        let door = doors.iter().find(|(name, _)| *name == standing.name);
        let door = door.ok_or_else(|| format!("{} has no pod", standing.name.escape_debug()))?;
        let instance =
            job.patroni(door, patience).instance().await.map_err(|error| error.to_string())?;
        let leads = standing.leads();
        all.push(Member { name: door.0.clone(), leads, instance });
    }
    if !all.iter().any(|member| member.leads) {
        return Err("nobody leads".to_owned());
    }
    Ok(all)
}

/// Nobody is restarted while another one does not run, or does not follow.
fn why_not_well(member: &Member) -> Option<String> {
    let Instance { state, replication_state, .. } = &member.instance;
    if state != "running" {
        return Some(format!("PostgreSQL of {} is {}", member.name, state.escape_debug()));
    }
    let follows = ["streaming", "in archive recovery"];
    let is_told = member.instance.tells_streaming() && !member.leads;
    let is_well = replication_state.as_deref().is_some_and(|state| follows.contains(&state));
    (is_told && !is_well).then(|| format!("{} does not follow its primary yet", member.name))
}

/// Whose turn it is; that is noted.
fn choose<'a>(members: &'a [Member], after: &mut PatroniStatus) -> Option<&'a Member> {
    after.restarts.retain(|name, _| {
        members.iter().any(|own| own.name == *name && own.instance.pending_restart)
    });
    let times = |member: &Member| match after.restarts.get(&member.name) {
        Some(last) if last.reason == reason(&member.instance) => last.times,
        _ => 0,
    };
    let member = next(members, |member| times(member) < MOST)?;
    let noted = RestartStatus { reason: reason(&member.instance), times: times(member) + 1 };
    if member.leads {
        // What a replica could not have before, it can have now.
        after.restarts.clear();
    }
    after.restarts.insert(member.name.clone(), noted);
    Some(member)
}

impl Begun {
    /// From now on nobody else of the cluster is disturbed.
    ///
    /// # Errors
    /// Why it is not to be restarted now.
    fn reserved(job: &Job, seen: &Seen, member: &Member, turn: Duration) -> Result<Self, String> {
        let (own, others): (Vec<_>, Vec<_>) =
            seen.doors().into_iter().partition(|(name, _)| *name == member.name);
        let own = own.into_iter().next();
        let door = own.ok_or_else(|| format!("{} has no address", member.name))?;
        let has_followers = member.leads && shrinks(&member.instance);
        let followers = others.into_iter().filter(|_| has_followers).collect();
        let _reserved = job.reserve(What::Restart(member.name.clone()))?;
        // It took some time to ask them all.
        let now = Seen::of(&job.context, &job.config, &job.cluster, job.wanted.clone());
        if let Some(why) = now.why_not() {
            return Err(why);
        }
        let reason = reason(&member.instance);
        Ok(Self { door, leads: member.leads, reason, followers, turn, _reserved })
    }

    /// Beside everything else; the finding until it is over.
    pub(super) fn begin(self, job: &Job) -> Finding {
        let text = format!("PostgreSQL of {} is being restarted: {}", self.door.0, self.reason);
        let job = job.clone();
        tokio::spawn(async move {
            let own = job.clone();
            // Patroni goes on with it whatever becomes of this task.
            let _a_bug = tokio::spawn(async move { self.restart(&own).await }).await;
            let now = Some(Instant::now());
            job.context.memory.with(job.id(), |known| known.patroni_config.at = now);
            job.context.objects.add(job.id(), Why::Repair);
        });
        Finding::waiting("Restarting", text)
    }

    async fn restart(self, job: &Job) {
        let role = if self.leads { "master" } else { "replica" };
        let pod = format!("{role} pod {}/{}", job.id().namespace, self.door.0);
        let for_what =
            if self.reason.is_empty() { String::new() } else { format!(" ({})", self.reason) };
        let text = format!("restarting Postgres server within {pod}{for_what}");
        job.context.tell(&job.manifest, &News::normal("Update", text));
        let patience = job.config.operation.patroni_api_check_timeout;
        let patroni = job.patroni(&self.door, patience);
        // Another cluster's would do it as well.
        let restarted = match patroni.instance().await {
            Ok(_ours) => patroni.restart_pending().await,
            Err(error) => Err(PatroniError { may_be_done: false, ..error }),
        };
        match restarted {
            Ok(()) => {
                let text = format!("Postgres server restart done for {pod}");
                job.context.tell(&job.manifest, &News::normal("Update", text));
                job.context.memory.with(job.id(), |known| known.patroni_config.failed = None);
                self.followers_compare_again(job).await;
            }
            Err(error) => {
                let text = format!("could not restart Postgres server within {pod}: {error}");
                job.context.tell(&job.manifest, &News::warning("Update", text.clone()));
                if !error.may_be_done {
                    self.does_not_count(job).await;
                }
                let at_most = job.config.operation.repair_period;
                job.context.memory.with(job.id(), |known| {
                    known.patroni_config.restart_failed(Instant::now(), text, at_most);
                });
            }
        }
    }

    /// What was refused was no try. One that may have been done is: a restart that is done again
    /// and again, as its answers are lost, is worse than one that somebody has to ask for.
    async fn does_not_count(&self, job: &Job) {
        let forgets = |own: &mut PatroniStatus| {
            if let Some(noted) = own.restarts.get_mut(&self.door.0) {
                noted.times = noted.times.saturating_sub(1);
            }
        };
        let _counts_at_worst = tell::patroni(&job.context, &job.manifest, forgets).await;
    }

    /// A replica that Patroni restarted by itself before its primary had less (to copy logical
    /// slots, for one) runs on with more, and has forgotten that a restart is pending: Patroni 4.0
    /// counts what PostgreSQL says at the end of a reload, and it says nothing then.
    async fn followers_compare_again(&self, job: &Job) {
        let patience = job.config.operation.patroni_api_check_timeout;
        for door in &self.followers {
            if let Err(error) = job.patroni(door, patience).reload().await {
                tracing::warn!(cluster = %job.id(), %error, "a replica was not asked to compare its settings; it may run with more than its primary until it is restarted");
            }
        }
        if !self.followers.is_empty() {
            let settles = Some(Instant::now() + self.turn);
            job.context.memory.with(job.id(), |known| known.patroni_config.settles = settles);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Member, PatroniStatus, choose, why_not_well};

    fn member(name: &str, leads: bool, instance: Value) -> Member {
        let mut all = json!({
            "state": "running", "role": if leads { "primary" } else { "replica" },
            "patroni": { "version": "4.0.4" },
        });
        all.as_object_mut().expect("an object").extend(instance.as_object().cloned().expect("one"));
        let instance = serde_json::from_value(all).expect("an instance");
        Member { name: name.to_owned(), leads, instance }
    }

    fn pending(name: &str, leads: bool, from: &str) -> Member {
        let turn = json!({ "old_value": from, "new_value": "100" });
        let reasons = json!({ "max_connections": turn });
        let instance = json!({ "pending_restart": true, "pending_restart_reason": reasons });
        member(name, leads, instance)
    }

    #[test]
    fn a_restart_that_does_not_help_is_tried_once_more_and_then_no_more() {
        let mut after = PatroniStatus::default();
        let all = [member("acid-0", true, json!({})), pending("acid-1", false, "50")];
        for _ in 0..2 {
            assert_eq!(choose(&all, &mut after).map(|own| own.name.as_str()), Some("acid-1"));
        }
        assert_eq!(choose(&all, &mut after), None);
        // For something else it is.
        let all = [member("acid-0", true, json!({})), pending("acid-1", false, "60")];
        assert_eq!(choose(&all, &mut after).map(|own| own.name.as_str()), Some("acid-1"));
        // And when it was well in between, from the beginning.
        let well = [member("acid-0", true, json!({})), member("acid-1", false, json!({}))];
        assert_eq!(choose(&well, &mut after), None);
        assert_eq!(after, PatroniStatus::default());
    }

    #[test]
    fn behind_a_restart_of_the_primary_every_replica_may_be_restarted_again() {
        let mut after = PatroniStatus::default();
        let replica = || member("acid-1", false, json!({ "pending_restart": true }));
        let all = [member("acid-0", true, json!({ "pending_restart": true })), replica()];
        let order: Vec<_> =
            std::iter::from_fn(|| choose(&all, &mut after).map(|own| own.name.clone()))
                .take(3)
                .collect();
        assert_eq!(order, ["acid-1", "acid-1", "acid-0"], "nobody says what it is for");
        let then = [member("acid-0", true, json!({})), replica()];
        assert_eq!(choose(&then, &mut after).map(|own| own.name.as_str()), Some("acid-1"));
    }

    #[test]
    fn nobody_is_restarted_while_another_one_does_not_run_or_does_not_stream() {
        for (leads, instance, is_well) in [
            (true, json!({}), true),
            (true, json!({ "state": "starting" }), false),
            (false, json!({}), false),
            (false, json!({ "replication_state": "streaming" }), true),
            (false, json!({ "replication_state": "in archive recovery" }), true),
            (false, json!({ "state": "stopped", "replication_state": "streaming" }), false),
            // It cannot say.
            (false, json!({ "patroni": { "version": "3.0.2" } }), true),
        ] {
            let found = why_not_well(&member("acid-0", leads, instance.clone()));
            assert_eq!(found.is_none(), is_well, "{leads} {instance}: {found:?}");
        }
    }
}
