//! What TLS has to prove, per `sslmode`, and what it proves about us.
//!
//! In: the TLS part of a connection string, and the files that it names, read anew for each
//! connection. Out: a configuration of rustls with its cryptography named, never a default of
//! the process. It opens no connection. PostgreSQL documentation, sections 34.1.2 and 34.19.

mod connector;
mod verifier;

pub(super) use connector::Connector;

use super::conninfo::{RootCertificates, SslMode, TlsSettings};
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use verifier::{Checks, Verifier};

/// # Errors
/// Which file cannot be used, and why.
pub(super) fn client_config(settings: &TlsSettings) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = verifier(settings, &provider)?;
    let versions: &[_] = match settings.at_least_1_3 {
        true => &[&rustls::version::TLS13],
        false => rustls::DEFAULT_VERSIONS,
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match client_certificate(settings)? {
        Some((chain, key, path)) => builder.with_client_auth_cert(chain, key).map_err(|error| {
            format!("the client certificate {path:?} and its key cannot be used: {error}")
        })?,
        None => builder.with_no_client_auth(),
    };
    config.enable_sni = settings.server_name_indication;
    if settings.direct {
        config.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    Ok(config)
}

fn verifier(settings: &TlsSettings, provider: &Arc<CryptoProvider>) -> Result<Verifier, String> {
    let certificates = match (&settings.roots, &settings.default_file("root.crt")) {
        (RootCertificates::System, _) => system_certificates()?,
        (RootCertificates::File(path), _) | (RootCertificates::Default, Some(path)) => {
            certificates(path, "sslrootcert")?
        }
        (RootCertificates::Default, None) => match settings.mode {
            SslMode::VerifyCa | SslMode::VerifyFull => {
                return Err(format!(
                    "sslmode {} needs root certificates; set sslrootcert to a file, or to system \
                     for those of the operating system",
                    settings.mode
                ));
            }
            SslMode::Disable | SslMode::Prefer | SslMode::Require => {
                return Ok(Verifier::new(Checks::Nothing, Vec::new(), provider));
            }
        },
    };
    // Root certificates make every mode verify the chain, as in libpq.
    let checks = match settings.mode {
        SslMode::VerifyFull => Checks::ChainAndName,
        _ => Checks::Chain,
    };
    let verifier = Verifier::new(checks, certificates, provider);
    if verifier.has_no_roots() {
        return Err("none of the root certificates can be used by TLS".into());
    }
    Ok(verifier)
}

impl TlsSettings {
    /// A file in `~/.postgresql`, if it is there.
    fn default_file(&self, name: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(name)).filter(|path| path.exists())
    }
}

fn system_certificates() -> Result<Vec<CertificateDer<'static>>, String> {
    let found = rustls_native_certs::load_native_certs();
    match (found.certs.is_empty(), found.errors.first()) {
        (false, _) => Ok(found.certs),
        (true, Some(error)) => {
            Err(format!("the root certificates of the operating system cannot be read: {error}"))
        }
        (true, None) => Err("the operating system has no root certificates; install \
                             ca-certificates, or set sslrootcert to a file"
            .into()),
    }
}

fn certificates(path: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |error: pem::Error| match error {
        pem::Error::Io(error) => format!("{key} {path:?} cannot be read: {error}"),
        error => format!("{key} {path:?} is not a file of PEM certificates: {error}"),
    };
    let found = CertificateDer::pem_file_iter(path)
        .map_err(failed)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    match found.is_empty() {
        true => Err(format!("{key} {path:?} has no PEM certificate in it")),
        false => Ok(found),
    }
}

type ClientCertificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, PathBuf);

/// That of `sslcert` and `sslkey`, or of `~/.postgresql/postgresql.crt` and `.key`.
fn client_certificate(settings: &TlsSettings) -> Result<Option<ClientCertificate>, String> {
    let certificate = settings.certificate.clone();
    let Some(path) = certificate.or_else(|| settings.default_file("postgresql.crt")) else {
        return Ok(None);
    };
    let chain = certificates(&path, "sslcert")?;
    let Some(key_path) = settings.key.clone().or_else(|| settings.default_file("postgresql.key"))
    else {
        return Err(format!("there is no private key for the certificate {path:?}; set sslkey"));
    };
    Ok(Some((chain, private_key(&key_path)?, path)))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let metadata =
        fs::metadata(path).map_err(|error| format!("sslkey {path:?} cannot be read: {error}"))?;
    if !metadata.is_file() {
        return Err(format!("sslkey {path:?} is not a plain file"));
    }
    // As libpq has it (section 34.19.2): a key of root may be read by its group.
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if metadata.mode() & forbidden != 0 {
        return Err(format!(
            "sslkey {path:?} has group or world access; its permissions must be u=rw (0600) or \
             less if it belongs to the user, or u=rw,g=r (0640) or less if it belongs to root"
        ));
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        pem::Error::Io(error) => format!("sslkey {path:?} cannot be read: {error}"),
        pem::Error::NoItemsFound => format!(
            "sslkey {path:?} has no private key that can be used; it must be PEM and not encrypted"
        ),
        error => format!("sslkey {path:?} is not a PEM file: {error}"),
    })
}
