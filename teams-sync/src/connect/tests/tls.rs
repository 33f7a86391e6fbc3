//! What each `sslmode` accepts, tried with a rustls server that shows certificates of ours.

use super::super::{ConnectErrorKind, Dsn, connect};
use super::fake_server::{FakeServer, error, welcome};
use super::files::Folder;
use super::{nothing, parse, try_connect};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa};
use rcgen::{KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use std::sync::Arc;
use std::time::Duration;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

/// A server that shows this certificate, and the certificate as PEM.
fn server(params: &CertificateParams, issuer: Option<&Authority>) -> (FakeServer, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    let config = config().with_single_cert(
        vec![certificate.der().clone()],
        PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap(),
    );
    let server = FakeServer::start(Some(Arc::new(config.unwrap())), &[welcome(), vec![]]);
    (server, certificate.pem())
}

fn config() -> rustls::ConfigBuilder<ServerConfig, rustls::server::WantsServerCert> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider);
    builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth()
}

/// With these settings: does it connect, and if not, why?
async fn outcome(server: &FakeServer, settings: &str) -> Result<(), String> {
    let text = format!("host=localhost hostaddr=127.0.0.1 port={} user=u {settings}", server.port);
    match try_connect(&text).await {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{:?} {error}", error.kind())),
    }
}

#[tokio::test]
async fn each_mode_checks_what_it_promises() {
    let folder = Folder::new();
    let (good, evil) = (authority("good"), authority("evil"));
    let good_file = folder.write("good.crt", &good.pem(), 0o644).display().to_string();
    let evil_file = folder.write("evil.crt", &evil.pem(), 0o644).display().to_string();
    let both = folder.write("both.crt", &(evil.pem() + &good.pem()), 0o644).display().to_string();
    let (right, _) = server(&params("localhost"), Some(&good));
    let (other_name, _) = server(&params("elsewhere"), Some(&good));
    let (other_issuer, _) = server(&params("localhost"), Some(&evil));
    let unknown = Err("UnknownIssuer");
    let name = Err("not valid for name \"localhost\"");
    for (mode, root, of_right, of_other_name, of_other_issuer) in [
        ("require", "", Ok(()), Ok(()), Ok(())),
        ("require", &*good_file, Ok(()), Ok(()), unknown),
        ("verify-ca", &*good_file, Ok(()), Ok(()), unknown),
        ("verify-full", &*good_file, Ok(()), name, unknown),
        ("verify-full", &*both, Ok(()), name, Ok(())),
        ("verify-full", &*evil_file, unknown, unknown, Ok(())),
        ("verify-full", "system", unknown, unknown, unknown),
    ] {
        let settings = format!("sslmode={mode} sslrootcert='{root}'");
        for (server, expected) in
            [(&right, of_right), (&other_name, of_other_name), (&other_issuer, of_other_issuer)]
        {
            match (outcome(server, &settings).await, expected) {
                (Ok(()), Ok(())) => {}
                // Not every machine that runs tests has root certificates.
                (Err(said), Err(_)) if root == "system" && said.starts_with("Files") => {}
                (Err(said), Err(part)) => {
                    assert!(said.starts_with("Tls") && said.contains(part), "{settings}: {said}");
                }
                (outcome, _) => panic!("{settings}: {outcome:?} and not {expected:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_certificate_that_is_over_or_for_something_else_is_refused() {
    let folder = Folder::new();
    let good = authority("good");
    let file = folder.write("good.crt", &good.pem(), 0o644).display().to_string();
    let mut over = params("localhost");
    over.not_after = date_time_ymd(2001, 1, 1);
    let mut of_client = params("localhost");
    of_client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    for (params, expected) in [(over, "expired"), (of_client, "extended key usage")] {
        let (server, _) = server(&params, Some(&good));
        let said =
            outcome(&server, &format!("sslmode=verify-ca sslrootcert={file}")).await.unwrap_err();
        assert!(said.to_lowercase().contains(expected), "{said}");
        assert_eq!(outcome(&server, "sslmode=require").await, Ok(()));
    }
}

/// What `openssl req -x509` makes, given to both sides, as section 19.9.5 shows it.
#[tokio::test]
async fn a_server_can_be_its_own_authority() {
    let folder = Folder::new();
    let mut authority = params("localhost");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut over = authority.clone();
    over.not_after = date_time_ymd(2001, 1, 1);
    let no_authority = params("localhost");
    let mut name = params("elsewhere");
    name.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    for (params, expected) in [
        (&authority, Ok(())),
        (&no_authority, Ok(())),
        (&over, Err("expired")),
        (&name, Err("not valid for name")),
    ] {
        let (server, pem) = server(params, None);
        let file = folder.write("own.crt", &pem, 0o644).display().to_string();
        let settings = format!("sslmode=verify-full sslrootcert={file}");
        match (outcome(&server, &settings).await, expected) {
            (Ok(()), Ok(())) => {}
            (Err(said), Err(part)) => assert!(said.contains(part), "{said}"),
            (outcome, _) => panic!("{outcome:?} and not {expected:?}"),
        }
    }
    // The same name and the same claims, and not the same certificate.
    let (_, pem) = server(&authority, None);
    let file = folder.write("own.crt", &pem, 0o644).display().to_string();
    let (server, _) = server(&authority, None);
    let said = outcome(&server, &format!("sslmode=verify-ca sslrootcert={file}")).await;
    assert!(said.unwrap_err().starts_with("Tls"));
}

/// Otherwise anybody could show the server's certificate, and channel binding would believe it.
#[tokio::test]
async fn a_certificate_without_its_key_is_refused_in_every_mode() {
    #[derive(Debug)]
    struct Stolen(Arc<rustls::sign::CertifiedKey>);
    impl rustls::server::ResolvesServerCert for Stolen {
        fn resolve(
            &self,
            _: rustls::server::ClientHello<'_>,
        ) -> Option<Arc<rustls::sign::CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }
    }
    let good = authority("good");
    let certificate = params("localhost").signed_by(&KeyPair::generate().unwrap(), &good).unwrap();
    let other = KeyPair::generate().unwrap().serialize_pem();
    let key = PrivateKeyDer::from_pem_slice(other.as_bytes()).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let certified = rustls::sign::CertifiedKey::new(vec![certificate.der().clone()], key);
    let config = config().with_cert_resolver(Arc::new(Stolen(Arc::new(certified))));
    let server = FakeServer::start(Some(Arc::new(config)), &[welcome(), vec![]]);
    let said = outcome(&server, "sslmode=require").await.unwrap_err();
    assert!(said.starts_with("Tls") && said.contains("BadSignature"), "{said}");
}

#[tokio::test]
async fn prefer_goes_on_without_tls() {
    let folder = Folder::new();
    let (good, evil) = (authority("good"), authority("evil"));
    let evil_file = folder.write("evil.crt", &evil.pem(), 0o644).display().to_string();
    let (tls, _) = server(&params("localhost"), Some(&good));
    assert_eq!(outcome(&tls, "").await, Ok(()));
    assert_eq!(tls.connections(), 1);
    // A root certificate that does not fit spoils TLS, which is only preferred.
    assert_eq!(outcome(&tls, &format!("sslrootcert={evil_file}")).await, Ok(()));
    assert_eq!(tls.connections(), 3);

    let without = FakeServer::start(None, &[welcome(), vec![]]);
    for mode in ["disable", "allow", "prefer"] {
        assert_eq!(outcome(&without, &format!("sslmode={mode}")).await, Ok(()));
    }
    for settings in ["sslmode=require", "sslrootcert=system"] {
        let said = outcome(&without, settings).await.unwrap_err();
        assert!(
            said.contains("server does not support TLS") || said.starts_with("Files"),
            "{said}"
        );
    }
}

#[test]
fn the_name_is_sent_unless_it_is_not_wanted() {
    let config = |text: &str| super::super::tls::client_config(&parse(text).unwrap().tls).unwrap();
    assert!(config("sslmode=require").enable_sni);
    assert!(!config("sslmode=require sslsni=0").enable_sni);
}

#[tokio::test]
async fn the_oldest_protocol_can_be_chosen() {
    let key = KeyPair::generate().unwrap();
    let certificate = params("localhost").self_signed(&key).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let server = FakeServer::start(Some(Arc::new(config)), &[welcome(), vec![]]);
    assert_eq!(outcome(&server, "sslmode=require").await, Ok(()));
    let settings = "sslmode=require ssl_min_protocol_version=TLSv1.3";
    let said = outcome(&server, settings).await.unwrap_err();
    assert!(said.starts_with("Tls"), "{said}");
}

/// As PostgreSQL 17 takes it: TLS from the first byte, and the protocol named in it.
#[tokio::test]
async fn direct_negotiation_asks_no_question_first() {
    let key = KeyPair::generate().unwrap();
    let certificate = params("localhost").self_signed(&key).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let mut config = config().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    let server = FakeServer::start(Some(Arc::new(config)), &[welcome(), vec![]]);
    assert_eq!(outcome(&server, "sslmode=require sslnegotiation=direct").await, Ok(()));
    let without = FakeServer::start(None, &[welcome(), vec![]]);
    assert!(
        outcome(&without, "sslmode=require sslnegotiation=direct connect_timeout=1").await.is_err()
    );
}

/// pg_hba.conf may want the one or the other. A wrong password is wrong with both.
#[tokio::test]
async fn prefer_asks_twice_only_if_the_server_minds_the_kind_of_connection() {
    let without = FakeServer::start(None, &[error("28000", "no")]);
    let said = outcome(&without, "").await.unwrap_err();
    assert_eq!((without.connections(), said.contains("with")), (1, false), "{said}");
    for (code, connections) in [("28000", 2), ("28P01", 1), ("3D000", 1)] {
        let key = KeyPair::generate().unwrap();
        let certificate = params("localhost").self_signed(&key).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
        let config = config().with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let server = FakeServer::start(Some(Arc::new(config)), &[error(code, "no")]);
        let said = outcome(&server, "").await.unwrap_err();
        assert_eq!(server.connections(), connections, "{said}");
        assert_eq!(said.contains("with TLS: no"), connections == 2, "{said}");
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let folder = Folder::new();
    let key = KeyPair::generate().unwrap();
    let certificate = params("u").self_signed(&key).unwrap().pem();
    let crt = folder.write("c.crt", &certificate, 0o644).display().to_string();
    let open = folder.write("open.key", &key.serialize_pem(), 0o644).display().to_string();
    let good = folder.write("good.key", &key.serialize_pem(), 0o600).display().to_string();
    let other = KeyPair::generate().unwrap().serialize_pem();
    let other = folder.write("other.key", &other, 0o600).display().to_string();
    let encrypted = good.replace("good", "encrypted");
    let pem = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    folder.write("encrypted.key", pem, 0o600);
    let bad = folder.write("bad.crt", "-----BEGIN CERTIFICATE-----\n", 0o644);
    let bad = bad.display().to_string();
    let (server, _) = server(&params("localhost"), None);
    for (settings, expected) in [
        ("sslmode=verify-full".to_owned(), "set sslrootcert to a file, or to system"),
        ("sslmode=verify-ca".to_owned(), "sslmode verify-ca needs root certificates"),
        ("sslmode=require sslrootcert=/no/such".to_owned(), "\"/no/such\" cannot be read"),
        (format!("sslrootcert={good}"), "has no PEM certificate in it"),
        (format!("sslrootcert={bad}"), "is not a file of PEM certificates"),
        ("sslcert=/no/such".to_owned(), "sslcert \"/no/such\" cannot be read"),
        (format!("sslcert={crt}"), "there is no private key for the certificate"),
        (format!("sslcert={crt} sslkey=/no/such"), "sslkey \"/no/such\" cannot be read"),
        (format!("sslcert={crt} sslkey=/"), "is not a plain file"),
        (format!("sslcert={crt} sslkey={open}"), "has group or world access"),
        (format!("sslcert={crt} sslkey={encrypted}"), "must be PEM and not encrypted"),
        (format!("sslcert={crt} sslkey={other}"), "and its key cannot be used"),
    ] {
        let said = outcome(&server, &settings).await.unwrap_err();
        assert!(said.starts_with("Files") && said.contains(expected), "{settings}: {said}");
    }
    assert_eq!(outcome(&server, &format!("sslcert={crt} sslkey={good}")).await, Ok(()));
    // Nothing of it matters to a connection without TLS.
    assert_eq!(outcome(&server, "sslmode=disable sslrootcert=/no/such").await, Ok(()));
}

#[tokio::test]
async fn files_in_the_home_folder_count_if_they_are_there() {
    let folder = Folder::new();
    let (good, evil) = (authority("good"), authority("evil"));
    let (server, _) = server(&params("localhost"), Some(&good));
    let home = folder.path().display().to_string();
    let environment = |name: &str| if name == "HOME" { Some(home.clone()) } else { nothing(name) };
    let try_mode = async |mode: &str| {
        let text = format!("host=localhost hostaddr=127.0.0.1 port={} sslmode={mode}", server.port);
        let dsn = Dsn::parse(&text, &environment).unwrap();
        let opened = connect(&dsn, "app", Duration::from_secs(20)).await;
        opened.map(drop).map_err(|error| error.kind())
    };
    assert_eq!(try_mode("verify-full").await, Err(ConnectErrorKind::Files));
    folder.write(".postgresql/root.crt", &good.pem(), 0o644);
    assert_eq!(try_mode("verify-full").await, Ok(()));
    folder.write(".postgresql/root.crt", &evil.pem(), 0o644);
    assert_eq!(try_mode("require").await, Err(ConnectErrorKind::Tls));
}
