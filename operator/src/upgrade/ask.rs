//! Which versions servers have, as Patroni says in each pod.

use kube::ResourceExt;

use super::plan::{self, Member};
use super::version;
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::patroni::Instance;
use crate::rolling::{is_marked, is_ready};
use crate::stages::pods::primary_of;
use crate::switchover::patroni;

/// What the primary says of itself now.
pub async fn primary(context: &Context, config: &Config, id: &ClusterId) -> Option<Instance> {
    let primary = primary_of(&context.caches.pods.of(id), config)?;
    let server = patroni(context, config, &primary)?.instance().await.ok()?;
    context.memory.with(id, |known| known.upgrade.running = server.major());
    Some(server)
}

/// All pods, and what their Patroni says.
pub async fn pods(context: &Context, config: &Config, id: &ClusterId) -> Vec<plan::Pod> {
    let pods = context.caches.pods.of(id);
    let asked = pods.iter().map(|pod| async move {
        let containers = pod.spec.as_ref().map(|spec| spec.containers.as_slice());
        let server = match patroni(context, config, pod) {
            Some(patroni) => patroni.instance().await.ok(),
            None => None,
        };
        plan::Pod {
            name: pod.name_any(),
            is_ready: is_ready(pod),
            has_run: pod.labels().contains_key(&config.labels.pod_role_label),
            is_leaving: pod.metadata.deletion_timestamp.is_some() || is_marked(pod),
            made_for: version::of_pod(containers.unwrap_or_default()),
            server: server.map(|server| plan::Server {
                runs: server.state == "running",
                is_primary: server.is_primary(),
                version: server.major(),
            }),
        }
    });
    futures_util::future::join_all(asked).await
}

/// Who is in the cluster, as its primary says, and whether Patroni is paused there.
pub async fn members(
    context: &Context,
    config: &Config,
    id: &ClusterId,
    primary: &Instance,
) -> Option<(Vec<Member>, bool)> {
    let pod = primary_of(&context.caches.pods.of(id), config)?;
    let all = patroni(context, config, &pod)?.members().await.ok()?;
    let follows =
        |state: &str| state == "streaming" || state == "running" && !primary.tells_streaming();
    let member = |own: crate::patroni::Member| Member {
        leads: ["leader", "master", "standby_leader"].contains(&own.role.as_str()),
        streams: follows(&own.state),
        lag: own.lag.as_u64(),
        name: own.name,
    };
    Some((all.members.into_iter().map(member).collect(), all.pause))
}
