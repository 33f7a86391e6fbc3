//! Logical backups and major upgrades.

use super::CrdDefault::{Nothing, Same};
use super::Rule::{Each, NotEmpty, Secret, Within};
use super::keys;
use crate::config::syntax::{
    image, job_prefix, major_version, object_name, one_of_providers, one_of_upgrade_modes,
    quantity, schedule,
};

keys! { pub(super) LOGICAL_BACKUP, Some("logical_backup");
    logical_backup_azure_storage_account_key LogicalBackupAzureStorageAccountKey: OptText(backup.logical_backup_azure_storage_account_key) = "", Nothing, Later, [Secret], "The key of the Azure storage account.";
    logical_backup_azure_storage_account_name LogicalBackupAzureStorageAccountName: Text(backup.logical_backup_azure_storage_account_name) = "", Nothing, Later, [], "The Azure storage account.";
    logical_backup_azure_storage_container LogicalBackupAzureStorageContainer: Text(backup.logical_backup_azure_storage_container) = "", Nothing, Later, [], "The container of Azure.";
    logical_backup_cpu_limit LogicalBackupCPULimit: OptText(backup.logical_backup_cpu_limit) = "", Nothing, Later, [Each(quantity)], "CPU limit of backups.";
    logical_backup_cpu_request LogicalBackupCPURequest: OptText(backup.logical_backup_cpu_request) = "", Nothing, Later, [Each(quantity)], "CPU request of backups.";
    logical_backup_cronjob_environment_secret LogicalBackupCronjobEnvironmentSecret: OptText(backup.logical_backup_cronjob_environment_secret) = "", Nothing, Later, [Each(object_name)], "A Secret in the namespace of a cluster whose keys are in the environment of its backups.";
    logical_backup_docker_image LogicalBackupDockerImage: Text(backup.logical_backup_docker_image) = "ghcr.io/zalando/postgres-operator/logical-backup:v2.0.1", Same, Later, [NotEmpty("backups need an image"), Each(image)], "The image of backups.";
    logical_backup_failed_jobs_history_limit LogicalBackupFailedJobsHistoryLimit: NullableInt(backup.logical_backup_failed_jobs_history_limit) = "3", Same, Later, [Within(0, 1_000_000)], "Failed backups that are kept as jobs.";
    logical_backup_google_application_credentials LogicalBackupGoogleApplicationCredentials: OptText(backup.logical_backup_google_application_credentials) = "", Nothing, Later, [Secret], "The credentials for Google.";
    logical_backup_job_prefix LogicalBackupJobPrefix: Text(backup.logical_backup_job_prefix) = "logical-backup-", Same, Later, [Each(job_prefix)], "What names of backups begin with.";
    logical_backup_memory_limit LogicalBackupMemoryLimit: OptText(backup.logical_backup_memory_limit) = "", Nothing, Later, [Each(quantity)], "Memory limit of backups.";
    logical_backup_memory_request LogicalBackupMemoryRequest: OptText(backup.logical_backup_memory_request) = "", Nothing, Later, [Each(quantity)], "Memory request of backups.";
    logical_backup_provider LogicalBackupProvider: Text(backup.logical_backup_provider) = "s3", Same, Later, [Each(one_of_providers)], "Where backups go: `s3`, `gcs` or `az`.";
    logical_backup_s3_access_key_id LogicalBackupS3AccessKeyID: OptText(backup.logical_backup_s3_access_key_id) = "", Nothing, Later, [Secret], "The key id for S3.";
    logical_backup_s3_bucket LogicalBackupS3Bucket: Text(backup.logical_backup_s3_bucket) = "", Nothing, Later, [], "The bucket, of whatever provider.";
    logical_backup_s3_bucket_prefix LogicalBackupS3BucketPrefix: Text(backup.logical_backup_s3_bucket_prefix) = "spilo", Nothing, Later, [], "The path in it.";
    logical_backup_s3_endpoint LogicalBackupS3Endpoint: Text(backup.logical_backup_s3_endpoint) = "", Nothing, Later, [], "The endpoint of S3.";
    logical_backup_s3_region LogicalBackupS3Region: Text(backup.logical_backup_s3_region) = "", Nothing, Later, [], "The region of S3.";
    logical_backup_s3_retention_time LogicalBackupS3RetentionTime: Text(backup.logical_backup_s3_retention_time) = "", Nothing, Later, [], "How long backups are kept, such as `2 weeks`. Empty: for ever.";
    logical_backup_s3_secret_access_key LogicalBackupS3SecretAccessKey: OptText(backup.logical_backup_s3_secret_access_key) = "", Nothing, Later, [Secret], "The key for S3.";
    logical_backup_s3_sse LogicalBackupS3SSE: Text(backup.logical_backup_s3_sse) = "", Nothing, Later, [], "How S3 encrypts.";
    logical_backup_schedule LogicalBackupSchedule: Text(backup.logical_backup_schedule) = "30 00 * * *", Same, Later, [NotEmpty("backups need a time"), Each(schedule)], "When backups are made, where a manifest does not say.";
    logical_backup_successful_jobs_history_limit LogicalBackupSuccessfulJobsHistoryLimit: NullableInt(backup.logical_backup_successful_jobs_history_limit) = "3", Same, Later, [Within(0, 1_000_000)], "Backups that are kept as jobs.";
    logical_backup_ttl_seconds_after_finished LogicalBackupTTLSecondsAfterFinished: NullableInt(backup.logical_backup_ttl_seconds_after_finished) = "86400", Same, Later, [Within(0, 2_147_483_647)], "Seconds after which a finished job goes.";
}

keys! { pub(super) MAJOR_VERSION_UPGRADE, Some("major_version_upgrade");
    major_version_upgrade_mode MajorVersionUpgradeMode: Text(upgrade.major_version_upgrade_mode) = "manual", Same, Later, [Each(one_of_upgrade_modes)], "Whether a new major version is installed: `off`, `manual`, where the manifest asks for one, or `full`, where it is older than `minimal_major_version` as well.";
    major_version_upgrade_team_allow_list MajorVersionUpgradeTeamAllowList: Set(upgrade.major_version_upgrade_team_allow_list) = "", Nothing, Later, [], "Teams whose clusters are upgraded in mode `off` as well.";
    minimal_major_version MinimalMajorVersion: Text(upgrade.minimal_major_version) = "14", Same, Later, [Each(major_version)], "Mode `full`: clusters of an older version are upgraded.";
    target_major_version TargetMajorVersion: Text(upgrade.target_major_version) = "18", Same, Later, [Each(major_version)], "Mode `full`: to which version.";
}
