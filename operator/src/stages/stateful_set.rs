//! The StatefulSet. Its pods are restarted by nobody here: the update strategy is `OnDelete`, so
//! that another template is known to the API server and waits for `rolling`.
//!
//! A field that Kubernetes does not let anybody change needs another StatefulSet under the same
//! name: the old one is deleted and its pods stay, and the new one takes them over.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use tokio::time::Instant;

use super::fewer::before_fewer;
use super::{replace, upgrade, volumes};
use crate::adopt::held::{self, Held};
use crate::api::postgresql::Postgresql;
use crate::apply::adopt::Extent;
use crate::apply::{self, Written, ensure_extent};
use crate::build::facts::PodFacts;
use crate::build::names;
use crate::build::pod::Notice;
use crate::build::resources::Quantity;
use crate::build::statefulset::stateful_set;
use crate::cluster::{Cluster, ClusterId};
use crate::config::Config;
use crate::context::Context;
use crate::failure::ApplyError;
use crate::report::{Finding, News, Stage, condition_of};

/// What came of it.
#[derive(Debug)]
pub struct Workload {
    pub finding: Finding,
    /// So many pods there are to be, once the primary has handed over.
    pub fewer: Option<i32>,
    /// What somebody has to accept first; not known where nobody could look.
    pub held: Option<Option<Held>>,
}

impl From<Finding> for Workload {
    fn from(finding: Finding) -> Self {
        Self { finding, fewer: None, held: None }
    }
}

/// Brings it in line. `of_new`: how large the volumes of new pods are, if not as it has it.
pub async fn run(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
    of_new: Option<Quantity>,
) -> Workload {
    if upgrade::runs(context, manifest, cluster) {
        let text = "nothing is changed while the script of a major upgrade runs";
        return Finding::waiting("UpgradeRuns", text).into();
    }
    let (mut wanted, notices) = match wanted(context, config, cluster, of_new).await {
        Ok(wanted) => wanted,
        Err(finding) => return finding.into(),
    };
    // Once for each manifest, or every look at it would be an event.
    let is_new =
        manifest.status.value()["observedGeneration"].as_i64() != manifest.metadata.generation;
    for notice in notices.into_iter().filter(|_| is_new) {
        context.tell(manifest, &News::warning(notice.reason, notice.message));
    }
    let live = context.caches.stateful_sets.get(&cluster.id, &cluster.id.name);
    let replicas = |set: &StatefulSet| set.spec.as_ref().and_then(|spec| spec.replicas);
    let before = match replicas(&wanted) {
        Some(number) => before_fewer(context, config, cluster, number, live.as_deref()).await,
        None => None,
    };
    let mut fewer = None;
    if let (Some((number, _)), Some(spec)) = (&before, &mut wanted.spec) {
        // Where none is left, nobody hands over.
        fewer = spec.replicas.replace(*number).filter(|fewer| *fewer > 0);
    }
    let (written, held) = put(context, config, manifest, cluster, wanted, live.as_deref()).await;
    let finding = match written {
        Ok(()) if live.is_none() && held.is_some() => {
            context.tell(manifest, &News::warning("StatefulSet", GONE));
            Finding::partly(held::REASON, GONE)
        }
        Ok(()) => before.map_or_else(|| Finding::done("Ready", ""), |(_, finding)| finding),
        Err(error) => Finding::failed("ApplyFailed", error.to_string()),
    };
    Workload { finding, fewer, held: Some(held) }
}

/// Somebody deleted it while its template was held.
const GONE: &str = "the StatefulSet was deleted while its template was held: its pods run on, and as they are made otherwise than a new one would make them, there is none until somebody accepts what TakenOver says; a pod that goes meanwhile is not made anew";

/// As it should be, or why that cannot be said.
pub async fn wanted(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
    of_new: Option<Quantity>,
) -> Result<(StatefulSet, Vec<Notice>), Finding> {
    // Pods without the passwords that they are made of would only fail. Other Secrets are no
    // reason to wait.
    let missing = missing_secrets(context, config, cluster);
    if !missing.is_empty() {
        let text = format!("waits for {}, see SecretsReady", missing.join(", "));
        return Err(Finding::waiting("SecretsMissing", text));
    }
    let facts = match facts(context, config, cluster).await {
        Ok(facts) => facts,
        Err(Missing::Yet(what)) => {
            return Err(environment_missing(context, config, cluster, &what));
        }
        Err(Missing::Error(error)) => {
            return Err(Finding::failed("ApplyFailed", error.to_string()));
        }
    };
    context.memory.with(&cluster.id, |known| known.environment_missing_since = None);
    let live = context.caches.stateful_sets.get(&cluster.id, &cluster.id.name);
    let mut cluster = cluster.clone();
    let (version, _told_by_another_stage) =
        upgrade::for_pods(context, config, &cluster, live.as_deref());
    if let Some(version) = version {
        cluster.spec.postgresql.version = version.to_string();
    }
    let (mut wanted, notices) = stateful_set(&cluster, config, &facts);
    volumes::size_of_new(&mut wanted, live.as_deref(), of_new);
    Ok((wanted, notices))
}

/// Writes it, without what restarts pods that another operator made until somebody accepts that;
/// and what is held so.
pub async fn put(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
    mut wanted: StatefulSet,
    live: Option<&StatefulSet>,
) -> (Result<(), ApplyError>, Option<Held>) {
    let held = held(context, config, cluster, &wanted, live);
    let held = held.filter(|held| !held.is_accepted(&cluster.annotations));
    let mut extent = Extent::All;
    match (&held, live) {
        (Some(held), Some(live)) => {
            held.keep(&mut wanted, live);
            extent = Extent::ButTemplate;
        }
        (Some(_), None) => return (Ok(()), held),
        (None, _) => {}
    }
    (write(context, config, manifest, cluster, &wanted, live, extent).await, held)
}

/// What is held of it, whoever has accepted it.
pub fn held(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
    wanted: &StatefulSet,
    live: Option<&StatefulSet>,
) -> Option<Held> {
    if let Some(live) = live {
        return held::held(wanted, live, config);
    }
    // Whoever replaces one says before that nothing is held any more.
    let manifest = context.caches.manifests.get(&cluster.id, &cluster.id.name)?;
    let was_held =
        condition_of(&manifest, Stage::Takeover).is_some_and(|own| own["reason"] == held::REASON);
    let pods = context.caches.pods.of(&cluster.id);
    was_held.then(|| held::of_orphans(wanted, &pods, config)).flatten()
}

async fn write(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
    wanted: &StatefulSet,
    live: Option<&StatefulSet>,
    extent: Extent,
) -> Result<(), ApplyError> {
    let sets = &context.caches.stateful_sets;
    if let Some(live) = live {
        let failed = |error: String| ApplyError::new("StatefulSet", &cluster.id.name, error);
        let json = |set: &StatefulSet| {
            serde_json::to_value(set).map_err(|error| failed(error.to_string()))
        };
        let fixed = apply::immutable::needs_recreation(&json(wanted)?, &json(live)?)
            .map_err(|error| failed(error.to_string()))?;
        if !fixed.is_empty() {
            let (id, other) = (&cluster.id, (wanted, &*fixed));
            return replace::around_its_pods(context, config, manifest, id, live, other).await;
        }
    }
    let written = ensure_extent(context, sets, &cluster.id, wanted, extent).await?;
    if written == Written::Created {
        let text = format!("The StatefulSet {} has been created", cluster.id.name);
        context.tell(manifest, &News::normal("StatefulSet", text));
    }
    Ok(())
}

/// What pods that start now would wait for: a copy of a running cluster asks for a Secret of that
/// one for as long as its manifest names it.
pub fn missing_source(context: &Context, config: &Config, cluster: &Cluster) -> Option<String> {
    let clone = cluster.spec.clone.as_ref().filter(|clone| !clone.cluster.is_empty())?;
    if clone.timestamp.as_ref().is_some_and(|time| !time.is_empty()) {
        return None;
    }
    let name = names::secret(&config.identity.replication_username, &clone.cluster, config);
    let source = ClusterId { namespace: cluster.id.namespace.clone(), name: clone.cluster.clone() };
    context.caches.secrets.get(&source, &name).is_none().then(|| {
        format!(
            "clone: the Secret {name} of {source} is not there, and pods that start wait for it; take clone out once the copy runs"
        )
    })
}

/// Secrets that pods are made of and that are not there.
fn missing_secrets(context: &Context, config: &Config, cluster: &Cluster) -> Vec<String> {
    let system = [&config.identity.super_username, &config.identity.replication_username];
    let names = system.into_iter().map(|user| names::secret(user, &cluster.id.name, config));
    names.filter(|name| context.caches.secrets.get(&cluster.id, name).is_none()).collect()
}

/// Somebody else makes it, and nobody tells us when: it is looked for again soon, and after
/// `resource_check_timeout` it is a failure.
fn environment_missing(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
    what: &str,
) -> Finding {
    let now = Instant::now();
    let since = context
        .memory
        .with(&cluster.id, |known| *known.environment_missing_since.get_or_insert(now));
    let (reason, text) = ("PodEnvironmentMissing", format!("{what} is not there yet"));
    match now.duration_since(since) < config.operation.resource_check_timeout {
        true => Finding::waiting(reason, text),
        false => Finding::failed(reason, text),
    }
}

/// Why nothing can be said about the pods' environment.
enum Missing {
    Yet(String),
    Error(ApplyError),
}

/// What has to be looked up for the pods' environment.
async fn facts(context: &Context, config: &Config, cluster: &Cluster) -> Result<PodFacts, Missing> {
    let mut facts = PodFacts::default();
    if let Some(name) = &config.pods.pod_environment_secret {
        let namespace = &cluster.id.namespace;
        let api: Api<Secret> = Api::namespaced(context.client.clone(), namespace);
        let found = api.get_opt(name).await;
        let found =
            found.map_err(|error| Missing::Error(ApplyError::of::<Secret>(name, &error)))?;
        let found = found.ok_or_else(|| Missing::Yet(format!("the Secret {namespace}/{name}")))?;
        facts.environment_secret_keys = found.data.unwrap_or_default().into_keys().collect();
    }
    if let Some(place) = &config.pods.pod_environment_configmap {
        let namespace = match place.namespace.as_str() {
            "" => &cluster.id.namespace,
            own => own,
        };
        let api: Api<ConfigMap> = Api::namespaced(context.client.clone(), namespace);
        let found = api.get_opt(&place.name).await;
        let found = found
            .map_err(|error| Missing::Error(ApplyError::of::<ConfigMap>(&place.name, &error)))?;
        let found = found
            .ok_or_else(|| Missing::Yet(format!("the ConfigMap {namespace}/{}", place.name)))?;
        facts.environment_config_map = found.data.unwrap_or_default();
    }
    Ok(facts)
}
