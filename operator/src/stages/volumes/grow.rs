//! Asks for more where a claim asks for less than the manifest, whether a pod uses it or not.
//!
//! The request is one patch of the very version that was seen, so that it never takes back what
//! somebody else asked for meanwhile. What the API server does not allow is asked for again after
//! `repair_period`.

use std::collections::BTreeMap;

use serde_json::json;
use tokio::time::Instant;

use super::classes::Classes;
use crate::api::postgresql::Postgresql;
use crate::apply;
use crate::build::resources::Quantity;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
use crate::failure::{describe, has_code};
use crate::report::News;
use crate::volumes::{self, Claim, Obstacle, Obstacles};

/// What the API server had against a claim that asked for more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    size: Quantity,
    why: String,
    not_before: Instant,
}

/// Grows what can; `obstacles` says what cannot.
pub(super) async fn run(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
    wanted: Quantity,
    obstacles: &mut Obstacles,
) {
    let claims = super::claims(context, cluster);
    let (mut classes, mut grown) = (Classes::default(), BTreeMap::<String, Vec<String>>::new());
    for claim in volumes::behind(&claims, wanted) {
        let obstacle = match refused(context, cluster, claim, wanted) {
            Some(why) => Some(Obstacle::Refused(why)),
            None => classes.obstacle(context, claim.class.as_deref()).await,
        };
        let obstacle = match obstacle {
            None => ask(context, config, cluster, claim, wanted).await.err(),
            some => some,
        };
        match obstacle {
            Some(obstacle) => drop(obstacles.insert(claim.name.clone(), obstacle)),
            None => {
                let from = claim.asked.map(|asked| asked.to_string()).unwrap_or_default();
                grown.entry(from).or_default().push(claim.name.clone());
            }
        }
    }
    for (from, names) in grown {
        let text = format!("{}: asks for {wanted} instead of {from}", names.join(", "));
        context.tell(manifest, &News::normal("Volumes", text));
    }
}

/// Why not, if that was said a moment ago.
fn refused(
    context: &Context,
    cluster: &Cluster,
    claim: &Claim,
    wanted: Quantity,
) -> Option<String> {
    let now = Instant::now();
    context.memory.with(&cluster.id, |known| {
        known.refused_growth.retain(|_, refusal| refusal.not_before > now);
        let refusal = known.refused_growth.get(&claim.name)?;
        (refusal.size == wanted).then(|| refusal.why.clone())
    })
}

async fn ask(
    context: &Context,
    config: &Config,
    cluster: &Cluster,
    claim: &Claim,
    wanted: Quantity,
) -> Result<(), Obstacle> {
    let Some(live) = context.caches.claims.get(&cluster.id, &claim.name) else { return Ok(()) };
    let requests = json!({ "storage": wanted.to_string() });
    let change = json!({ "spec": { "resources": { "requests": requests } } });
    match apply::patch(context, &*live, change).await {
        Ok(now) => {
            let (name, namespace) = (&claim.name, &cluster.id.namespace);
            tracing::info!(kind = "PersistentVolumeClaim", name, namespace, size = %wanted, "grows");
            context.caches.claims.wrote(now);
            Ok(())
        }
        // A driver, a quota or a policy has its reasons, and keeps them for a while.
        Err(error) if has_code(&error, 403) || has_code(&error, 422) => {
            let why = describe(&error);
            let not_before = Instant::now() + config.operation.repair_period;
            let refusal = Refusal { size: wanted, why: why.clone(), not_before };
            context.memory.with(&cluster.id, |known| {
                known.refused_growth.insert(claim.name.clone(), refusal);
            });
            Err(Obstacle::Refused(why))
        }
        Err(error) => Err(Obstacle::Failed(describe(&error))),
    }
}
