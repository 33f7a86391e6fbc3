//! The CronJob of logical backups: dumps of all databases, which a pod of their own writes into
//! the store of a cloud.
//!
//! In: a cluster, a configuration, and the keys of the Secret that the configuration adds. Out:
//! the CronJob, and the Secret with the keys of the cloud, if there are any: nobody who may read
//! a CronJob gets to know them. What runs in the pod is the image of zalando/postgres-operator,
//! or another that reads the same environment.

mod environment;

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::batch::v1::{CronJob, CronJobSpec, JobSpec, JobTemplateSpec};
use k8s_openapi::api::core::v1::{
    Affinity, Container, PodAffinity, PodAffinityTerm, PodSecurityContext, PodSpec,
    PodTemplateSpec, Secret, SecurityContext, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use super::names::{self, Role};
use super::{affinity, meta, pod, resources, volumes};
use crate::api::postgresql::FieldError;
use crate::api::spec::{PostgresSpec, ResourceAmounts, Resources};
use crate::cluster::Cluster;
use crate::config::{Config, Labels};
use crate::cron;

/// What the name of a CronJob may be long: those of its jobs are longer.
const LONGEST_NAME: usize = 52;
const CONTAINER: &str = "logical-backup";
/// The label of its pods, which are none of the cluster's.
const APPLICATION: (&str, &str) = ("application", "spilo-logical-backup");

/// What the CronJob of a cluster is called.
pub fn name(cluster: &str, config: &Config) -> String {
    let prefix = &config.backup.logical_backup_job_prefix;
    let cut: String = format!("{prefix}{cluster}").chars().take(LONGEST_NAME).collect();
    // Cut in the middle it may end with what no name ends with.
    cut.trim_end_matches('-').to_owned()
}

/// What the Secret with the keys of the cloud is called.
pub fn credentials_name(cluster: &str, config: &Config) -> String {
    format!("{}-credentials", name(cluster, config))
}

/// Whether a manifest asks for backups.
pub fn is_wanted(spec: &PostgresSpec) -> bool {
    spec.enable_logical_backup == Some(true)
}

/// `keys`: of the Secret `logical_backup_cronjob_environment_secret`.
pub fn cron_job(cluster: &Cluster, config: &Config, keys: &[String]) -> CronJob {
    let backup = &config.backup;
    let own = cluster.spec.logical_backup_schedule.as_ref().filter(|own| !own.is_empty());
    let job = JobSpec {
        template: template(cluster, config, keys),
        ttl_seconds_after_finished: Some(backup.logical_backup_ttl_seconds_after_finished),
        ..JobSpec::default()
    };
    let spec = CronJobSpec {
        schedule: own.unwrap_or(&backup.logical_backup_schedule).clone(),
        job_template: JobTemplateSpec { metadata: None, spec: Some(job) },
        // One that takes longer than the time between two is not disturbed.
        concurrency_policy: Some("Forbid".to_owned()),
        successful_jobs_history_limit: Some(backup.logical_backup_successful_jobs_history_limit),
        failed_jobs_history_limit: Some(backup.logical_backup_failed_jobs_history_limit),
        ..CronJobSpec::default()
    };
    let labels = names::labels(cluster, &config.labels);
    let name = name(&cluster.id.name, config);
    let metadata = meta::meta(&name, cluster, config, labels, BTreeMap::new());
    CronJob { metadata, spec: Some(spec), status: None }
}

/// The keys of the cloud, by the names of their variables; `None` where there are none.
pub fn credentials(cluster: &Cluster, config: &Config) -> Option<Secret> {
    let data: BTreeMap<String, ByteString> = environment::credentials(config)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), ByteString(value.as_bytes().to_vec())))
        .collect();
    let labels = names::labels(cluster, &config.labels);
    let name = credentials_name(&cluster.id.name, config);
    (!data.is_empty()).then(|| Secret {
        metadata: meta::meta(&name, cluster, config, labels, BTreeMap::new()),
        type_: Some("Opaque".to_owned()),
        data: Some(data),
        ..Secret::default()
    })
}

fn template(cluster: &Cluster, config: &Config, keys: &[String]) -> PodTemplateSpec {
    let mut containers = vec![container(cluster, config, keys)];
    let volumes = volumes::additional_secret(config, &mut containers);
    let grace = i64::try_from(config.pods.pod_terminate_grace_period.as_secs());
    let spec = PodSpec {
        service_account_name: Some(config.pods.pod_service_account_name.clone()),
        termination_grace_period_seconds: grace.ok(),
        containers,
        volumes: Some(volumes).filter(|all| !all.is_empty()),
        tolerations: affinity::tolerations(&cluster.spec, &config.pods),
        affinity: Some(near_replicas(cluster, config)),
        security_context: Some(PodSecurityContext::default()),
        restart_policy: Some("Never".to_owned()),
        ..PodSpec::default()
    };
    let metadata = ObjectMeta {
        namespace: Some(cluster.id.namespace.clone()),
        labels: Some(pod_labels(cluster, &config.labels)),
        annotations: Some(pod::annotations(cluster, config)).filter(|all| !all.is_empty()),
        ..ObjectMeta::default()
    };
    PodTemplateSpec { metadata: Some(metadata), spec: Some(spec) }
}

/// Never those by which pods of the cluster are selected: a backup is no member of it.
fn pod_labels(cluster: &Cluster, labels: &Labels) -> BTreeMap<String, String> {
    let mut all = names::labels(cluster, labels);
    all.retain(|key, _| !labels.cluster_labels.contains_key(key));
    all.insert(APPLICATION.0.to_owned(), APPLICATION.1.to_owned());
    all
}

fn container(cluster: &Cluster, config: &Config, keys: &[String]) -> Container {
    let backup = &config.backup;
    let amounts = |cpu: &Option<String>, memory: &Option<String>| ResourceAmounts {
        cpu: cpu.clone(),
        memory: memory.clone(),
        ..ResourceAmounts::default()
    };
    let said = Resources {
        requests: amounts(
            &backup.logical_backup_cpu_request,
            &backup.logical_backup_memory_request,
        ),
        limits: amounts(&backup.logical_backup_cpu_limit, &backup.logical_backup_memory_limit),
    };
    // The same for all clusters: their people cannot do anything about it.
    let mut notices = Vec::new();
    let requirements =
        resources::requirements(CONTAINER, Some(&said), &config.resources, false, &mut notices);
    Container {
        name: CONTAINER.to_owned(),
        image: Some(backup.logical_backup_docker_image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        resources: Some(requirements),
        env: Some(environment::environment(cluster, config, keys)),
        security_context: Some(SecurityContext {
            privileged: Some(config.pods.spilo_privileged),
            allow_privilege_escalation: Some(config.pods.spilo_allow_privilege_escalation),
            read_only_root_filesystem: Some(false),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

/// Dumps are read from a replica, of its own node where that can be.
fn near_replicas(cluster: &Cluster, config: &Config) -> Affinity {
    let base = names::base_labels(&cluster.id.name, &config.labels);
    let replicas = LabelSelector {
        match_labels: Some(names::with_role(base, Role::Replica, &config.labels)),
        ..LabelSelector::default()
    };
    let term = PodAffinityTerm {
        label_selector: Some(replicas),
        topology_key: "kubernetes.io/hostname".to_owned(),
        ..PodAffinityTerm::default()
    };
    let preferred = WeightedPodAffinityTerm { pod_affinity_term: term, weight: 1 };
    Affinity {
        // The manifest's own is for databases.
        node_affinity: affinity::node_affinity(None, &config.pods),
        pod_affinity: Some(PodAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![preferred]),
            ..PodAffinity::default()
        }),
        ..Affinity::default()
    }
}

/// # Errors
/// A schedule that is none.
pub fn check(spec: &PostgresSpec) -> Result<(), FieldError> {
    let Some(schedule) = spec.logical_backup_schedule.as_deref().filter(|it| !it.is_empty()) else {
        return Ok(());
    };
    cron::check(schedule).map_err(|reason| {
        FieldError::new("spec.logicalBackupSchedule", format!("{schedule:?} {reason}"))
    })
}

#[cfg(test)]
mod tests;
