//! The volumes of a pod: claims are folders that outlive it, Secrets and ConfigMaps are files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::api::Api;
use super::environment::Source;
use super::machine::{Machine, look_up, new_folder, text};
use crate::sandbox::own;

/// Where the data of a claim lies.
pub(crate) fn claim_folder(machine: &Machine, uid: &str) -> PathBuf {
    machine.sandbox.workdir.path().join("claims").join(uid)
}

/// Sources and targets for the mounts of a container; or what is missing.
pub(crate) fn mounts(
    machine: &Machine,
    api: &Api,
    pod: &Value,
    container: &Value,
    folder: &Path,
) -> Result<Vec<(PathBuf, PathBuf)>, String> {
    let mut found = Vec::new();
    for mount in container["volumeMounts"].as_array().into_iter().flatten() {
        let volumes = pod["spec"]["volumes"].as_array().into_iter().flatten();
        let Some(volume) = volumes.into_iter().find(|volume| volume["name"] == mount["name"])
        else {
            return Err(format!("volume {} not found", mount["name"]));
        };
        let Some(source) = source(machine, api, pod, volume, folder)? else { continue };
        let source = match mount["subPath"].as_str() {
            None | Some("") => source,
            Some(below) => writable(source.join(below)),
        };
        found.push((source, target(text(mount, "/mountPath"))));
    }
    Ok(found)
}

/// /var/run is a link, which must not lead out of the new root.
fn target(path: &str) -> PathBuf {
    match path.strip_prefix("/var/run/") {
        Some(below) => format!("/run/{below}").into(),
        None => path.into(),
    }
}

/// Nothing for kinds that pods here have no use for, the projected credentials among them.
fn source(
    machine: &Machine,
    api: &Api,
    pod: &Value,
    volume: &Value,
    folder: &Path,
) -> Result<Option<PathBuf>, String> {
    let namespace = text(pod, "/metadata/namespace");
    let place = folder.join("volumes").join(text(volume, "/name"));
    if let Some(claim) = volume.get("persistentVolumeClaim") {
        let name = text(claim, "/claimName");
        let path = format!("/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}");
        let claim = api.get(&path)?.ok_or_else(|| format!("claim {name:?} not found"))?;
        return Ok(Some(writable(claim_folder(machine, text(&claim, "/metadata/uid")))));
    }
    if volume.get("emptyDir").is_some() {
        return Ok(Some(writable(place)));
    }
    let kinds =
        [("secret", "/secretName", Source::Secret), ("configMap", "/name", Source::ConfigMap)];
    for (key, name, source) in kinds {
        let Some(reference) = volume.get(key) else { continue };
        let name = text(reference, name);
        let values = look_up(api, namespace, source, name);
        let optional = reference["optional"] == true;
        let values = values.filter(|_| !name.is_empty());
        if values.is_none() && !optional {
            return Err(format!("references non-existent {key} {name:?}"));
        }
        let place = new_folder(&place);
        for (key, value) in values.unwrap_or_default() {
            let path = place.join(file_name(reference, &key));
            fs::write(&path, value).expect("a file can be written");
            own(&path);
            // PostgreSQL wants no more for a key of its own.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        }
        return Ok(Some(place));
    }
    Ok(None)
}

/// `items` may give a key another name.
fn file_name<'a>(reference: &'a Value, key: &'a str) -> &'a str {
    let items = reference["items"].as_array().into_iter().flatten();
    let path = items.into_iter().find(|item| item["key"] == key);
    path.and_then(|item| item["path"].as_str()).unwrap_or(key)
}

fn writable(folder: PathBuf) -> PathBuf {
    fs::create_dir_all(&folder).expect("a folder can be made");
    own(&folder);
    folder
}
