//! Logical backups and major upgrades: accepted, with a warning, and not used.

use super::CrdDefault::{Nothing, Same};
use super::Rule::Secret;
use super::keys;

keys! { pub(super) LOGICAL_BACKUP, Some("logical_backup");
    logical_backup_azure_storage_account_key LogicalBackupAzureStorageAccountKey: Unused(Text) = "", Nothing, Later, [Secret], "The key of the Azure storage account.";
    logical_backup_azure_storage_account_name LogicalBackupAzureStorageAccountName: Unused(Text) = "", Nothing, Later, [], "The Azure storage account.";
    logical_backup_azure_storage_container LogicalBackupAzureStorageContainer: Unused(Text) = "", Nothing, Later, [], "The container of Azure.";
    logical_backup_cpu_limit LogicalBackupCPULimit: Unused(Text) = "", Nothing, Later, [], "CPU limit of backups.";
    logical_backup_cpu_request LogicalBackupCPURequest: Unused(Text) = "", Nothing, Later, [], "CPU request of backups.";
    logical_backup_cronjob_environment_secret LogicalBackupCronjobEnvironmentSecret: Unused(Text) = "", Nothing, Later, [], "A Secret whose keys are in the environment of backups.";
    logical_backup_docker_image LogicalBackupDockerImage: Unused(Text) = "ghcr.io/zalando/postgres-operator/logical-backup:v2.0.1", Same, Later, [], "The image of backups.";
    logical_backup_failed_jobs_history_limit LogicalBackupFailedJobsHistoryLimit: Unused(Int) = "3", Same, Later, [], "Failed backups that are kept.";
    logical_backup_google_application_credentials LogicalBackupGoogleApplicationCredentials: Unused(Text) = "", Nothing, Later, [Secret], "The credentials for Google.";
    logical_backup_job_prefix LogicalBackupJobPrefix: Unused(Text) = "logical-backup-", Same, Later, [], "What names of backups begin with.";
    logical_backup_memory_limit LogicalBackupMemoryLimit: Unused(Text) = "", Nothing, Later, [], "Memory limit of backups.";
    logical_backup_memory_request LogicalBackupMemoryRequest: Unused(Text) = "", Nothing, Later, [], "Memory request of backups.";
    logical_backup_provider LogicalBackupProvider: Unused(Text) = "s3", Same, Later, [], "Where backups go.";
    logical_backup_s3_access_key_id LogicalBackupS3AccessKeyID: Unused(Text) = "", Nothing, Later, [Secret], "The key id for S3.";
    logical_backup_s3_bucket LogicalBackupS3Bucket: Unused(Text) = "", Nothing, Later, [], "The bucket of S3.";
    logical_backup_s3_bucket_prefix LogicalBackupS3BucketPrefix: Unused(Text) = "spilo", Nothing, Later, [], "The path in it.";
    logical_backup_s3_endpoint LogicalBackupS3Endpoint: Unused(Text) = "", Nothing, Later, [], "The endpoint of S3.";
    logical_backup_s3_region LogicalBackupS3Region: Unused(Text) = "", Nothing, Later, [], "The region of S3.";
    logical_backup_s3_retention_time LogicalBackupS3RetentionTime: Unused(Text) = "", Nothing, Later, [], "How long backups are kept.";
    logical_backup_s3_secret_access_key LogicalBackupS3SecretAccessKey: Unused(Text) = "", Nothing, Later, [Secret], "The key for S3.";
    logical_backup_s3_sse LogicalBackupS3SSE: Unused(Text) = "", Nothing, Later, [], "How S3 encrypts.";
    logical_backup_schedule LogicalBackupSchedule: Unused(Text) = "30 00 * * *", Same, Later, [], "When backups are made.";
    logical_backup_successful_jobs_history_limit LogicalBackupSuccessfulJobsHistoryLimit: Unused(Int) = "3", Same, Later, [], "Backups that are kept as jobs.";
    logical_backup_ttl_seconds_after_finished LogicalBackupTTLSecondsAfterFinished: Unused(Int) = "86400", Same, Later, [], "Seconds after which a finished job goes.";
}

keys! { pub(super) MAJOR_VERSION_UPGRADE, Some("major_version_upgrade");
    major_version_upgrade_mode MajorVersionUpgradeMode: Unused(Text) = "manual", Same, Later, [], "Whether a new major version is installed.";
    major_version_upgrade_team_allow_list MajorVersionUpgradeTeamAllowList: Unused(List) = "", Nothing, Later, [], "Teams whose clusters are upgraded.";
    minimal_major_version MinimalMajorVersion: Unused(Text) = "14", Same, Later, [], "Older clusters are upgraded.";
    target_major_version TargetMajorVersion: Unused(Text) = "18", Same, Later, [], "To which version.";
}
