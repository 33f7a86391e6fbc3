//! What the configuration says about logical backups and major upgrades.

use std::collections::BTreeSet;
use std::fmt;

/// Dumps that a CronJob makes. Empty texts say nothing.
#[derive(Clone, Default, PartialEq)]
pub struct Backup {
    pub logical_backup_schedule: String,
    pub logical_backup_docker_image: String,
    /// `s3`, `gcs` or `az`.
    pub logical_backup_provider: String,
    pub logical_backup_job_prefix: String,
    pub logical_backup_cronjob_environment_secret: Option<String>,
    pub logical_backup_cpu_request: Option<String>,
    pub logical_backup_memory_request: Option<String>,
    pub logical_backup_cpu_limit: Option<String>,
    pub logical_backup_memory_limit: Option<String>,
    pub logical_backup_successful_jobs_history_limit: i32,
    pub logical_backup_failed_jobs_history_limit: i32,
    /// Seconds.
    pub logical_backup_ttl_seconds_after_finished: i32,
    pub logical_backup_s3_bucket: String,
    pub logical_backup_s3_bucket_prefix: String,
    pub logical_backup_s3_region: String,
    pub logical_backup_s3_endpoint: String,
    pub logical_backup_s3_sse: String,
    pub logical_backup_s3_retention_time: String,
    pub logical_backup_azure_storage_account_name: String,
    pub logical_backup_azure_storage_container: String,
    /// A secret.
    pub logical_backup_s3_access_key_id: Option<String>,
    /// A secret.
    pub logical_backup_s3_secret_access_key: Option<String>,
    /// A secret.
    pub logical_backup_google_application_credentials: Option<String>,
    /// A secret.
    pub logical_backup_azure_storage_account_key: Option<String>,
}

/// Without keys of clouds.
impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backup")
            .field("logical_backup_schedule", &self.logical_backup_schedule)
            .field("logical_backup_provider", &self.logical_backup_provider)
            .finish_non_exhaustive()
    }
}

/// New major versions of running clusters.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Upgrade {
    /// `off`, `manual` or `full`; empty is `manual`.
    pub major_version_upgrade_mode: String,
    pub major_version_upgrade_team_allow_list: BTreeSet<String>,
    pub minimal_major_version: String,
    pub target_major_version: String,
}
