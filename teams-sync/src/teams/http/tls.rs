//! What a TLS connection trusts: one CA file, or the system's roots. rustls on `ring`,
//! TLS 1.2 and 1.3.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::super::foreign::shown;
use super::super::small_file;

/// Debian's bundle has 220 KiB.
const BUNDLE_LIMIT: usize = 4 * 1024 * 1024;

/// The configuration of a client. Without `encrypted` nothing is read and nothing trusted.
pub(super) fn client_config(
    encrypted: bool,
    ca_file: Option<&Path>,
) -> Result<ClientConfig, String> {
    let roots = match (encrypted, ca_file) {
        (false, _) => RootCertStore::empty(),
        (true, Some(path)) => roots_of(path)?,
        (true, None) => system_roots()?,
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn system_roots() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let faults: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(format!(
            "this system has no certificate authorities to trust (install ca-certificates, or \
             set ca_file){}{}",
            if faults.is_empty() { "" } else { ": " },
            shown(&faults.join("; ")),
        ));
    }
    Ok(roots)
}

fn roots_of(path: &Path) -> Result<RootCertStore, String> {
    let named = shown(&path.to_string_lossy());
    let pem = small_file::read_now(path, BUNDLE_LIMIT)
        .map_err(|fault| format!("the CA file {named} {fault}"))?;
    let mut roots = RootCertStore::empty();
    // A bundle may hold certificates that webpki does not take; one is no reason to lose
    // the others. A file from which none is left is.
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    if roots.is_empty() {
        return Err(format!(
            "the CA file {named} holds no certificate that can be used: it needs PEM blocks of \
             certificate authorities"
        ));
    }
    Ok(roots)
}
