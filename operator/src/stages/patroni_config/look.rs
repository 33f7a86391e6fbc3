//! One look at the settings of a cluster, from the question to the next step.

use std::time::Duration;

use serde_json::{Map, Value};

use super::read::{Answer, change, read, read_anew};
use super::restarts::{Restart, restarts};
use super::seen::Seen;
use super::{Job, Next, idle};
use crate::api::status::{PatroniStatus, PostgresStatus};
use crate::controller::queue::Why;
use crate::disturbance::What;
use crate::patroni::dynamic::{self, Plan, plan};
use crate::report::{Finding, News};
use crate::tell;

/// To change a setting, Patroni writes it where it keeps its state.
const CHANGE: Duration = Duration::from_secs(10);
/// Each member sees a change at its next turn, and takes so long for it.
const RELOAD: Duration = Duration::from_secs(2);

pub(super) type Looked = (Finding, Next);

pub(super) async fn look(job: &Job) -> Looked {
    // As it is now: the pods may have changed since the look that made us ask.
    let seen = Seen::of(&job.context, &job.config, &job.cluster, job.wanted.clone());
    if let Some(finding) = idle(&job.cluster, &seen) {
        return (finding, Next::Rest);
    }
    let doors = seen.doors();
    let answer = match read(job, &doors).await {
        Ok(answer) => answer,
        Err(error) if seen.has_primary() => return failed(error),
        Err(error) => {
            let text = format!("no pod is the primary and ready; {error}");
            return (Finding::waiting("NoPrimary", text), Next::Failed);
        }
    };
    let ours = ours(job);
    let (answer, plan) = match certain(job, &ours, answer).await {
        Ok(certain) => certain,
        Err(error) => return failed(error),
    };
    match &plan.patch {
        Some(patch) => apply(job, &plan, patch, &answer).await,
        None => hold(job, &seen, &ours, plan, &answer).await,
    }
}

/// A member answers by what it saw at its last turn, so that what was asked for just now may not be
/// there yet. Where it would be forgotten because of that, it is read anew.
///
/// # Errors
/// What each member had against it.
async fn certain(
    job: &Job,
    ours: &PatroniStatus,
    answer: Answer,
) -> Result<(Answer, Plan), String> {
    let first = plan(&job.wanted, ours, &answer.config);
    if first.patch.is_some() || !first.forgets(ours) {
        return Ok((answer, first));
    }
    let config = read_anew(job, &answer.doors).await?;
    let plan = plan(&job.wanted, ours, &config);
    Ok((Answer { config, ..answer }, plan))
}

/// What is written down of this manifest.
fn ours(job: &Job) -> PatroniStatus {
    let id = job.id();
    let manifest = job.context.caches.manifests.get(id, &id.name);
    let status = manifest.map(|manifest| tell::known(&job.context, id, &manifest));
    PostgresStatus::read(status.unwrap_or_default()).patroni
}

/// Writes down what is ours, unless it is written already.
///
/// # Errors
/// What the API server has against it; nothing more is to be done then.
pub(super) async fn remember(
    job: &Job,
    before: &PatroniStatus,
    now: &PatroniStatus,
) -> Result<(), Looked> {
    if before == now { Ok(()) } else { write_down(job, now).await }
}

/// The same, whatever is written.
async fn write_down(job: &Job, now: &PatroniStatus) -> Result<(), Looked> {
    let written = tell::patroni(&job.context, &job.manifest, |own| own.clone_from(now)).await;
    written.map_err(|error| {
        let text = format!("nothing is changed, because it cannot be written down: {error}");
        (Finding::failed("StatusNotWritten", text), Next::Failed)
    })
}

fn failed(error: String) -> Looked {
    (Finding::failed("PatroniFailed", error), Next::Failed)
}

/// Patroni gets what differs.
async fn apply(job: &Job, plan: &Plan, patch: &Value, answer: &Answer) -> Looked {
    let changes = plan.changes.join(", ");
    let wait = turn(&answer.config);
    let text = format!("the pods take it over within {wait:?}: {changes}");
    let applying = Finding::waiting("Applying", text);
    let _reserved = match job.reserve(What::Settings) {
        Ok(reserved) => reserved,
        Err(why) => {
            return (Finding::waiting("Applying", format!("{changes}: {why}")), Next::Soon(RELOAD));
        }
    };
    // It is said before it is done: who does not lead any more cannot, and changes nothing.
    job.found(applying.clone());
    if let Err(looked) = write_down(job, &plan.before).await {
        return looked;
    }
    let patience = CHANGE.max(job.config.operation.patroni_api_check_timeout);
    let now = match change(job, &answer.doors, patch, patience).await {
        Ok(now) => now,
        Err(error) => return failed(error),
    };
    job.context
        .tell(&job.manifest, &News::normal("Patroni", format!("Patroni's settings: {changes}")));
    match patch.get("pause") {
        Some(Value::Null) => {
            let text = "The pause is over: Patroni fails over again, and pending restarts are done";
            job.context.tell(&job.manifest, &News::normal("Pause", text));
        }
        Some(_) => {
            let text = "Patroni is paused by the manifest: no failover, no switchover, no restart";
            job.context.tell(&job.manifest, &News::normal("Pause", text));
        }
        None => {}
    }
    // What a member had not seen yet is still there: it stays ours.
    let left = dynamic::plan(&job.wanted, &plan.before, &now).patch.is_some();
    let after = if left { &plan.before } else { &plan.after };
    if let Err(looked) = remember(job, &plan.before, after).await {
        return looked;
    }
    (applying, Next::In(wait.max(turn(&now))))
}

/// Within this every member has seen a change.
fn turn(config: &Map<String, Value>) -> Duration {
    let wait = config.get("loop_wait");
    let wait = wait.and_then(|wait| wait.as_u64().or_else(|| wait.as_str()?.trim().parse().ok()));
    Duration::from_secs(wait.unwrap_or(10).min(3600)) + RELOAD
}

/// The settings are as they should be: what follows from them?
async fn hold(job: &Job, seen: &Seen, ours: &PatroniStatus, plan: Plan, answer: &Answer) -> Looked {
    let mut after = plan.after.clone();
    let promotes = job.wanted.standby.is_none() && ours.standby && !plan.is_paused;
    if promotes && is_promoted(job, seen, answer).await {
        after.standby = false;
    }
    let turn = turn(&answer.config);
    let found = match promotes && after.standby {
        // It would count, and is not begun before the promotion.
        true => Restart::None(Next::Rest),
        false => restarts(job, seen, &plan, &mut after, answer, turn).await,
    };
    if let Err(looked) = remember(job, ours, &after).await {
        return looked;
    }
    if promotes && !after.standby {
        let text = "The cluster follows nobody any more, and has been promoted";
        job.context.tell(&job.manifest, &News::normal("Standby", text));
        // What could not be done while it followed another one.
        job.context.databases.add(job.id(), Why::Primary);
    }
    if promotes && after.standby {
        let text = "the cluster follows nobody any more, and Patroni has not promoted it yet";
        return (Finding::waiting("Promoting", text), Next::Soon(RELOAD));
    }
    match found {
        Restart::None(next) => (settled(&plan), next),
        Restart::Waits(finding, next) => (with_stays(finding, &plan), next),
        Restart::Now(begun) => {
            let finding = begun.begin(job);
            (with_stays(finding, &plan), Next::Rest)
        }
    }
}

/// Whether whoever leads writes.
async fn is_promoted(job: &Job, seen: &Seen, answer: &Answer) -> bool {
    let leader = answer.members.members.iter().find(|member| member.leads());
    let doors = seen.doors();
    let door = leader.and_then(|leader| doors.iter().find(|(name, _)| *name == leader.name));
    let Some(door) = door else { return false };
    let patience = job.config.operation.patroni_api_check_timeout;
    job.patroni(door, patience).instance().await.is_ok_and(|own| {
        ["primary", "master"].contains(&own.role.as_str()) && own.state == "running"
    })
}

fn settled(plan: &Plan) -> Finding {
    let finding = match plan.is_paused {
        true => {
            let whose = if plan.after.pause { "by the manifest" } else { "by somebody else" };
            let text = format!("Patroni is paused {whose}: no failover, no switchover, no restart");
            Finding::done("Paused", text)
        }
        false => Finding::done("InSync", ""),
    };
    with_stays(finding, plan)
}

fn with_stays(mut finding: Finding, plan: &Plan) -> Finding {
    for text in &plan.stays {
        let separator = if finding.message.is_empty() { "" } else { "; " };
        finding.message = format!("{}{separator}{text}", finding.message);
    }
    finding
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::turn;

    #[test]
    fn a_turn_is_as_long_as_patroni_waits_between_two_looks_and_a_reload() {
        for (config, seconds) in [
            (json!({}), 12),
            (json!({ "loop_wait": 1 }), 3),
            (json!({ "loop_wait": "5" }), 7),
            (json!({ "loop_wait": "often" }), 12),
        ] {
            let config = config.as_object().expect("an object");
            assert_eq!(turn(config), Duration::from_secs(seconds), "{config:?}");
        }
    }
}
