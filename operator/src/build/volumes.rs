//! What is mounted where: the data, shared memory, sockets, secrets, certificates, and the
//! volumes of a manifest.
//!
//! In: a cluster and the configuration. Out: volumes of the pod, mounts of its containers, the
//! claim of the StatefulSet. A mount that could not work is left out with a notice.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, EmptyDirVolumeSource, PersistentVolumeClaim, PersistentVolumeClaimSpec,
    SecretVolumeSource, Volume, VolumeMount, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::containers::POSTGRES;
use super::names;
use super::pod::Notice;
use super::resources::Quantity;
use super::sidecars::is_label;
use crate::api::postgresql::FieldError;
use crate::api::spec::{AdditionalVolume, PostgresSpec, Tls};
use crate::cluster::Cluster;
use crate::config::Config;

/// The claim's name, hence the volume's.
pub const DATA: &str = "pgdata";
/// Where it is mounted.
pub const DATA_PATH: &str = "/home/postgres/pgdata";
/// Of a Secret with a private key; the group of the pod reads it.
const KEY_MODE: i32 = 0o640;

/// The data volume in a container.
pub fn data_mount(spec: &PostgresSpec) -> VolumeMount {
    let path = spec.volume.sub_path.clone().filter(|path| !path.is_empty());
    let mount = VolumeMount {
        name: DATA.to_owned(),
        mount_path: DATA_PATH.to_owned(),
        ..VolumeMount::default()
    };
    if spec.volume.is_sub_path_expr == Some(true) {
        VolumeMount { sub_path_expr: path, ..mount }
    } else {
        VolumeMount { sub_path: path, ..mount }
    }
}

/// The Secret that all containers of all clusters see, if there is one.
pub(super) fn additional_secret(config: &Config, containers: &mut [Container]) -> Vec<Volume> {
    let pods = &config.pods;
    let name = pods.additional_secret_mount.as_ref().filter(|name| !name.is_empty());
    let path = pods.additional_secret_mount_path.as_deref().unwrap_or_default();
    let Some(name) = name else { return Vec::new() };
    mount_into(containers.iter_mut(), &mount(name, path));
    vec![of_secret(name, None)]
}

/// Adds all volumes but the data to the pod, and mounts them.
pub fn mounted(
    cluster: &Cluster,
    config: &Config,
    containers: &mut [Container],
    notices: &mut Vec<Notice>,
) -> Vec<Volume> {
    let (spec, pods) = (&cluster.spec, &config.pods);
    let mut volumes = Vec::new();
    // A manifest's `false` does not win over the configuration's `true`: it never did, and
    // heeding it now would restart the pods of those who wrote it.
    if spec.enable_shm_volume == Some(true) || pods.enable_shm_volume {
        volumes.push(in_memory("dshm"));
        mount_into(containers.iter_mut().take(1), &mount("dshm", "/dev/shm"));
    }
    if pods.share_pgsocket_with_sidecars {
        volumes.push(in_memory("postgresql-run"));
        mount_into(containers.iter_mut(), &mount("postgresql-run", "/var/run/postgresql"));
    }
    volumes.extend(additional_secret(config, containers));
    let mut used: BTreeMap<String, String> = BTreeMap::new();
    let certificates = tls(spec).map(tls_volumes).unwrap_or_default();
    for additional in spec.additional_volumes.iter().chain(&certificates) {
        let path = &additional.mount_path;
        if let Some(other) = used.get(path) {
            notices.push(Notice::new(
                "Volumes",
                format!(
                    "volume {} is not mounted: {other} is mounted at {path} already",
                    additional.name
                ),
            ));
            continue;
        }
        if path == DATA_PATH {
            notices.push(Notice::new(
                "Volumes",
                format!("volume {} is not mounted: {path} is the data directory", additional.name),
            ));
            continue;
        }
        used.insert(path.clone(), additional.name.clone());
        let name = additional.name.clone();
        volumes.push(Volume { name, ..additional.volume_source.clone() });
        mount_additional(additional, containers);
    }
    volumes
}

/// No target is `postgres`, `all` is every container.
fn mount_additional(volume: &AdditionalVolume, containers: &mut [Container]) {
    let targets = &volume.target_containers;
    let wanted = |name: &str| match targets.as_slice() {
        [] => name == POSTGRES,
        some => some.iter().any(|target| target == name || target == "all"),
    };
    let path = volume.sub_path.clone().filter(|path| !path.is_empty());
    let mount = mount(&volume.name, &volume.mount_path);
    let mount = if volume.is_sub_path_expr == Some(true) {
        VolumeMount { sub_path_expr: path, ..mount }
    } else {
        VolumeMount { sub_path: path, ..mount }
    };
    mount_into(containers.iter_mut().filter(|one| wanted(&one.name)), &mount);
}

fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount { name: name.to_owned(), mount_path: path.to_owned(), ..VolumeMount::default() }
}

fn mount_into<'a>(containers: impl Iterator<Item = &'a mut Container>, mount: &VolumeMount) {
    for container in containers {
        container.volume_mounts.get_or_insert_default().push(mount.clone());
    }
}

fn in_memory(name: &str) -> Volume {
    let medium = Some("Memory".to_owned());
    let empty_dir = Some(EmptyDirVolumeSource { medium, size_limit: None });
    Volume { name: name.to_owned(), empty_dir, ..Volume::default() }
}

fn of_secret(name: &str, default_mode: Option<i32>) -> Volume {
    let secret_name = Some(name.to_owned());
    let source = SecretVolumeSource { secret_name, default_mode, ..SecretVolumeSource::default() };
    Volume { name: name.to_owned(), secret: Some(source), ..Volume::default() }
}

/// The manifest's certificates, if it has any.
pub fn tls(spec: &PostgresSpec) -> Option<&Tls> {
    spec.tls.as_ref().filter(|tls| !tls.secret_name.is_empty())
}

fn some(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// Where the authority's certificate is: beside the others, or in a Secret of its own.
fn authority(tls: &Tls) -> Option<(&str, Option<&str>)> {
    Some((some(&tls.ca_file)?, some(&tls.ca_secret_name)))
}

fn tls_volumes(tls: &Tls) -> Vec<AdditionalVolume> {
    let volume = |secret: &str, path: &str| AdditionalVolume {
        name: secret.to_owned(),
        mount_path: path.to_owned(),
        volume_source: of_secret(secret, Some(KEY_MODE)),
        ..AdditionalVolume::default()
    };
    let mut all = vec![volume(&tls.secret_name, "/tls")];
    all.extend(authority(tls).and_then(|(_, secret)| secret).map(|it| volume(it, "/tlsca")));
    all
}

/// The manifest's certificates for a pod without a database: volumes and their mounts.
pub(super) fn certificates(spec: &PostgresSpec) -> (Vec<Volume>, Vec<VolumeMount>) {
    let all = tls(spec).map(tls_volumes).unwrap_or_default().into_iter();
    all.map(|one| {
        let mount = mount(&one.name, &one.mount_path);
        (Volume { name: one.name, ..one.volume_source }, mount)
    })
    .unzip()
}

/// What each pod's data lies on.
pub fn claim(cluster: &Cluster, config: &Config) -> PersistentVolumeClaim {
    let volume = &cluster.spec.volume;
    let annotations = names::inherited_annotations(cluster, &config.labels);
    let size = Quantity::parse(&volume.size)
        .map_or_else(|_| ApiQuantity(volume.size.clone()), ApiQuantity::from);
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(DATA.to_owned()),
            labels: Some(names::labels(cluster, &config.labels)),
            annotations: Some(annotations).filter(|all| !all.is_empty()),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), size)].into()),
                limits: None,
            }),
            storage_class_name: volume.storage_class.clone().filter(|class| !class.is_empty()),
            volume_mode: Some("Filesystem".to_owned()),
            selector: volume.selector.clone(),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}

/// # Errors
/// A size that is none, names that no volume can have, paths from nowhere.
pub fn check(spec: &PostgresSpec) -> Result<(), FieldError> {
    let at = "spec.volume.size";
    let size = Quantity::parse(&spec.volume.size)
        .map_err(|error| FieldError::new(at, error.to_string()))?;
    if !size.is_positive() {
        return Err(FieldError::new(at, "must be more than nothing, such as 10Gi"));
    }
    for (index, volume) in spec.additional_volumes.iter().enumerate() {
        let at = format!("spec.additionalVolumes[{index}]");
        if !is_label(&volume.name) {
            let reason = format!("{} cannot name a volume", volume.name.escape_debug());
            return Err(FieldError::new(format!("{at}.name"), reason));
        }
        if !volume.mount_path.starts_with('/') || volume.mount_path.contains(':') {
            let reason = "must be an absolute path without a colon";
            return Err(FieldError::new(format!("{at}.mountPath"), reason));
        }
    }
    for (field, name) in [
        ("secretName", spec.tls.as_ref().map(|tls| tls.secret_name.as_str())),
        ("caSecretName", spec.tls.as_ref().and_then(|tls| some(&tls.ca_secret_name))),
    ] {
        if let Some(name) = name.filter(|name| !name.is_empty() && !is_label(name)) {
            let reason = format!("{} cannot name the volume of its Secret", name.escape_debug());
            return Err(FieldError::new(format!("spec.tls.{field}"), reason));
        }
    }
    Ok(())
}
