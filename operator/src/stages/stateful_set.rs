//! The StatefulSet. Its pods are restarted by nobody here: the update strategy is `OnDelete`, so
//! that another template is known to the API server and waits.
//!
//! A field that Kubernetes does not let anybody change needs another StatefulSet under the same
//! name: the old one is deleted and its pods stay, and the new one takes them over.

use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::{Api, ResourceExt};

use crate::api::postgresql::Postgresql;
use crate::apply::{self, ApplyError, Written, ensure};
use crate::build::facts::PodFacts;
use crate::build::statefulset::stateful_set;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::controller::queue::Why;
use crate::patroni::Patroni;
use crate::report::{Finding, News};

/// Brings it in line.
pub async fn run(
    context: &Arc<Context>,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
) -> Finding {
    let facts = match facts(context, config, cluster).await {
        Ok(facts) => facts,
        Err(Missing::Yet(what)) => {
            return Finding::waiting("PodEnvironmentMissing", format!("{what} is not there yet"));
        }
        Err(Missing::Error(error)) => return Finding::failed("ApplyFailed", error.to_string()),
    };
    let (mut wanted, notices) = stateful_set(cluster, config, &facts);
    // Once for each manifest, or every look at it would be an event.
    let is_new = manifest.status["observedGeneration"].as_i64() != manifest.metadata.generation;
    for notice in notices.into_iter().filter(|_| is_new) {
        context.tell(manifest, &News::warning(notice.reason, notice.message));
    }
    let live = context.caches.stateful_sets.get(&cluster.id, &cluster.id.name);
    let mut hand_over = None;
    if let Some(live) = &live {
        hand_over = before_fewer(context, cluster, &mut wanted, live);
    }
    match write(context, manifest, cluster, &wanted, live.as_deref()).await {
        Ok(()) => hand_over.unwrap_or_else(|| Finding::done("Ready", "")),
        Err(error) => Finding::failed("ApplyFailed", error.to_string()),
    }
}

async fn write(
    context: &Context,
    manifest: &Postgresql,
    cluster: &Cluster,
    wanted: &StatefulSet,
    live: Option<&StatefulSet>,
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
            let name = &cluster.id.name;
            apply::delete(context, live, true).await?;
            let text = format!(
                "The StatefulSet {name} is replaced, and its pods stay: {} cannot be changed",
                fixed.join(", ")
            );
            context.tell(manifest, &News::normal("StatefulSet", text));
            // The watch tells when it is gone, and then it is made anew.
            return Ok(());
        }
    }
    let written = ensure(context, sets, &cluster.id, wanted).await?;
    if written == Written::Created {
        let text = format!("The StatefulSet {} has been created", cluster.id.name);
        context.tell(manifest, &News::normal("StatefulSet", text));
    }
    Ok(())
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

/// Fewer pods than before: the pods with the highest numbers go, and if the primary is among
/// them, it hands over first. The number of pods stays as it is until that is done.
fn before_fewer(
    context: &Arc<Context>,
    cluster: &Cluster,
    wanted: &mut StatefulSet,
    live: &StatefulSet,
) -> Option<Finding> {
    let replicas = |set: &StatefulSet| set.spec.as_ref().and_then(|spec| spec.replicas);
    let (fewer, now) = (replicas(wanted)?, replicas(live)?);
    if fewer >= now || fewer == 0 {
        return None;
    }
    let primary = super::pods::primary(context, cluster)?;
    let number = ordinal(&primary.name_any())?;
    if number < fewer {
        return None;
    }
    if let Some(spec) = &mut wanted.spec {
        spec.replicas = Some(now);
    }
    hand_over(context, cluster, &primary, fewer);
    let text = format!(
        "{} is the primary and has to go: it hands over to another pod before there are {fewer}",
        primary.name_any()
    );
    Some(Finding::waiting("HandsOver", text))
}

/// Asks Patroni, beside everything else; the pods' labels tell how it went.
fn hand_over(context: &Arc<Context>, cluster: &Cluster, primary: &Pod, fewer: i32) {
    let address = primary.status.as_ref().and_then(|status| status.pod_ip.as_ref());
    let Some(address) = address.and_then(|address| address.parse::<IpAddr>().ok()) else { return };
    let is_ours =
        context.memory.with(&cluster.id, |known| !std::mem::replace(&mut known.hands_over, true));
    if !is_ours {
        return;
    }
    let (context, id, leader) = (Arc::clone(context), cluster.id.clone(), primary.name_any());
    let patience = context.config().operation.patroni_api_check_timeout;
    let patroni = Patroni::new(context.http.clone(), address, patience);
    tokio::spawn(async move {
        let asked = async {
            let members = patroni.members().await.map_err(|error| error.to_string())?;
            let stays = |name: &str| ordinal(name).is_some_and(|number| number < fewer);
            let candidate = members.candidate(stays).ok_or("no pod that stays could take over")?;
            patroni.switchover(&leader, candidate).await.map_err(|error| error.to_string())
        };
        if let Err(error) = asked.await {
            tracing::warn!(cluster = %id, error, "the primary could not hand over");
        }
        context.memory.with(&id, |known| known.hands_over = false);
        context.objects.add(&id, Why::Repair);
    });
}

/// The number at the end of a pod's name.
fn ordinal(pod: &str) -> Option<i32> {
    pod.rsplit_once('-')?.1.parse().ok()
}
