//! One run of Spilo's script on the primary.
//!
//! In: the pod, and from which version to which. Out: annotations and events that say how it
//! ended. While it runs, all pods have the label that keeps them on their nodes. Never: a second
//! run beside a first one, which the note on the manifest rules out for two operators as well.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::exec::{Ended, ExecError, exec};
use super::note::{FAILURE, NOTE, Note, SUCCESS};
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
use crate::failure::{ApplyError, has_code};
use crate::report::News;

/// For what only looks.
const SHORT: Duration = Duration::from_secs(30);
/// For the script. `pg_upgrade` links files and does not copy them.
const LONG: Duration = Duration::from_secs(4 * 3600);
/// How it ended has to be noted, or somebody has to find out.
const TRIES: u32 = 20;
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

/// Notes that it begins, and lets it run beside everything else.
///
/// # Errors
/// What the API server has against it; then nothing has begun.
pub async fn start(
    context: &Arc<Context>,
    config: &Arc<Config>,
    manifest: &Postgresql,
    id: &ClusterId,
    attempt: Attempt,
    reserved: Reserved,
) -> Result<(), ApplyError> {
    let text = Note::Running(attempt.to).to_string();
    let mut note = json!({ "metadata": { "annotations": { NOTE: text } } });
    // Of two operators one comes too late.
    note["metadata"]["resourceVersion"] = json!(manifest.resource_version());
    annotate(context, id, &note).await?;
    context.memory.with(id, |known| known.upgrade.runs = Some(attempt.pod.clone()));
    let (context, config) = (Arc::clone(context), Arc::clone(config));
    let (manifest, id) = (manifest.clone(), id.clone());
    tokio::spawn(async move {
        let reserved = reserved;
        let problem = run(&context, &config, &manifest, &id, &attempt).await.err();
        context.memory.with(&id, |known| {
            known.upgrade.runs = None;
            known.upgrade.running = None;
            known.upgrade.problem = problem;
        });
        drop(reserved);
        context.objects.add(&id, Why::Repair);
    });
    Ok(())
}

/// `Err`: the script was not started.
async fn run(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    id: &ClusterId,
    attempt: &Attempt,
) -> Result<(), String> {
    let begun = async {
        label(context, config, id, true).await.map_err(|error| error.to_string())?;
        let Attempt { pod, pods, .. } = attempt;
        let text = format!("starting major version upgrade on pod {pod} of {pods} pods");
        context.tell(manifest, &News::normal(REASON, text));
        script(context, id, attempt).await
    };
    match begun.await {
        Ok(outcome) => {
            finish(context, config, manifest, id, attempt, &outcome).await;
            Ok(())
        }
        Err(problem) => {
            let Attempt { from, to, .. } = attempt;
            let text = format!("upgrade from {from} to {to} could not be started: {problem}");
            context.tell(manifest, &News::warning(REASON, text));
            let note = json!({ "metadata": { "annotations": { NOTE: null } } });
            settle(context, config, id, &note).await;
            Err(problem)
        }
    }
}

/// `Err`: it was not started. `Ok(Err)`: it failed, or may have.
async fn script(
    context: &Context,
    id: &ClusterId,
    attempt: &Attempt,
) -> Result<Result<(), String>, String> {
    let api: Api<Pod> = Api::namespaced(context.client.clone(), &id.namespace);
    let pod = &attempt.pod;
    let user = exec(&api, pod, POSTGRES, &look("/usr/bin/id -u"), SHORT).await;
    let user = user.map_err(|error| error.to_string())?;
    if !user.is_well {
        return Err(format!("id: {}", said(&user)));
    }
    let command = command(&user.text, attempt.pods);
    match exec(&api, pod, POSTGRES, &command, LONG).await {
        Ok(ended) if ended.is_well => Ok(Ok(())),
        Ok(ended) => {
            let last = look("tail -n 1 last_upgrade.log");
            let last = exec(&api, pod, POSTGRES, &last, SHORT).await.ok();
            let last = last.filter(|last| last.is_well && !last.text.trim().is_empty());
            Ok(Err(said(last.as_ref().unwrap_or(&ended))))
        }
        Err(error @ ExecError::NotStarted(_)) => Err(error.to_string()),
        Err(error @ (ExecError::CutOff | ExecError::TooLong(_))) => Ok(Err(error.to_string())),
    }
}

/// A shell's command line.
fn look(line: &str) -> Vec<String> {
    ["/bin/bash", "-c", line].map(str::to_owned).to_vec()
}

/// The script has to run as `postgres`, which is not everybody's user in the container. `user`:
/// the answer of `id -u`.
fn command(user: &str, pods: usize) -> Vec<String> {
    let line = format!(
        "set -o pipefail && /usr/bin/python3 /scripts/inplace_upgrade.py {pods} 2>&1 | tee last_upgrade.log"
    );
    match user.trim() {
        "0" => ["/bin/su", "postgres", "-c", &line].map(str::to_owned).to_vec(),
        _ => look(&line),
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
            format!("upgrade to {to} FAILED: the operator that ran it ended before it did"),
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
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(cluster = %id, %error, "the end of an upgrade could not be noted");
                tokio::time::sleep(PAUSE).await;
            }
        }
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
