//! One run of Spilo's script on the primary.
//!
//! In: the pod, and from which version to which. Out: annotations and events that say how it
//! ended, if somebody saw that; if not, the note that it runs stays. While it runs, all pods have
//! the label that keeps them on their nodes. Never: a second run beside a first one, which the note
//! on the manifest and the lock in the pod rule out for two operators as well.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::is_under_way;
use super::note::{FAILURE, NOTE, Note, Place, SUCCESS};
use super::script::{command, is_held, shell};
use crate::admin::scrub;
use crate::api::postgresql::Postgresql;
use crate::build::budget::CRITICAL_OPERATION;
use crate::build::containers::POSTGRES;
use crate::build::names;
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::controller::queue::Why;
use crate::disturbance::Reserved;
use crate::exec::{Ended, ExecError, SHORT, exec};
use crate::failure::{ApplyError, describe, has_code};
use crate::report::News;

/// So long the end of the script is waited for. `pg_upgrade` links files and does not copy them.
const LONG: Duration = Duration::from_secs(4 * 3600);
/// How it ended has to be noted, or somebody has to find out.
const TRIES: u32 = 20;
/// So many versions of a manifest may come in between.
const VERSIONS: u32 = 4;
/// So long a watch is waited for, in moments.
const TOLD: u32 = 50;
const MOMENT: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_secs(3);
const REASON: &str = "Major Version Upgrade";

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub pod: String,
    /// How many there are.
    pub pods: usize,
    pub from: u32,
    pub to: u32,
}

/// Lets it run beside everything else, from the first question to the last note. `reserved`: nobody
/// else disturbs the cluster meanwhile, and it is known by this that it runs.
pub fn start(
    context: &Arc<Context>,
    config: &Arc<Config>,
    manifest: &Postgresql,
    id: &ClusterId,
    attempt: Attempt,
    reserved: Reserved,
) {
    let (context, config) = (Arc::clone(context), Arc::clone(config));
    let (manifest, id) = (manifest.clone(), id.clone());
    tokio::spawn(async move {
        let reserved = reserved;
        let problem = run(&context, &config, &manifest, &id, &attempt).await.err();
        if let Some(problem) = &problem {
            let Attempt { from, to, .. } = attempt;
            let text = format!("upgrade from {from} to {to} could not be started: {problem}");
            context.tell(&manifest, &News::warning(REASON, text));
        }
        let at_most = config.operation.repair_period;
        context.memory.with(&id, |known| {
            known.upgrade.running = None;
            known.upgrade.tries.ended(Instant::now(), problem, at_most);
        });
        drop(reserved);
        context.objects.add(&id, Why::Repair);
    });
}

/// `Err`: the script was not started, and no note or label says that it was.
async fn run(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    id: &ClusterId,
    attempt: &Attempt,
) -> Result<(), String> {
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &id.namespace);
    // Whoever may run no commands there learns that here, before anything is written.
    let user = user(&pods, &attempt.pod).await?;
    note(context, manifest, id, attempt, &pods).await?;
    let begun = async {
        label(context, config, id, true).await.map_err(|error| error.to_string())?;
        let text = format!(
            "starting major version upgrade on pod {} of {} pods",
            attempt.pod, attempt.pods
        );
        context.tell(manifest, &News::normal(REASON, text));
        script(&pods, attempt, &user).await
    };
    match begun.await {
        Ok(End::Seen(outcome)) => {
            finish(context, config, manifest, id, attempt, &outcome).await;
            Ok(())
        }
        Ok(End::Unseen(why)) => {
            // The note stays: the next look asks the pod whether it runs.
            let text = format!("nobody sees the script on {} any more: {why}", attempt.pod);
            context.tell(manifest, &News::warning(REASON, text));
            Ok(())
        }
        Err(problem) => {
            let note = json!({ "metadata": { "annotations": { NOTE: null } } });
            settle(context, config, id, &note).await;
            Err(problem)
        }
    }
}

/// The number of the user that commands have there.
async fn user(pods: &Api<Pod>, pod: &str) -> Result<String, String> {
    let user = exec(pods, pod, POSTGRES, &shell("/usr/bin/id -u"), SHORT).await;
    match user.map_err(|error| error.to_string())? {
        user if user.is_well => Ok(user.text),
        user => Err(format!("id: {}", said(&user))),
    }
}

/// Notes that it begins, and where, if the manifest is what this was decided by.
async fn note(
    context: &Context,
    manifest: &Postgresql,
    id: &ClusterId,
    attempt: &Attempt,
    pods: &Api<Pod>,
) -> Result<(), String> {
    let pod = pods.get(&attempt.pod).await.map_err(|error| describe(&error))?;
    let place = Place { pod: attempt.pod.clone(), uid: pod.uid().unwrap_or_default() };
    let text = Note::Running(attempt.to, Some(place)).to_string();
    let api: Api<Postgresql> = Api::namespaced(context.client.clone(), &id.namespace);
    let facts = |one: &Postgresql| {
        let own = &one.metadata;
        (own.uid.clone(), own.generation, own.annotations.clone(), own.deletion_timestamp.clone())
    };
    let mut problem = String::new();
    // A status that is written at the same time is another version, and nothing else.
    for _ in 0..VERSIONS {
        let now = api.get(&id.name).await.map_err(|error| describe(&error))?;
        if facts(&now) != facts(manifest) {
            return Err("the manifest was changed meanwhile".to_owned());
        }
        let mut note = json!({ "metadata": { "annotations": { NOTE: &text } } });
        // Of two operators one comes too late.
        note["metadata"]["resourceVersion"] = json!(now.resource_version());
        match annotate(context, id, &note).await {
            Ok(()) => return Ok(()),
            Err(error) => problem = error.to_string(),
        }
    }
    Err(problem)
}

/// What is known of the end of a script that may have begun.
#[derive(Debug)]
enum End {
    Seen(Result<(), String>),
    /// And why: it may still run.
    Unseen(String),
}

/// `Err`: it was not started.
async fn script(pods: &Api<Pod>, attempt: &Attempt, user: &str) -> Result<End, String> {
    let pod = &attempt.pod;
    let command = command(user, attempt.pods);
    match exec(pods, pod, POSTGRES, &command, LONG).await {
        Ok(ended) if ended.is_well => Ok(End::Seen(Ok(()))),
        Ok(ended) if is_held(ended.code) => {
            Ok(End::Unseen("another run has begun before and has not ended".to_owned()))
        }
        Ok(ended) if ended.code.is_none() => Ok(End::Unseen(said(&ended))),
        Ok(ended) => {
            let last = shell("tail -n 1 last_upgrade.log");
            let last = exec(pods, pod, POSTGRES, &last, SHORT).await.ok();
            let last = last.filter(|last| last.is_well && !last.text.trim().is_empty());
            Ok(End::Seen(Err(said(last.as_ref().unwrap_or(&ended)))))
        }
        Err(error @ ExecError::NotStarted(_)) => Err(error.to_string()),
        Err(error) => Ok(End::Unseen(error.to_string())),
    }
}

/// The last line of it, for people.
fn said(ended: &Ended) -> String {
    let text = ended.text.trim().lines().last().filter(|line| !line.is_empty());
    let text = scrub(text.unwrap_or(&ended.reason)).escape_debug().to_string();
    let end = text.char_indices().nth(300).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or_default().to_owned()
}

async fn finish(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    id: &ClusterId,
    attempt: &Attempt,
    outcome: &Result<(), String>,
) {
    let Attempt { from, to, .. } = attempt;
    let (from, to) = (*from, *to);
    settle(context, config, id, &outcome_of(to, outcome.is_ok())).await;
    let news = match outcome {
        Ok(()) => News::normal(REASON, format!("upgrade from {from} to {to} finished")),
        Err(text) => News::warning(REASON, format!("upgrade from {from} to {to} FAILED: {text}")),
    };
    context.tell(manifest, &news);
}

/// What is noted on the manifest at the end.
fn outcome_of(to: u32, is_well: bool) -> Value {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let annotations = match is_well {
        true => json!({ SUCCESS: now, FAILURE: null, NOTE: Note::Ended(to).to_string() }),
        false => json!({ FAILURE: now, NOTE: Note::Failed(to).to_string() }),
    };
    json!({ "metadata": { "annotations": annotations } })
}

/// The end of a script that nobody of us has waited for.
///
/// # Errors
/// What the API server has against it.
pub async fn end(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    id: &ClusterId,
    to: u32,
    is_well: bool,
) -> Result<(), ApplyError> {
    label(context, config, id, false).await?;
    annotate(context, id, &outcome_of(to, is_well)).await?;
    let news = match is_well {
        true => News::normal(REASON, format!("upgrade to {to} finished")),
        false => News::warning(
            REASON,
            format!(
                "upgrade to {to} FAILED: nobody saw how the script ended, and no server has that version; see last_upgrade.log in the pod, and whether Patroni is paused"
            ),
        ),
    };
    context.tell(manifest, &news);
    Ok(())
}

/// Takes back what was noted of an upgrade that is over.
///
/// # Errors
/// What the API server has against it.
pub async fn forget(context: &Context, id: &ClusterId) -> Result<(), ApplyError> {
    let nothing = json!({ "metadata": { "annotations": { FAILURE: null, NOTE: null } } });
    annotate(context, id, &nothing).await
}

/// Takes the label off, then writes the note, however long the API server is away. If it does not
/// come back, the note stays `running`, and the next look finds out.
async fn settle(context: &Context, config: &Config, id: &ClusterId, note: &Value) {
    for _ in 0..TRIES {
        let done = async {
            label(context, config, id, false).await?;
            annotate(context, id, note).await
        };
        match done.await {
            Ok(()) => return known(context, id).await,
            Err(error) => {
                tracing::warn!(cluster = %id, %error, "the end of an upgrade could not be noted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Waits until a watch has told that the script does not run. Before that it would look as if
/// somebody else had started it. If the watch is late, the pod is asked, and says that it ended.
async fn known(context: &Context, id: &ClusterId) {
    for _ in 0..TOLD {
        let manifest = context.caches.manifests.get(id, &id.name);
        if !manifest.is_some_and(|manifest| is_under_way(&manifest)) {
            return;
        }
        tokio::time::sleep(MOMENT).await;
    }
}

async fn annotate(context: &Context, id: &ClusterId, patch: &Value) -> Result<(), ApplyError> {
    let api: Api<Postgresql> = Api::namespaced(context.client.clone(), &id.namespace);
    match api.patch(&id.name, &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(now) => {
            context.caches.manifests.wrote(now);
            Ok(())
        }
        Err(error) => Err(ApplyError::of::<Postgresql>(&id.name, &error)),
    }
}

/// Of all pods of the cluster. A pod that went meanwhile needs none.
async fn label(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    is_critical: bool,
) -> Result<(), ApplyError> {
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &id.namespace);
    let mut selector = names::selector(&id.name, &config.labels);
    if !is_critical {
        selector = format!("{selector},{CRITICAL_OPERATION}=true");
    }
    let found = api.list(&ListParams::default().labels(&selector)).await;
    let found = found.map_err(|error| ApplyError::of::<Pod>(&id.name, &error))?;
    let value = if is_critical { json!("true") } else { Value::Null };
    let patch = json!({ "metadata": { "labels": { CRITICAL_OPERATION: value } } });
    for pod in found.items {
        let name = pod.name_any();
        match api.patch(&name, &PatchParams::default(), &Patch::Merge(&patch)).await {
            Err(error) if !has_code(&error, 404) => {
                return Err(ApplyError::of::<Pod>(&name, &error));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
