//! What a TLS connection trusts: one CA file, or the system's roots. rustls on `ring`, TLS 1.2 and
//! 1.3.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::files;
use crate::foreign::shown;

/// Bytes of a CA file; those of a whole system have some 200 KiB.
const LONGEST: u64 = 4 * 1024 * 1024;

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
    let text = files::trusted(path, LONGEST)
        .map_err(|what| format!("the CA file {named} {what}"))?
        .ok_or_else(|| format!("the CA file {named} is not there"))?;
    let certificates = CertificateDer::pem_slice_iter(text.as_bytes());
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.filter_map(Result::ok));
    if roots.is_empty() {
        return Err(format!("the CA file {named} holds no certificate of an authority as PEM"));
    }
    Ok(roots)
}
