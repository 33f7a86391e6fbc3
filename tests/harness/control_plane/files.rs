//! The files that the control plane reads: certificates, keys, tokens, and how to get in.

use std::fs;
use std::path::PathBuf;

use rcgen::KeyPair;

use super::{ADDRESS, FIRST_SERVICE, audit};
use crate::certificates::Authority;
use crate::secrets::random_text;
use crate::workdir::Workdir;

pub(crate) const AUTHORITY: &str = "ca.crt";
pub(crate) const CERTIFICATE: &str = "apiserver.crt";
pub(crate) const KEY: &str = "apiserver.key";
pub(crate) const ACCOUNTS_KEY: &str = "service-accounts.key";
pub(crate) const ACCOUNTS_PUBLIC_KEY: &str = "service-accounts.pub";
pub(crate) const TOKENS: &str = "tokens.csv";
pub(crate) const ADMIN: &str = "admin.kubeconfig";
pub(crate) const CONTROLLERS: &str = "controllers.kubeconfig";
pub(crate) const AUDIT_POLICY: &str = "audit-policy.yaml";
pub(crate) const AUDIT_LOG: &str = "audit.log";

/// What is needed to get in as somebody who may do everything.
#[derive(Debug)]
pub(crate) struct Credentials {
    pub(crate) authority: Authority,
    pub(crate) token: String,
}

/// Writes all of them.
pub(crate) fn write(workdir: &Workdir, url: &str) -> Credentials {
    let authority = Authority::new();
    let names = [
        &ADDRESS.to_string(),
        FIRST_SERVICE,
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    let identity = authority.issue(&names, |_| {});
    let accounts = KeyPair::generate().expect("a key");
    let (token, controllers) = (random_text(32), random_text(32));
    let tokens = format!(
        "{token},admin,admin,\"system:masters\"\n\
         {controllers},kube-controller-manager,controllers,\"system:masters\"\n"
    );
    workdir.file(AUTHORITY, authority.pem());
    workdir.file(CERTIFICATE, &identity.certificate_pem);
    workdir.file(KEY, &identity.key_pem);
    workdir.file(ACCOUNTS_KEY, accounts.serialize_pem());
    workdir.file(ACCOUNTS_PUBLIC_KEY, accounts.public_key_pem());
    workdir.file(TOKENS, tokens);
    workdir.file(AUDIT_POLICY, audit::POLICY);
    workdir.file(AUDIT_LOG, "");
    workdir.file(ADMIN, kubeconfig(url, &authority.pem(), &token));
    workdir.file(CONTROLLERS, kubeconfig(url, &authority.pem(), &controllers));
    Credentials { authority, token }
}

/// For kubectl, client libraries and Patroni, which takes the context of this name where it is
/// told no other.
pub(crate) fn kubeconfig(url: &str, authority: &str, token: &str) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let authority = BASE64_STANDARD.encode(authority);
    format!(
        "apiVersion: v1\n\
         kind: Config\n\
         clusters:\n\
         - name: test\n  cluster:\n    server: {url}\n    certificate-authority-data: {authority}\n\
         users:\n\
         - name: test\n  user:\n    token: {token}\n\
         contexts:\n\
         - name: kind-kind\n  context:\n    cluster: test\n    user: test\n\
         current-context: kind-kind\n"
    )
}

/// A part of the audit log, by where it begins in bytes.
pub(crate) fn audit_log(workdir: &Workdir, from: usize) -> String {
    let log = fs::read(audit_log_path(workdir)).expect("the audit log");
    String::from_utf8_lossy(log.get(from..).unwrap_or_default()).into_owned()
}

pub(crate) fn audit_log_path(workdir: &Workdir) -> PathBuf {
    workdir.path().join(AUDIT_LOG)
}
