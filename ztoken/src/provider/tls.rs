//! What a TLS connection trusts: one CA file, or the system's roots. rustls on `ring`, TLS 1.2 and
//! 1.3.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::foreign::shown;

pub(super) fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, String> {
    let roots = match ca_file {
        Some(path) => roots_of(path)?,
        None => system_roots(),
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

/// May be none: then no certificate is trusted, and a provider on this machine needs none.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn roots_of(path: &Path) -> Result<RootCertStore, String> {
    let named = shown(&path.to_string_lossy());
    let certificates = CertificateDer::pem_file_iter(path)
        .map_err(|error| format!("the CA file {named} cannot be read: {error}"))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.filter_map(Result::ok));
    match roots.is_empty() {
        true => Err(format!("the CA file {named} holds no certificate of an authority as PEM")),
        false => Ok(roots),
    }
}
