//! Writing the status of a cluster, and telling of its turns: only when something is new.

use std::sync::Arc;

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::admin::{ClusterFacts, Objects, RoleSync, Shown};
use crate::api::postgresql::Postgresql;
use crate::api::status::{PatroniStatus, PostgresStatus};
use crate::api::{GROUP, VERSION};
use crate::build::names::{self, Role};
use crate::cluster::ClusterId;
use crate::context::Context;
use crate::failure::{ApplyError, has_code};
use crate::leader::NAME;
use crate::report;

/// Writes what is known now of a cluster, if the API server does not know it yet.
///
/// # Errors
/// What the API server has against it; a manifest that is gone is none.
pub async fn status(context: &Context, manifest: &Postgresql) -> Result<(), ApplyError> {
    changed(context, manifest, |_| {}).await.map(drop)
}

/// The same, with something else that is to be remembered of Patroni's settings. When this is
/// done, the API server knows it.
///
/// # Errors
/// What the API server has against it; or the manifest is gone.
pub async fn patroni(
    context: &Context,
    manifest: &Postgresql,
    change: impl FnOnce(&mut PatroniStatus),
) -> Result<(), ApplyError> {
    let gone = || ApplyError::new("postgresql", &manifest.name_any(), "it is gone, or another one");
    let written = changed(context, manifest, |status| change(&mut status.patroni)).await?;
    written.ok_or_else(gone)
}

/// `None`: there is no such manifest any more.
async fn changed(
    context: &Context,
    manifest: &Postgresql,
    change: impl FnOnce(&mut PostgresStatus),
) -> Result<Option<()>, ApplyError> {
    let Some(id) = ClusterId::of(manifest) else { return Ok(None) };
    let writing = context.memory.with(&id, |known| known.writing.clone());
    let _one_at_a_time = writing.lock().await;
    // Somebody may have written since we were given it.
    let Some(manifest) = context.caches.manifests.get(&id, &id.name) else { return Ok(None) };
    let picture = context.memory.with(&id, |known| known.picture.clone());
    let status = manifest.status.value();
    let before = known(&status);
    let mut after = report::status(&before, &picture, Timestamp::now());
    change(&mut after);
    for (stage, finding) in &picture.findings {
        if finding.outcome == report::Outcome::Failed {
            context.board.stage_failed(stage.condition());
        }
    }
    context.board.cluster_seen(&id, facts(context, &id, &manifest, &after));
    let people = picture.people.as_ref();
    context.board.people_synced(
        &id,
        RoleSync {
            people: people.map_or(0, |people| usize::try_from(people.count).unwrap_or(0)),
            held_plans: usize::from(people.is_some_and(|people| people.plan_id.is_some())),
            frozen_teams: people.map_or(0, |people| {
                people.teams.values().filter(|team| team.frozen.is_some()).count()
            }),
        },
    );
    if !report::is_new(&before, &after) && status.is_object() {
        return Ok(Some(()));
    }
    let written = write(context, &id, &manifest, &after).await?;
    let is_written = written.is_some();
    if let Some(written) = written {
        context.caches.manifests.wrote(written);
    }
    if let Some(news) = report::news(&before, &after, &picture) {
        context.tell(&manifest, &news);
    }
    Ok(is_written.then_some(()))
}

async fn write(
    context: &Context,
    id: &ClusterId,
    manifest: &Postgresql,
    status: &PostgresStatus,
) -> Result<Option<Postgresql>, ApplyError> {
    let api: Api<Postgresql> = Api::namespaced(context.client.clone(), &id.namespace);
    let failed = |error: kube::Error| ApplyError::of::<Postgresql>(&id.name, &error);
    let mut patch = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "postgresql",
        "metadata": { "name": id.name, "uid": manifest.metadata.uid },
        "status": status,
    });
    let known = manifest.status.value();
    let result = if known.is_null() || known.is_object() {
        let parameters = PatchParams::apply(NAME).force();
        api.patch_status(&id.name, &parameters, &Patch::Apply(&patch)).await
    } else {
        // In 2018 it was a word, which has no fields to be merged with.
        if let Some(patch) = patch.as_object_mut() {
            patch.remove("metadata");
        }
        api.patch_status(&id.name, &PatchParams::default(), &Patch::Merge(&patch)).await
    };
    match result {
        Ok(written) => Ok(Some(written)),
        // It was deleted meanwhile, or created again as well: the watch is going to tell, and would
        // not if it were forgotten here.
        Err(error) if has_code(&error, 404) || has_code(&error, 409) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// What the HTTP API tells of it.
fn facts(
    context: &Context,
    id: &ClusterId,
    manifest: &Postgresql,
    status: &PostgresStatus,
) -> ClusterFacts {
    let service = |name: &str| context.caches.services.get(id, name).map(Shown::of);
    let budget = |name: &str| context.caches.budgets.get(id, name).map(Shown::of);
    let set = context.caches.stateful_sets.get(id, &id.name);
    let endpoints = context.memory.read(id, |known| known.endpoints.clone());
    let [master_endpoint, replica_endpoint] =
        endpoints.unwrap_or_default().map(|own| own.map(Arc::new).map(Shown::of));
    let objects = Objects {
        master_endpoint,
        replica_endpoint,
        master_service: service(&names::service(&id.name, Role::Master)),
        replica_service: service(&names::service(&id.name, Role::Replica)),
        stateful_set: set.map(Shown::of),
        primary_pod_disruption_budget: budget(&names::primary_budget(&id.name, &context.config())),
        critical_op_pod_disruption_budget: budget(&names::critical_budget(&id.name)),
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let spec = manifest.spec.value();
    let databases = spec["databases"].as_object();
    let refused = status.conditions.iter().find(|own| own.status == "False");
    ClusterFacts {
        team: text(&spec["teamId"]),
        uid: manifest.metadata.uid.clone().unwrap_or_default(),
        spec: Shown::of(Arc::new(manifest.spec.clone())),
        objects,
        databases: databases.into_iter().flat_map(|all| all.keys().cloned()).collect(),
        phase: word(status),
        error: refused.map(|own| format!("{}: {}", own.type_, own.message)),
    }
}

fn word(status: &PostgresStatus) -> String {
    serde_json::to_value(status.phase)
        .ok()
        .and_then(|word| Some(word.as_str()?.to_owned()))
        .unwrap_or_default()
}

/// What a status says, as far as it is one of ours.
fn known(status: &Value) -> PostgresStatus {
    match status {
        Value::String(_) => serde_json::from_value(json!({ "PostgresClusterStatus": status })),
        status => serde_json::from_value(status.clone()),
    }
    .unwrap_or_default()
}
