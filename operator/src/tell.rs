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
use crate::controller::cache::version;
use crate::failure::{ApplyError, has_code};
use crate::leader::NAME;
use crate::packed::Packed;
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
    let status = known(context, &id, &manifest);
    let is_ours = status.is_object();
    // In 2018 it was a word, which has no fields to be merged with.
    let is_word = !is_ours && !status.is_null();
    let before = PostgresStatus::read(status);
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
    if !report::is_new(&before, &after) && is_ours {
        return Ok(Some(()));
    }
    let Some(written) = write(context, &id, &manifest, &after, is_word).await? else {
        return Ok(None);
    };
    let told = Told::of(&written);
    context.caches.manifests.wrote(written);
    let cached = context.caches.manifests.get(&id, &id.name);
    let is_cached = cached.is_some_and(|cached| !told.is_newer_than(&cached));
    context.memory.with(&id, |known| known.told = (!is_cached).then_some(told));
    if let Some(news) = report::news(&before, &after, &picture) {
        context.tell(&manifest, &news);
    }
    Ok(Some(()))
}

/// The status that the API server gave back last. The cache has it later, where it came with a
/// change that a user made meanwhile.
#[derive(Debug)]
pub struct Told {
    uid: Option<String>,
    version: u64,
    status: Packed,
}

impl Told {
    fn of(manifest: &Postgresql) -> Self {
        let (uid, status) = (manifest.uid(), manifest.status.clone());
        Self { uid, version: version(manifest), status }
    }

    fn is_newer_than(&self, cached: &Postgresql) -> bool {
        self.uid == cached.uid() && self.version > version(cached)
    }
}

/// The status of a manifest, as far as we know: what we wrote is not forgotten because the watch is
/// late.
pub fn known(context: &Context, id: &ClusterId, manifest: &Postgresql) -> Value {
    context.memory.with(id, |known| {
        known.told = known.told.take().filter(|told| told.is_newer_than(manifest));
        known.told.as_ref().map_or_else(|| manifest.status.value(), |told| told.status.value())
    })
}

async fn write(
    context: &Context,
    id: &ClusterId,
    manifest: &Postgresql,
    status: &PostgresStatus,
    is_word: bool,
) -> Result<Option<Postgresql>, ApplyError> {
    let api: Api<Postgresql> = Api::namespaced(context.client.clone(), &id.namespace);
    let mut patch = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": "postgresql",
        "status": status,
    });
    let (parameters, patch) = if is_word {
        (PatchParams::default(), Patch::Merge(patch))
    } else {
        patch["metadata"] = json!({ "name": id.name, "uid": manifest.metadata.uid });
        (PatchParams::apply(NAME).force(), Patch::Apply(patch))
    };
    match api.patch_status(&id.name, &parameters, &patch).await {
        Ok(written) => Ok(Some(written)),
        // It was deleted meanwhile, or created again as well: the watch is going to tell, and would
        // not if it were forgotten here.
        Err(error) if has_code(&error, 404) || has_code(&error, 409) => Ok(None),
        Err(error) => Err(ApplyError::of::<Postgresql>(&id.name, &error)),
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

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;
    use serde_json::{Value, json};

    use super::{known, patroni};
    use crate::api::postgresql::Postgresql;
    use crate::build::vectors::config;
    use crate::cluster::ClusterId;
    use crate::testing::{FakeApi, nothing};

    fn manifest(version: u64, generation: u64, status: &Value) -> Value {
        json!({
            "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
            "metadata": { "name": "acid-test", "namespace": "default", "uid": "1",
                "resourceVersion": version.to_string(), "generation": generation },
            "spec": { "teamId": "acid" }, "status": status,
        })
    }

    /// An answer of the API server may have a change of a user, of which the watch tells later.
    #[tokio::test]
    async fn what_was_written_is_not_taken_back_because_the_watch_is_late() {
        let api = FakeApi::new(|asked| match asked.method == "PATCH" {
            true => (200, manifest(7, 2, &asked.body["status"])),
            false => nothing(asked),
        });
        let context = api.context(config(), None);
        let of = |value: Value| serde_json::from_value::<Postgresql>(value).expect("a manifest");
        let seen = of(manifest(5, 1, &json!({})));
        context.caches.manifests.take(Event::Apply(seen.clone()));
        patroni(&context, &seen, |own| own.pause = true).await.expect("written");
        patroni(&context, &seen, |own| own.slots.extend(["audit".to_owned()]))
            .await
            .expect("written");
        let asked = api.asked();
        let last = &asked.last().expect("a write").body["status"]["patroni"];
        assert_eq!(*last, json!({ "pause": true, "slots": ["audit"] }));
        // What the watch tells is newer again.
        let id = ClusterId::of(&seen).expect("a name");
        let now = of(manifest(8, 2, &json!({ "patroni": {} })));
        context.caches.manifests.take(Event::Apply(now.clone()));
        assert_eq!(known(&context, &id, &now), json!({ "patroni": {} }));
    }
}
