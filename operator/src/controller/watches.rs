//! The watches: all kinds that the operator follows, in the namespaces that it is for.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::one::{api, follow, watching};
use super::triggers;
use crate::build::pooler;
use crate::context::Context;
use crate::nodes;

/// Follows everything but the manifests until the set is dropped. `namespace`: `None` is all.
pub fn watch(context: &Arc<Context>, namespace: Option<&str>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let config = context.config();
    let labels = &config.labels.cluster_labels;
    let selector =
        labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
    let of_poolers = watching().labels(&pooler::selector(&config.labels));
    let of_both = watching().labels(&pooler::selector_of_both(&config.labels));
    let ours = watching().labels(&selector);
    let all = watching();
    macro_rules! follow {
        ($cache:ident, $kind:literal, $config:expr, $trigger:path) => {
            let (context, config) = (Arc::clone(context), $config.clone());
            let api = api(&context.client, namespace);
            tasks.spawn(async move {
                let changed = |change| $trigger(&context, change);
                follow(&context.board, $kind, &context.caches.$cache, api, config, changed).await;
            });
        };
    }
    follow!(stateful_sets, "StatefulSet", ours, triggers::stateful_set);
    follow!(services, "Service", of_both, triggers::service);
    follow!(budgets, "PodDisruptionBudget", ours, triggers::budget);
    follow!(secrets, "Secret", of_both, triggers::secret);
    follow!(pods, "Pod", ours, triggers::pod);
    follow!(claims, "PersistentVolumeClaim", ours, triggers::claim);
    follow!(deployments, "Deployment", of_poolers, triggers::deployment);
    follow!(cron_jobs, "CronJob", ours, triggers::cron_job);
    if config.identity.enable_postgres_team_crd {
        follow!(teams, "PostgresTeam", all, triggers::team);
    }
    let context = Arc::clone(context);
    tasks.spawn(async move { nodes::follow(&context).await });
    tasks
}
