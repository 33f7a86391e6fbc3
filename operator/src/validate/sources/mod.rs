//! `clone` and `standby`: where the data of a cluster comes from.
//!
//! In: a manifest, and a configuration. Out: the field that is wrong, or what is odd and keeps
//! no cluster from running: most of it counts only until the first start.

use jiff::Timestamp;

use crate::api::postgresql::FieldError;
use crate::api::spec::{CloneFrom, PostgresSpec, Standby};
use crate::config::Config;

/// The longest name of a Service.
const LONGEST_NAME: usize = 63;

/// # Errors
/// The first field that is wrong.
pub(super) fn check(spec: &PostgresSpec) -> Result<(), FieldError> {
    if let Some(clone) = &spec.clone {
        check_clone(clone)?;
    }
    spec.standby.as_ref().map_or(Ok(()), check_standby)
}

fn check_clone(clone: &CloneFrom) -> Result<(), FieldError> {
    let name = &clone.cluster;
    let is_label = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.len() <= LONGEST_NAME;
    // An empty one is no clone.
    if !name.is_empty() && !is_label {
        let reason = format!(
            "{name:?} is no name of a cluster: it takes up to {LONGEST_NAME} characters of a-z, 0-9 and -, a letter first and no - at the end"
        );
        return Err(FieldError::new("spec.clone.cluster", reason));
    }
    if let Some(uid) = given(&clone.uid)
        && !uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    {
        let reason = format!("{uid:?} is no uid; it stands in metadata.uid of the cluster");
        return Err(FieldError::new("spec.clone.uid", reason));
    }
    match given(&clone.timestamp) {
        Some(time) if !is_time(time) => {
            let reason = format!(
                "{time:?} is no time with a zone; write one like 2026-11-25T12:40:33+01:00"
            );
            Err(FieldError::new("spec.clone.timestamp", reason))
        }
        _ => Ok(()),
    }
}

/// RFC 3339, where the zone is an offset or `Z`; nothing else that looks like a time.
fn is_time(text: &str) -> bool {
    let date_and_time = text.split_once(['T', 't']);
    let zone = text.ends_with(['Z', 'z'])
        || text.len() > 6
            && text.get(text.len() - 6..).is_some_and(|zone| {
                zone.starts_with(['+', '-']) && zone.as_bytes().get(3) == Some(&b':')
            });
    let is_date = date_and_time.is_some_and(|(date, time)| {
        date.len() == 10 && time.len() >= 9 && time.as_bytes().get(5) == Some(&b':')
    });
    is_date && zone && !text.contains('[') && text.parse::<Timestamp>().is_ok()
}

fn check_standby(standby: &Standby) -> Result<(), FieldError> {
    let (s3, gs) = (given(&standby.s3_wal_path), given(&standby.gs_wal_path));
    if s3.is_some() && gs.is_some() {
        let reason = "there are s3_wal_path and gs_wal_path; one archive is followed";
        return Err(FieldError::new("spec.standby", reason));
    }
    let host = given(&standby.standby_host);
    if host.is_none() && s3.is_none() && gs.is_none() {
        let reason = "it says not whom to follow: write standby_host, s3_wal_path or gs_wal_path";
        return Err(FieldError::new("spec.standby", reason));
    }
    if let Some(port) = given(&standby.standby_port)
        && !port.parse::<u16>().is_ok_and(|port| port > 0)
    {
        let reason = format!("{port:?} is no port; write a number from 1 to 65535");
        return Err(FieldError::new("spec.standby.standby_port", reason));
    }
    Ok(())
}

/// What is odd.
pub(super) fn notes(own: &str, spec: &PostgresSpec, config: &Config) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(clone) = spec.clone.as_ref().filter(|clone| !clone.cluster.is_empty()) {
        notes.extend(odd_clone(own, clone, spec, config).map(|note| format!("clone: {note}")));
    }
    if let Some(standby) = &spec.standby
        && given(&standby.standby_host).is_none()
        && (given(&standby.standby_port).is_some()
            || given(&standby.standby_primary_slot_name).is_some())
    {
        let note = "standby: standby_port and standby_primary_slot_name have no effect without standby_host";
        notes.push(note.to_owned());
    }
    notes
}

fn odd_clone(
    own: &str,
    clone: &CloneFrom,
    spec: &PostgresSpec,
    config: &Config,
) -> Option<&'static str> {
    if spec.standby.is_some() {
        return Some("it has no effect beside standby");
    }
    if given(&clone.timestamp).is_none() {
        if clone.cluster == own {
            return Some(
                "a cluster cannot be copied from itself; with a timestamp it is restored from its archive",
            );
        }
        let archive = [&clone.s3_wal_path, &clone.s3_endpoint, &clone.uid];
        return archive.into_iter().any(|it| given(it).is_some()).then_some(
            "it is copied from the running cluster; from an archive only with a timestamp",
        );
    }
    let cloud = &config.cloud;
    let buckets = [&cloud.wal_s3_bucket, &cloud.wal_gs_bucket, &cloud.wal_az_storage_account];
    let is_elsewhere = spec.env.iter().any(|one| one.name.starts_with("CLONE_"))
        || !spec.env_from.is_empty()
        || config.pods.pod_environment_configmap.is_some()
        || config.pods.pod_environment_secret.is_some();
    let has_place = given(&clone.s3_wal_path).is_some()
        || buckets.into_iter().any(|it| given(it).is_some())
        || is_elsewhere;
    (!has_place).then_some(
        "nothing says where the archive is: write s3_wal_path, or wal_s3_bucket, wal_gs_bucket or wal_az_storage_account of the configuration",
    )
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
