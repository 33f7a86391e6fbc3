//! The variables of a backup, in the order of zalando/postgres-operator.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::EnvVar;

use super::credentials_name;
use crate::build::containers::POSTGRES_PORT;
use crate::build::environment::{field, given, key_of, password_of, plain, scope_suffix};
use crate::build::names;
use crate::cluster::Cluster;
use crate::config::Config;

/// `keys`: of the Secret that the configuration adds. They go before everything else of their
/// name, as the last one does in a pod of the reference.
pub(super) fn environment(cluster: &Cluster, config: &Config, keys: &[String]) -> Vec<EnvVar> {
    let mut all = server(cluster, config);
    all.extend(store(cluster, config));
    let held = credentials_name(&cluster.id.name, config);
    all.extend(credentials(config).into_iter().map(|(name, _)| key_of(name, &held, name)));
    if let Some(added) = given(&config.backup.logical_backup_cronjob_environment_secret) {
        let keys: BTreeSet<&String> = keys.iter().collect();
        all.retain(|one| !keys.contains(&one.name));
        all.extend(keys.into_iter().map(|key| key_of(key, added, key)));
    }
    all
}

/// What is dumped, and as whom.
fn server(cluster: &Cluster, config: &Config) -> Vec<EnvVar> {
    let superuser = &config.identity.super_username;
    vec![
        plain("SCOPE", &cluster.id.name),
        plain("CLUSTER_NAME_LABEL", &config.labels.cluster_name_label),
        field("POD_NAMESPACE", "metadata.namespace"),
        plain("PG_VERSION", &cluster.spec.postgresql.version),
        plain("PGPORT", POSTGRES_PORT.to_string()),
        plain("PGUSER", superuser),
        plain("PGDATABASE", superuser),
        plain("PGSSLMODE", "require"),
        password_of("PGPASSWORD", &names::secret(superuser, &cluster.id.name, config)),
    ]
}

/// Where dumps go.
fn store(cluster: &Cluster, config: &Config) -> Vec<EnvVar> {
    let backup = &config.backup;
    let retention = given(&cluster.spec.logical_backup_retention);
    let retention = retention.unwrap_or(&backup.logical_backup_s3_retention_time);
    let mut all = vec![
        plain("LOGICAL_BACKUP_PROVIDER", &backup.logical_backup_provider),
        plain("LOGICAL_BACKUP_S3_BUCKET", &backup.logical_backup_s3_bucket),
        plain("LOGICAL_BACKUP_S3_BUCKET_PREFIX", &backup.logical_backup_s3_bucket_prefix),
        plain("LOGICAL_BACKUP_S3_BUCKET_SCOPE_SUFFIX", scope_suffix(&cluster.uid)),
    ];
    match backup.logical_backup_provider.as_str() {
        "s3" => all.extend([
            plain("LOGICAL_BACKUP_S3_REGION", &backup.logical_backup_s3_region),
            plain("LOGICAL_BACKUP_S3_ENDPOINT", &backup.logical_backup_s3_endpoint),
            plain("LOGICAL_BACKUP_S3_SSE", &backup.logical_backup_s3_sse),
            plain("LOGICAL_BACKUP_S3_RETENTION_TIME", retention),
        ]),
        "az" => all.extend([
            plain(
                "LOGICAL_BACKUP_AZURE_STORAGE_ACCOUNT_NAME",
                &backup.logical_backup_azure_storage_account_name,
            ),
            plain(
                "LOGICAL_BACKUP_AZURE_STORAGE_CONTAINER",
                &backup.logical_backup_azure_storage_container,
            ),
        ]),
        _ => {}
    }
    all
}

/// The keys of the cloud that backups go to, by the names of their variables.
pub(super) fn credentials(config: &Config) -> Vec<(&'static str, &str)> {
    let backup = &config.backup;
    let all = match backup.logical_backup_provider.as_str() {
        "s3" => vec![
            ("AWS_ACCESS_KEY_ID", &backup.logical_backup_s3_access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &backup.logical_backup_s3_secret_access_key),
        ],
        "gcs" => vec![(
            "LOGICAL_BACKUP_GOOGLE_APPLICATION_CREDENTIALS",
            &backup.logical_backup_google_application_credentials,
        )],
        "az" => vec![(
            "LOGICAL_BACKUP_AZURE_STORAGE_ACCOUNT_KEY",
            &backup.logical_backup_azure_storage_account_key,
        )],
        _ => Vec::new(),
    };
    all.into_iter().filter_map(|(name, key)| Some((name, given(key)?))).collect()
}
