//! The container `postgres`, which is always the first of a pod.
//!
//! In: a cluster, the configuration, its environment. Out: the container, without what later
//! volumes mount into it. Ports have no names and stand in this order, as in running pods.

use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EnvVar, SecurityContext, VolumeMount,
};

use super::pod::Notice;
use super::{probes, resources};
use crate::cluster::Cluster;
use crate::config::{Config, Pods};

/// Of the database container.
pub const POSTGRES: &str = "postgres";
/// Where Patroni answers.
pub const PATRONI_PORT: i32 = 8008;
/// Where PostgreSQL answers.
pub const POSTGRES_PORT: i32 = 5432;
/// Where `bg_mon` answers.
pub const MONITOR_PORT: i32 = 8080;

/// The container, with `env` and `mounts` as they are.
pub fn postgres(
    cluster: &Cluster,
    config: &Config,
    env: Vec<EnvVar>,
    mounts: Vec<VolumeMount>,
    notices: &mut Vec<Notice>,
) -> Container {
    let spec = &cluster.spec;
    let exempt = config.resources.ignore_resources_limits_annotation_key.as_ref();
    let exempt =
        exempt.is_some_and(|key| cluster.annotations.get(key).is_some_and(|v| v == "true"));
    let limits = &config.resources;
    Container {
        name: POSTGRES.to_owned(),
        image: spec
            .docker_image
            .clone()
            .filter(|image| !image.is_empty())
            .or_else(|| Some(config.pods.docker_image.clone())),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        resources: Some(resources::requirements(
            POSTGRES,
            spec.resources.as_ref(),
            limits,
            !exempt,
            notices,
        )),
        ports: Some([PATRONI_PORT, POSTGRES_PORT, MONITOR_PORT].map(port).to_vec()),
        volume_mounts: Some(mounts),
        env: Some(env),
        env_from: Some(spec.env_from.clone()).filter(|all| !all.is_empty()),
        security_context: Some(security_context(&config.pods)),
        liveness_probe: probes::liveness(spec, config),
        readiness_probe: probes::readiness(config),
        ..Container::default()
    }
}

fn port(container_port: i32) -> ContainerPort {
    ContainerPort { container_port, protocol: Some("TCP".to_owned()), ..ContainerPort::default() }
}

fn security_context(pods: &Pods) -> SecurityContext {
    let add: Vec<_> = pods
        .additional_pod_capabilities
        .iter()
        .filter(|name| !name.is_empty())
        .map(|name| name.to_uppercase())
        .collect();
    SecurityContext {
        privileged: Some(pods.spilo_privileged),
        allow_privilege_escalation: Some(pods.spilo_allow_privilege_escalation),
        read_only_root_filesystem: Some(false),
        capabilities: (!add.is_empty()).then_some(Capabilities { add: Some(add), drop: None }),
        ..SecurityContext::default()
    }
}
