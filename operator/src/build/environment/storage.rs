//! Where archives and logs go, and where certificates lie in the container.

use k8s_openapi::api::core::v1::EnvVar;

use super::list::plain;
use super::source::given;
use crate::api::spec::Tls;
use crate::config::Config;

/// Where the Secret of certificates is mounted.
const CERTIFICATES: &str = "/tls";
/// Where the one of the authority is, if it is another.
const AUTHORITY: &str = "/tlsca";

/// By which archives of clusters of one name are told apart: a cluster that is made anew does not
/// write into the archive of the one before.
pub(in crate::build) fn scope_suffix(uid: &str) -> String {
    if uid.is_empty() { String::new() } else { format!("/{uid}") }
}

/// The region of `aws_region` is none of them: the reference keeps it for itself.
pub(super) fn buckets(uid: &str, config: &Config) -> Vec<EnvVar> {
    let cloud = &config.cloud;
    let mut all = Vec::new();
    for (name, value) in [
        ("WAL_S3_BUCKET", &cloud.wal_s3_bucket),
        ("WAL_GS_BUCKET", &cloud.wal_gs_bucket),
        ("AZURE_STORAGE_ACCOUNT", &cloud.wal_az_storage_account),
    ] {
        if let Some(value) = given(value) {
            all.push(plain(name, value));
            all.push(plain("WAL_BUCKET_SCOPE_SUFFIX", scope_suffix(uid)));
            all.push(plain("WAL_BUCKET_SCOPE_PREFIX", ""));
        }
    }
    let file = given(&cloud.gcp_credentials);
    all.extend(file.map(|file| plain("GOOGLE_APPLICATION_CREDENTIALS", file)));
    if let Some(bucket) = given(&cloud.log_s3_bucket) {
        all.push(plain("LOG_S3_BUCKET", bucket));
        all.push(plain("LOG_BUCKET_SCOPE_SUFFIX", scope_suffix(uid)));
        all.push(plain("LOG_BUCKET_SCOPE_PREFIX", ""));
    }
    all
}

pub(super) fn certificates(tls: &Tls) -> Vec<EnvVar> {
    certificates_as(tls, ["SSL_CERTIFICATE_FILE", "SSL_PRIVATE_KEY_FILE", "SSL_CA_FILE"])
}

/// The same under other names: of the certificate, its key, and the authority.
pub(in crate::build) fn certificates_as(tls: &Tls, names: [&str; 3]) -> Vec<EnvVar> {
    if tls.secret_name.is_empty() {
        return Vec::new();
    }
    let certificate = given(&tls.certificate_file).unwrap_or("tls.crt");
    let key = given(&tls.private_key_file).unwrap_or("tls.key");
    let [certificate_name, key_name, authority_name] = names;
    let mut all = vec![
        plain(certificate_name, within(CERTIFICATES, certificate)),
        plain(key_name, within(CERTIFICATES, key)),
    ];
    if let Some(authority) = given(&tls.ca_file) {
        let other = given(&tls.ca_secret_name).is_some();
        let directory = if other { AUTHORITY } else { CERTIFICATES };
        all.push(plain(authority_name, within(directory, authority)));
    }
    all
}

/// An absolute path as it is; another one within `directory`, without `.` and `..`.
fn within(directory: &str, path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    let mut parts = Vec::new();
    for part in directory.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
