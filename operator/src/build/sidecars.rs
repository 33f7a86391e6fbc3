//! Containers beside `postgres`: those of the manifest, then `sidecars` of the configuration,
//! then `sidecar_docker_images` by name, then Scalyr's.
//!
//! In: a cluster and the configuration. Out: containers, each with the data volume and the four
//! variables that lead it into the database. Of two with one name the earlier stays; its notice
//! says so.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, EnvVar, VolumeMount};

use super::environment::{absent_appended, field, password_of, plain};
use super::pod::Notice;
use super::{names, resources};
use crate::api::postgresql::FieldError;
use crate::api::spec::{PostgresSpec, ResourceAmounts, Resources, Sidecar};
use crate::cluster::Cluster;
use crate::config::{Config, Sidecars};

/// All of them, in order. `data` is the mount of the data volume.
pub fn containers(
    cluster: &Cluster,
    config: &Config,
    data: &VolumeMount,
    notices: &mut Vec<Notice>,
) -> Vec<Container> {
    let own = &cluster.spec.sidecars;
    if !own.is_empty() && !config.sidecars.enable_sidecars {
        let text = "sidecars are switched off (enable_sidecars), but the manifest has some, and a \
                    running cluster may have been made with them: they are kept";
        notices.push(Notice::new("Sidecars", text));
    }
    let mut all: Vec<Container> = own
        .iter()
        .enumerate()
        .map(|(index, sidecar)| container(sidecar, index, config, notices))
        .collect();
    all.extend(config.sidecars.sidecars.iter().cloned());
    for (index, (name, image)) in config.sidecars.sidecar_docker_images.iter().enumerate() {
        let sidecar =
            Sidecar { name: name.clone(), docker_image: Some(image.clone()), ..Sidecar::default() };
        all.push(container(&sidecar, own.len() + index, config, notices));
    }
    all.extend(scalyr(cluster, config, notices));
    let mut taken = BTreeSet::new();
    all.retain(|one| {
        let fresh = taken.insert(one.name.clone());
        if !fresh {
            let text = format!("two sidecars are called {}; the later is ignored", one.name);
            notices.push(Notice::new("Sidecars", text));
        }
        fresh
    });
    all.into_iter().map(|one| with_database(one, cluster, config, data)).collect()
}

/// The name of one that has none of its own.
fn name(sidecar: &Sidecar, index: usize) -> String {
    if sidecar.name.is_empty() { format!("sidecar-{index}") } else { sidecar.name.clone() }
}

fn container(
    sidecar: &Sidecar,
    index: usize,
    config: &Config,
    notices: &mut Vec<Notice>,
) -> Container {
    let name = name(sidecar, index);
    let said = sidecar.resources.as_ref();
    Container {
        resources: Some(resources::requirements(&name, said, &config.resources, false, notices)),
        name,
        image: sidecar.docker_image.clone(),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        env: Some(sidecar.env.clone()),
        ports: Some(sidecar.ports.clone()).filter(|all| !all.is_empty()),
        command: Some(sidecar.command.clone()).filter(|all| !all.is_empty()),
        ..Container::default()
    }
}

/// Only with both an image and a key.
fn scalyr(cluster: &Cluster, config: &Config, notices: &mut Vec<Notice>) -> Option<Container> {
    let Sidecars { scalyr_api_key, scalyr_image, scalyr_server_url, .. } = &config.sidecars;
    let image = scalyr_image.as_ref().filter(|image| !image.is_empty())?;
    let Some(key) = scalyr_api_key.as_ref().filter(|key| !key.is_empty()) else {
        let text = "no Scalyr sidecar: scalyr_image is set, but no scalyr_api_key";
        notices.push(Notice::new("Sidecars", text));
        return None;
    };
    let amounts = |cpu: &String, memory: &String| ResourceAmounts {
        cpu: Some(cpu.clone()),
        memory: Some(memory.clone()),
        ..ResourceAmounts::default()
    };
    let own = &config.sidecars;
    let said = Resources {
        requests: amounts(&own.scalyr_cpu_request, &own.scalyr_memory_request),
        limits: amounts(&own.scalyr_cpu_limit, &own.scalyr_memory_limit),
    };
    let name = "scalyr-sidecar";
    let mut env = vec![plain("SCALYR_API_KEY", key), plain("SCALYR_SERVER_HOST", &cluster.id.name)];
    if !scalyr_server_url.is_empty() {
        env.push(plain("SCALYR_SERVER_URL", scalyr_server_url));
    }
    let requirements =
        resources::requirements(name, Some(&said), &config.resources, false, notices);
    Some(Container {
        name: name.to_owned(),
        image: Some(image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        env: Some(env),
        resources: Some(requirements),
        ..Container::default()
    })
}

/// What makes a container one of ours: the data, and the way into the database.
fn with_database(
    mut container: Container,
    cluster: &Cluster,
    config: &Config,
    data: &VolumeMount,
) -> Container {
    container.volume_mounts.get_or_insert_default().push(data.clone());
    let superuser = &config.identity.super_username;
    let mut env = vec![
        field("POD_NAME", "metadata.name"),
        field("POD_NAMESPACE", "metadata.namespace"),
        plain("POSTGRES_USER", superuser),
        password_of("POSTGRES_PASSWORD", &names::secret(superuser, &cluster.id.name, config)),
    ];
    absent_appended(&mut env, container.env.take().unwrap_or_default());
    container.env = Some(env);
    container
}

/// Whether a variable is one that every sidecar gets; a container that something else put into
/// a pod has none.
pub fn is_ours(env: &[EnvVar]) -> bool {
    ["POSTGRES_USER", "POSTGRES_PASSWORD"]
        .iter()
        .all(|name| env.iter().any(|one| one.name == *name))
}

/// A name that containers and volumes can have.
pub fn is_label(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty()
        && name.len() <= 63
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// # Errors
/// Names that no container can have, containers without an image, amounts that are none.
pub fn check(spec: &PostgresSpec) -> Result<(), FieldError> {
    for (index, sidecar) in spec.sidecars.iter().enumerate() {
        let at = format!("spec.sidecars[{index}]");
        named(&name(sidecar, index), sidecar.docker_image.as_deref(), &at)?;
        if let Some(amounts) = &sidecar.resources {
            resources::check(amounts, &format!("{at}.resources"))?;
        }
    }
    for (index, container) in spec.init_containers.iter().enumerate() {
        let at = format!("spec.initContainers[{index}]");
        named(&container.name, container.image.as_deref(), &at)?;
    }
    Ok(())
}

fn named(name: &str, image: Option<&str>, at: &str) -> Result<(), FieldError> {
    if !is_label(name) {
        let reason = format!("{} cannot name a container", name.escape_debug());
        return Err(FieldError::new(format!("{at}.name"), reason));
    }
    if image.is_none_or(str::is_empty) {
        return Err(FieldError::new(format!("{at}.image"), "a container needs an image"));
    }
    Ok(())
}
