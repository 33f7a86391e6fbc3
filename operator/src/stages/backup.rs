//! The CronJob of logical backups, and the Secret with the keys of the cloud that it needs: there
//! where a manifest asks for backups, and gone where it no longer does.
//!
//! Never: a CronJob that somebody else made under another name.

use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};

use crate::api::postgresql::Postgresql;
use crate::apply::{Written, delete, ensure, has_applied};
use crate::build::backup;
use crate::cluster::Cluster;
use crate::config::Config;
use crate::context::Context;
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
        let text = "CronJobs could not be listed yet; see operator-rbac.yaml for the rights";
        let is_asked = backup::is_wanted(&cluster.spec);
        return is_asked.then(|| Finding::waiting("NotListed", text));
    }
    if !backup::is_wanted(&cluster.spec) {
        return match remove(context, config, manifest, cluster, false).await {
            Ok(()) if condition_of(&manifest.status, Stage::LogicalBackup).is_some() => {
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
    if let Some(credentials) = backup::credentials(cluster, config) {
        ensure(context, &context.caches.secrets, &cluster.id, &credentials).await?;
    }
    let wanted = backup::cron_job(cluster, config, &keys);
    let name = wanted.name_any();
    if context.caches.cron_jobs.get(&cluster.id, &name).is_none()
        && is_foreign(context, cluster, &name).await?
    {
        let text = format!("the CronJob {name} is there, and not of this cluster: rename it");
        return Ok(Finding::failed("NameTaken", text));
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
async fn is_foreign(context: &Context, cluster: &Cluster, name: &str) -> Result<bool, ApplyError> {
    let api: Api<CronJob> = Api::namespaced(context.client.clone(), &cluster.id.namespace);
    let found = api.get_opt(name).await.map_err(|error| ApplyError::of::<CronJob>(name, &error))?;
    // One of ours that the watch has not told of yet.
    Ok(found.is_some_and(|found| !has_applied(&found)))
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
