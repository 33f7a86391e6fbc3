//! The CronJob of logical backups, and the Secret with the keys of the cloud that it needs: there
//! where a manifest asks for backups, and gone where it no longer does.
//!
//! Never: a CronJob that somebody else made under another name, or one of another cluster: names are
//! cut, and those of two clusters may begin alike.

use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};

use crate::api::postgresql::Postgresql;
use crate::apply::{Kind, Written, delete, ensure, has_applied};
use crate::build::backup;
use crate::cluster::{Cluster, ClusterId};
use crate::config::Config;
use crate::context::Context;
use crate::controller::cache::Cache;
use crate::failure::ApplyError;
use crate::report::{Finding, News, Stage, condition_of};

/// Brings both in line. `None`: there is nothing to say about backups.
pub async fn run(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
) -> Option<Finding> {
    let failed = |error: ApplyError| Finding::failed("ApplyFailed", error.to_string());
    if !context.caches.cron_jobs.is_filled() {
        let text =
            "CronJobs could not be listed yet; see packaging/kustomize/rbac.yaml for the rights";
        let is_asked = backup::is_wanted(&cluster.spec);
        return is_asked.then(|| Finding::waiting("NotListed", text));
    }
    if !backup::is_wanted(&cluster.spec) {
        return match remove(context, config, manifest, cluster, false).await {
            Ok(()) if condition_of(manifest, Stage::LogicalBackup).is_some() => {
                Some(Finding::off("Off", "the manifest asks for no logical backups"))
            }
            Ok(()) => None,
            Err(error) => Some(failed(error)),
        };
    }
    Some(match make(context, config, manifest, cluster).await {
        Ok(finding) => finding,
        Err(error) => failed(error),
    })
}

async fn make(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
) -> Result<Finding, ApplyError> {
    let keys = match &config.backup.logical_backup_cronjob_environment_secret {
        None => Vec::new(),
        Some(name) => {
            let namespace = &cluster.id.namespace;
            let api: Api<Secret> = Api::namespaced(context.client.clone(), namespace);
            let found = api.get_opt(name).await;
            let Some(found) = found.map_err(|error| ApplyError::of::<Secret>(name, &error))? else {
                let text = format!("the Secret {namespace}/{name} is not there yet");
                return Ok(Finding::waiting("EnvironmentMissing", text));
            };
            found.data.unwrap_or_default().into_keys().collect()
        }
    };
    let (caches, id) = (&context.caches, &cluster.id);
    let wanted = backup::cron_job(cluster, config, &keys);
    let name = wanted.name_any();
    if let Some(taken) = taken(context, config, &caches.cron_jobs, id, &name).await? {
        return Ok(taken);
    }
    if let Some(credentials) = backup::credentials(cluster, config) {
        let keys = credentials.name_any();
        if let Some(taken) = taken(context, config, &caches.secrets, id, &keys).await? {
            return Ok(taken);
        }
        ensure(context, &caches.secrets, id, &credentials).await?;
    }
    let written = ensure(context, &context.caches.cron_jobs, &cluster.id, &wanted).await?;
    if written == Written::Created {
        let text = format!("The CronJob {name} of logical backups has been created");
        context.tell(manifest, &News::normal("LogicalBackup", text));
    }
    // One with another prefix would go on beside it, and keys that nobody uses would stay.
    remove(context, config, manifest, cluster, true).await?;
    let schedule = wanted.spec.map(|spec| spec.schedule).unwrap_or_default();
    Ok(Finding::done("Ready", format!("{name} runs at {schedule:?}")))
}

/// Whether there is one that has not the labels of the cluster, which no cache knows.
async fn taken<K: Kind>(
    context: &Context,
    config: &Config,
    cache: &Cache<K>,
    id: &ClusterId,
    name: &str,
) -> Result<Option<Finding>, ApplyError> {
    if cache.get(id, name).is_some() {
        return Ok(None);
    }
    let api: Api<K> = Api::namespaced(context.client.clone(), &id.namespace);
    let found = api.get_opt(name).await.map_err(|error| ApplyError::of::<K>(name, &error))?;
    let Some(found) = found else { return Ok(None) };
    let kind = K::kind(&());
    let text = match found.labels().get(&config.labels.cluster_name_label) {
        Some(other) if *other != id.name => format!(
            "the {kind} {name} is of the cluster {other}, whose name begins like this one's: it needs another name, or a shorter logical_backup_job_prefix"
        ),
        // One of ours that the watch has not told of yet.
        _ if has_applied(&found) => return Ok(None),
        _ => format!("the {kind} {name} is there, and not of this cluster: rename it"),
    };
    Ok(Some(Finding::failed("NameTaken", text)))
}

/// Deletes what is ours and not wanted.
async fn remove(
    context: &Context,
    config: &Config,
    manifest: &Postgresql,
    cluster: &Cluster,
    is_wanted: bool,
) -> Result<(), ApplyError> {
    let (caches, id) = (&context.caches, &cluster.id);
    let own = backup::name(&id.name, config);
    let goes = |job: &CronJob| match job.name_any() == own {
        true => !is_wanted,
        false => has_applied(job),
    };
    for job in caches.cron_jobs.of(id).iter().filter(|job| goes(job)) {
        if job.metadata.deletion_timestamp.is_none() {
            delete(context, &**job, false).await?;
            let text = format!("The CronJob {} of logical backups is deleted", job.name_any());
            context.tell(manifest, &News::normal("LogicalBackup", text));
        }
    }
    let keeps_keys = is_wanted && backup::credentials(cluster, config).is_some();
    let keys = backup::credentials_name(&id.name, config);
    if !keeps_keys
        && let Some(secret) = caches.secrets.get(id, &keys).filter(|it| has_applied(&**it))
    {
        delete(context, &*secret, false).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::*;
    use crate::build::vectors;
    use crate::report::Outcome;
    use crate::testing::FakeApi;

    #[tokio::test]
    async fn the_job_and_the_keys_of_a_cluster_whose_name_begins_alike_are_left_alone() {
        for kind in ["/cronjobs/", "/secrets/"] {
            let mut config = vectors::config();
            config.backup.logical_backup_job_prefix = "logical-backup-".to_owned();
            config.backup.logical_backup_provider = "s3".to_owned();
            config.backup.logical_backup_s3_access_key_id = Some("hunter2".to_owned());
            config.backup.logical_backup_s3_secret_access_key = Some("hunter2".to_owned());
            let api = FakeApi::new(move |asked| match asked.path.contains(kind) {
                false => crate::testing::refusal(404),
                true => {
                    let ours = json!([{ "manager": "postgres-operator", "operation": "Apply" }]);
                    let labels = json!({ "application": "spilo", "cluster-name": "ledger-eu" });
                    (
                        200,
                        json!({ "metadata": {
                        "name": "logical-backup-ledger", "namespace": "default",
                        "labels": labels, "managedFields": ours,
                    } }),
                    )
                }
            });
            let context = api.context(config.clone(), None);
            context.caches.cron_jobs.take(Event::Init);
            context.caches.cron_jobs.take(Event::InitDone);
            let mut cluster = vectors::cluster();
            cluster.id.name = "ledger-us".to_owned();
            cluster.spec.enable_logical_backup = Some(true);
            let manifest = serde_json::from_value(json!({
                "apiVersion": "acid.zalan.do/v1", "kind": "postgresql", "metadata": {}, "spec": {},
            }));
            let manifest = manifest.unwrap();
            let found = run(&context, &config, &manifest, &cluster).await.unwrap();
            assert_eq!((found.outcome, found.reason), (Outcome::Failed, "NameTaken"), "{kind}");
            assert!(found.message.contains("of the cluster ledger-eu"), "{}", found.message);
            assert_eq!(api.writes(), Vec::<String>::new(), "{kind}");
        }
    }
}
