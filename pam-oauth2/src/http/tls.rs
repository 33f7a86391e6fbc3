//! What a TLS connection trusts: one CA file, or the system's bundle. rustls on `ring`,
//! TLS 1.2 and 1.3.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use once_cell::sync::OnceCell;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};

use crate::files::{self, FileFault};

/// Where Debian (and so Spilo) and the Red Hat family keep the bundle.
const SYSTEM_BUNDLES: [&str; 2] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/ca-bundle.crt"];
/// Debian's bundle has 220 KiB.
const BUNDLE_LIMIT: usize = 4 * 1024 * 1024;

/// Why there is nothing to trust.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustFault {
    #[error(
        "the CA file {path} holds no certificate that can be used: \
         it needs PEM blocks of certificate authorities"
    )]
    Empty { path: PathBuf },
    #[error("the CA file {path} {fault}")]
    File { path: PathBuf, fault: FileFault },
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

/// The configuration of a client. Without `encrypted` nothing is read and nothing trusted.
pub(super) fn client_config(
    encrypted: bool,
    ca_file: Option<&Path>,
) -> Result<ClientConfig, TrustFault> {
    let roots = match (encrypted, ca_file) {
        (false, _) => RootCertStore::empty(),
        (true, Some(path)) => roots_of(path)?,
        (true, None) => system_roots()?,
    };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(TrustFault::Setup)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // One connection per configuration: there is nothing to resume.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceCell<Arc<CryptoProvider>> = OnceCell::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(ring::default_provider())))
}

fn system_roots() -> Result<RootCertStore, TrustFault> {
    let [debian, others] = SYSTEM_BUNDLES.map(Path::new);
    roots_of(if debian.exists() || !others.exists() { debian } else { others })
}

fn roots_of(path: &Path) -> Result<RootCertStore, TrustFault> {
    let pem = files::read_trusted(path, BUNDLE_LIMIT)
        .map_err(|fault| TrustFault::File { path: path.to_owned(), fault })?;
    let mut roots = RootCertStore::empty();
    // A bundle may hold certificates that webpki does not take; one is no reason to lose
    // the others. A file from which none is left is.
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    if roots.is_empty() {
        return Err(TrustFault::Empty { path: path.to_owned() });
    }
    Ok(roots)
}
