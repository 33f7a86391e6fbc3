//! What clouds need in pods, and where logs go.

use super::CrdDefault::{Nothing, Same};
use super::Rule::{Each, NotYet, Secret};
use super::keys;
use crate::config::syntax::{absolute_path, image, object_name, quantity};

keys! { pub(super) AWS_OR_GCP, Some("aws_or_gcp");
    additional_secret_mount AdditionalSecretMount: OptText(pods.additional_secret_mount) = "", Nothing, Later, [Each(object_name)], "A Secret that is mounted in all containers.";
    additional_secret_mount_path AdditionalSecretMountPath: OptText(pods.additional_secret_mount_path) = "", Nothing, Later, [Each(absolute_path)], "Where it is mounted.";
    aws_region AWSRegion: Text(cloud.aws_region) = "eu-central-1", Same, Later, [NotYet], "The region of AWS.";
    gcp_credentials GCPCredentials: OptText(cloud.gcp_credentials) = "", Nothing, Later, [], "`GOOGLE_APPLICATION_CREDENTIALS`: the path of a file.";
    irsa_role_arn IRSARoleARN: OptText(cloud.irsa_role_arn) = "", Nothing, Later, [], "The role of the ServiceAccount on AWS.";
    kube_iam_role KubeIAMRole: OptText(cloud.kube_iam_role) = "", Nothing, Later, [], "The role of pods on AWS, for kube2iam.";
    log_s3_bucket LogS3Bucket: OptText(cloud.log_s3_bucket) = "", Nothing, Later, [], "The S3 bucket for logs.";
    wal_az_storage_account WALAZStorageAccount: OptText(cloud.wal_az_storage_account) = "", Nothing, Later, [], "The Azure storage account for WAL.";
    wal_gs_bucket WALGSBucket: OptText(cloud.wal_gs_bucket) = "", Nothing, Later, [], "The Google bucket for WAL.";
    wal_s3_bucket WALES3Bucket: OptText(cloud.wal_s3_bucket) = "", Nothing, Later, [], "The S3 bucket for WAL.";
}

keys! { pub(super) SCALYR, Some("scalyr");
    scalyr_api_key ScalyrAPIKey: OptText(sidecars.scalyr_api_key) = "", Nothing, Later, [Secret], "The key of Scalyr.";
    scalyr_cpu_limit ScalyrCPULimit: Text(sidecars.scalyr_cpu_limit) = "1", Same, Later, [Each(quantity)], "CPU limit of its sidecar.";
    scalyr_cpu_request ScalyrCPURequest: Text(sidecars.scalyr_cpu_request) = "100m", Same, Later, [Each(quantity)], "CPU request of its sidecar.";
    scalyr_image ScalyrImage: OptText(sidecars.scalyr_image) = "", Nothing, Later, [Each(image)], "The image of its sidecar.";
    scalyr_memory_limit ScalyrMemoryLimit: Text(sidecars.scalyr_memory_limit) = "500Mi", Same, Later, [Each(quantity)], "Memory limit of its sidecar.";
    scalyr_memory_request ScalyrMemoryRequest: Text(sidecars.scalyr_memory_request) = "50Mi", Same, Later, [Each(quantity)], "Memory request of its sidecar.";
    scalyr_server_url ScalyrServerURL: Text(sidecars.scalyr_server_url) = "https://upload.eu.scalyr.com", Same, Later, [], "Where Scalyr is.";
}
