//! What a deletion leaves: objects that the reference made for features that are not ours. They
//! are named and never touched.

use k8s_openapi::api::batch::v1::CronJob;
use kube::api::{ApiResource, DynamicObject, ListParams};
use kube::{Api, ResourceExt};

use super::steps::list;
use crate::api::postgresql::Postgresql;
use crate::apply::Kind;
use crate::build::{backup, names};
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::report::News;

/// Who reads streams.
const STREAMS_USER: &str = "fes_user";

/// The Secret of the user of streams, which go on without the cluster.
pub(super) fn streams_secret(config: &Config, id: &ClusterId) -> String {
    names::secret(STREAMS_USER, &id.name, config)
}

/// Names it all, once.
pub(super) async fn tell(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    manifest: Option<&Postgresql>,
) {
    if context.memory.with(id, |known| std::mem::replace(&mut known.told_what_stays, true)) {
        return;
    }
    let stays = found(context, config, id).await;
    if stays.is_empty() {
        return;
    }
    let text = format!("The deletion leaves what is not managed here: {}", stays.join(", "));
    match manifest {
        Some(manifest) => context.tell(manifest, &News::warning("Delete", text)),
        None => tracing::warn!(cluster = %id, "{text}"),
    }
}

async fn found(context: &Context, config: &Config, id: &ClusterId) -> Vec<String> {
    let of_cluster = format!("{}={}", config.labels.cluster_name_label, id.name);
    let mut all = names_of::<CronJob>(context, id, &of_cluster).await;
    let backup = format!("CronJob {}", backup::name(&id.name, config));
    all.retain(|left| *left != backup);
    all.extend(streams(context, id, &of_cluster).await);
    let secret = streams_secret(config, id);
    if context.caches.secrets.get(id, &secret).is_some() {
        all.push(format!("Secret {secret}"));
    }
    all
}

/// Nothing where we may not look: a deletion does not wait for that.
async fn names_of<K: Kind>(context: &Context, id: &ClusterId, selector: &str) -> Vec<String> {
    let found = list::<K>(context, &id.namespace, selector).await.unwrap_or_default();
    let kind = K::kind(&());
    found.iter().map(|own| format!("{kind} {}", own.name_any())).collect()
}

/// Where the API server knows the kind.
async fn streams(context: &Context, id: &ClusterId, selector: &str) -> Vec<String> {
    let kind = ApiResource {
        group: "zalando.org".to_owned(),
        version: "v1".to_owned(),
        api_version: "zalando.org/v1".to_owned(),
        kind: "FabricEventStream".to_owned(),
        plural: "fabriceventstreams".to_owned(),
    };
    let api: Api<DynamicObject> =
        Api::namespaced_with(context.client.clone(), &id.namespace, &kind);
    let found = api.list(&ListParams::default().labels(selector)).await;
    let found = found.map(|list| list.items).unwrap_or_default();
    found.iter().map(|own| format!("FabricEventStream {}", own.name_any())).collect()
}
