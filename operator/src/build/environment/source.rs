//! Where the data of a new cluster comes from: variables of clones and standbys.

use k8s_openapi::api::core::v1::EnvVar;

use super::list::{PASSWORD, plain, secret};
use super::storage::scope_suffix;
use crate::api::spec::{CloneFrom, Standby};
use crate::build::names::{self, Role};
use crate::config::Config;

const PORT: &str = "5432";

/// Of a copy of another cluster in the same namespace: from the cluster itself, or as it was at a
/// time from its archive.
pub(super) fn clone(from: &CloneFrom, config: &Config) -> Vec<EnvVar> {
    if from.cluster.is_empty() {
        return Vec::new();
    }
    let mut all = vec![plain("CLONE_SCOPE", &from.cluster)];
    match given(&from.timestamp) {
        None => all.extend(running(&from.cluster, config)),
        Some(time) => all.extend(archived(from, time, config)),
    }
    all
}

/// The role for replication is taken to have the same name there.
fn running(cluster: &str, config: &Config) -> [EnvVar; 5] {
    let role = &config.identity.replication_username;
    [
        plain("CLONE_METHOD", "CLONE_WITH_BASEBACKUP"),
        plain("CLONE_HOST", names::service(cluster, Role::Master)),
        plain("CLONE_PORT", PORT),
        plain("CLONE_USER", role),
        secret("CLONE_PASSWORD", &names::secret(role, cluster, config), PASSWORD),
    ]
}

fn archived(from: &CloneFrom, time: &str, config: &Config) -> Vec<EnvVar> {
    let mut all = Vec::new();
    match given(&from.s3_wal_path) {
        Some(path) => all.push(plain("CLONE_WALE_S3_PREFIX", path)),
        None => {
            all.extend(archive(config));
            let uid = from.uid.as_deref().unwrap_or_default();
            all.push(plain("CLONE_WAL_BUCKET_SCOPE_SUFFIX", scope_suffix(uid)));
        }
    }
    all.push(plain("CLONE_METHOD", "CLONE_WITH_WALE"));
    all.push(plain("CLONE_TARGET_TIME", time));
    all.push(plain("CLONE_WAL_BUCKET_SCOPE_PREFIX", ""));
    let mut add = |name, value: &Option<String>| {
        all.extend(given(value).map(|value| plain(name, value)));
    };
    add("CLONE_AWS_ENDPOINT", &from.s3_endpoint);
    add("CLONE_WALE_S3_ENDPOINT", &from.s3_endpoint);
    add("CLONE_AWS_ACCESS_KEY_ID", &from.s3_access_key_id);
    add("CLONE_AWS_SECRET_ACCESS_KEY", &from.s3_secret_access_key);
    if let Some(force) = from.s3_force_path_style {
        all.push(plain("CLONE_AWS_S3_FORCE_PATH_STYLE", if force { "1" } else { "0" }));
    }
    all
}

/// The archive of all clusters, of whatever provider comes first.
fn archive(config: &Config) -> Vec<EnvVar> {
    let cloud = &config.cloud;
    if let Some(bucket) = given(&cloud.wal_s3_bucket) {
        return vec![plain("CLONE_WAL_S3_BUCKET", bucket)];
    }
    if let Some(bucket) = given(&cloud.wal_gs_bucket) {
        let mut all = vec![plain("CLONE_WAL_GS_BUCKET", bucket)];
        all.extend(
            given(&cloud.gcp_credentials)
                .map(|file| plain("CLONE_GOOGLE_APPLICATION_CREDENTIALS", file)),
        );
        return all;
    }
    given(&cloud.wal_az_storage_account)
        .map(|account| plain("CLONE_AZURE_STORAGE_ACCOUNT", account))
        .into_iter()
        .collect()
}

/// Of a cluster that follows a primary elsewhere, its archive, or both.
pub(super) fn standby(standby: &Standby) -> Vec<EnvVar> {
    let mut all = Vec::new();
    if let Some(host) = given(&standby.standby_host) {
        all.push(plain("STANDBY_HOST", host));
        all.extend(given(&standby.standby_port).map(|port| plain("STANDBY_PORT", port)));
        all.extend(
            given(&standby.standby_primary_slot_name)
                .map(|slot| plain("STANDBY_PRIMARY_SLOT_NAME", slot)),
        );
    }
    let s3 = given(&standby.s3_wal_path).map(|path| plain("STANDBY_WALE_S3_PREFIX", path));
    let gs = given(&standby.gs_wal_path).map(|path| plain("STANDBY_WALE_GS_PREFIX", path));
    if let Some(archive) = s3.or(gs) {
        all.push(archive);
        all.push(plain("STANDBY_METHOD", "STANDBY_WITH_WALE"));
        all.push(plain("STANDBY_WAL_BUCKET_SCOPE_PREFIX", ""));
    }
    all
}

/// Text that says something.
pub(in crate::build) fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}
