//! Whom a TLS connection trusts.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::PrivateKeyDer;

use super::super::SourceError;
use super::super::teams_api::TeamsApiConfig;
use super::{Folder, ask, team};

/// A server that answers one request, and the authority that it has its certificate from.
fn serve(host: &str) -> (String, String, JoinHandle<()>) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let serving = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let mut request = [0_u8; 4096];
        if stream.read(&mut request).is_ok() {
            let head =
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 22\r\n";
            let body = r#"{"member": ["alice"] }"#;
            let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes());
        }
    });
    (url, pem, serving)
}

async fn attempt(
    host: &str,
    ca_file: impl FnOnce(&str) -> String,
) -> Result<super::Team, SourceError> {
    let (url, pem, serving) = serve(host);
    let folder = Folder::new();
    let ca_file = Some(folder.file("ca.pem", ca_file(&pem)));
    let config = TeamsApiConfig { url, anonymous: true, ca_file, ..Default::default() };
    let answer = ask(&config.build().unwrap(), "acid").await;
    serving.join().unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_from_the_ca_file_is_trusted() {
    assert_eq!(attempt("127.0.0.1", str::to_owned).await, Ok(team(&["alice"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_authority_is_not() {
    let (_, other, _) = serve("127.0.0.1");
    let error = attempt("127.0.0.1", |_| other).await.unwrap_err();
    assert_eq!(error.reason(), "unreachable");
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_host_is_not() {
    let error = attempt("teams.example.com", str::to_owned).await.unwrap_err();
    assert_eq!(error.reason(), "unreachable");
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[test]
fn a_ca_file_that_holds_nothing_to_trust_is_refused() {
    let folder = Folder::new();
    let build = |ca_file, url: &str| {
        let url = url.to_owned();
        TeamsApiConfig { url, anonymous: true, ca_file: Some(ca_file), ..Default::default() }
            .build()
            .unwrap_err()
            .to_string()
    };
    let url = "https://teams.example.com";
    assert!(build(folder.file("ca.pem", "nothing"), url).contains("holds no certificate"));
    assert!(build(folder.0.join("missing"), url).contains("cannot be read"));
    assert!(build(folder.file("ca.pem", ""), "http://teams.example.com").contains("no effect"));
}
