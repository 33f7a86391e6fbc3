//! The template of a cluster's pods.
//!
//! In: a cluster, the configuration, and what had to be looked up. Out: the template as
//! zalando/postgres-operator makes it, since any other would restart running databases, and
//! notices for the people of the cluster. The role label is not in it: Patroni writes that.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSecurityContext, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::facts::PodFacts;
use super::{
    affinity, containers, environment, hba, names, patroni, probes, resources, sidecars, volumes,
};
use crate::api::postgresql::FieldError;
use crate::api::spec::PostgresSpec;
use crate::cluster::Cluster;
use crate::config::Config;

/// Something that the people of a cluster should read: a Warning event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notice {
    /// Of the event.
    pub reason: &'static str,
    pub message: String,
}

impl Notice {
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    pub(super) fn resources(message: String) -> Self {
        Self::new("ResourceLimits", message)
    }
}

/// The template, and what is odd about it.
pub fn template(
    cluster: &Cluster,
    config: &Config,
    facts: &PodFacts,
) -> (PodTemplateSpec, Vec<Notice>) {
    let mut notices = Vec::new();
    let labels = names::labels(cluster, &config.labels);
    let spec = &cluster.spec;
    let mut containers = containers(cluster, config, facts, &mut notices);
    let volumes = volumes::mounted(cluster, config, &mut containers, &mut notices);
    if !spec.init_containers.is_empty() && !config.sidecars.enable_init_containers {
        let text = "init containers are switched off (enable_init_containers), but the manifest \
                    has some, and a running cluster may have been made with them: they are kept";
        notices.push(Notice::new("InitContainers", text));
    }
    let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let grace = i64::try_from(config.pods.pod_terminate_grace_period.as_secs());
    let pod = PodSpec {
        service_account_name: Some(config.pods.pod_service_account_name.clone()),
        termination_grace_period_seconds: grace.ok(),
        containers,
        init_containers: Some(spec.init_containers.clone()).filter(|all| !all.is_empty()),
        volumes: Some(volumes).filter(|all| !all.is_empty()),
        tolerations: affinity::tolerations(spec, &config.pods),
        affinity: affinity::affinity(spec, config, &labels),
        topology_spread_constraints: Some(spec.topology_spread_constraints.clone())
            .filter(|all| !all.is_empty()),
        security_context: Some(security_context(spec, config)),
        scheduler_name: some(&spec.scheduler_name),
        priority_class_name: some(&spec.pod_priority_class_name)
            .or_else(|| some(&config.pods.pod_priority_class_name)),
        ..PodSpec::default()
    };
    let metadata = ObjectMeta {
        namespace: Some(cluster.id.namespace.clone()),
        labels: Some(labels),
        annotations: Some(annotations(cluster, config)).filter(|all| !all.is_empty()),
        ..ObjectMeta::default()
    };
    (PodTemplateSpec { metadata: Some(metadata), spec: Some(pod) }, notices)
}

/// `postgres` first, then its sidecars.
fn containers(
    cluster: &Cluster,
    config: &Config,
    facts: &PodFacts,
    notices: &mut Vec<Notice>,
) -> Vec<Container> {
    let env = environment::environment(cluster, config, facts);
    let data = volumes::data_mount(&cluster.spec);
    let postgres = containers::postgres(cluster, config, env, vec![data.clone()], notices);
    let mut all = vec![postgres];
    all.extend(sidecars::containers(cluster, config, &data, notices));
    all
}

/// The manifest's over the configured ones; inherited ones win.
pub(super) fn annotations(cluster: &Cluster, config: &Config) -> BTreeMap<String, String> {
    let mut all = config.pods.custom_pod_annotations.clone();
    all.extend(cluster.spec.pod_annotations.clone());
    all.extend(names::inherited_annotations(cluster, &config.labels));
    if let Some(role) = config.cloud.kube_iam_role.as_ref().filter(|role| !role.is_empty()) {
        all.insert("iam.amazonaws.com/role".to_owned(), role.clone());
    }
    all
}

fn security_context(spec: &PostgresSpec, config: &Config) -> PodSecurityContext {
    PodSecurityContext {
        run_as_user: spec.spilo_run_as_user.or(config.pods.spilo_runasuser),
        run_as_group: spec.spilo_run_as_group.or(config.pods.spilo_runasgroup),
        fs_group: spec.spilo_fs_group.or(config.pods.spilo_fsgroup),
        ..PodSecurityContext::default()
    }
}

/// Whether pods can be made of what a manifest says.
///
/// # Errors
/// The first field that keeps them from it.
pub fn check_pods(spec: &PostgresSpec, config: &Config) -> Result<(), FieldError> {
    if spec.number_of_instances < 0 {
        return Err(FieldError::new("spec.numberOfInstances", "cannot be negative"));
    }
    volumes::check(spec)?;
    if let Some(amounts) = &spec.resources {
        resources::check(amounts, "spec.resources")?;
    }
    patroni::check(spec)?;
    if let Some(own) = &spec.patroni {
        hba::check(&own.pg_hba)?;
    }
    sidecars::check(spec)?;
    if let Some(probe) = &spec.liveness_probe {
        probes::check(probe, "spec.livenessProbe")?;
    }
    let image = spec.docker_image.as_deref().unwrap_or(&config.pods.docker_image);
    if image.chars().any(char::is_whitespace) {
        return Err(FieldError::new("spec.dockerImage", "an image has no blanks in its name"));
    }
    Ok(())
}
