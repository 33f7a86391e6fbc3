//! Whom the module believes, and whom not.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use harness::certificates::{Authority, Identity, self_signed};
use harness::postgres::free_port;
use harness::process::Process;
use harness::token_service::server_config;
use harness::{Code, Outcome, TokenService, World, eventually, wire};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::server::WebPkiClientVerifier;

const CLAIMS: &str = r#"{"uid":"alice","realm":"/employees"}"#;

/// Logs in by a line that names `service` at `host`, which knows the token: only the
/// connection can be what refuses it.
fn login_by(world: &World, service: &TokenService, host: &str) -> Outcome {
    let token = world.grant("alice");
    service.know(&token, CLAIMS);
    let line = format!("{} uid realm=/employees --timeout=2s", service.url_for(host));
    world.try_line(&line, "alice", token)
}

#[track_caller]
fn assert_not_believed(world: &World, identity: &Identity, reason: &str) {
    let service = TokenService::encrypted(identity);
    let outcome = login_by(world, &service, "localhost");
    outcome.assert_refused(Code::AuthinfoUnavail, reason);
    assert!(outcome.reason().contains("--ca-file"), "what to do: {outcome:#?}");
    assert_eq!(service.requests().len(), 0, "the token was sent");
}

#[test]
fn a_certificate_has_to_be_valid_now_for_this_host_and_from_a_known_authority() {
    let world = World::new();
    let issue = |names: &[&str]| world.authority.issue(names, |_| {});
    let expired = world.authority.issue(&["localhost"], |params| {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    assert_not_believed(&world, &expired, "certificate expired");
    let early = world.authority.issue(&["localhost"], |params| {
        params.not_before = rcgen::date_time_ymd(2090, 1, 1);
    });
    assert_not_believed(&world, &early, "certificate not valid yet");
    assert_not_believed(&world, &self_signed(&["localhost"]), "invalid peer certificate");
    assert_not_believed(&world, &issue(&["elsewhere.example"]), "certificate not valid for name");
    assert_not_believed(&world, &issue(&["*.localhost"]), "certificate not valid for name");
    assert_not_believed(&world, &issue(&["*"]), "certificate not valid for name");
    assert_not_believed(
        &world,
        &Authority::new().server(),
        "invalid peer certificate: UnknownIssuer",
    );
    // The common name counts for nothing.
    let named = world.authority.issue(&["elsewhere.example"], |params| {
        params.distinguished_name.push(rcgen::DnType::CommonName, "localhost");
    });
    assert_not_believed(&world, &named, "certificate not valid for name");
    // A certificate for clients.
    let client = world.authority.issue(&["localhost"], |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    });
    assert_not_believed(&world, &client, "invalid peer certificate");
}

#[test]
fn an_authority_is_believed_within_its_name_constraints_only() {
    let constrained = |permitted: &str| {
        Authority::with(|params| {
            params.name_constraints = Some(rcgen::NameConstraints {
                permitted_subtrees: vec![rcgen::GeneralSubtree::DnsName(permitted.to_owned())],
                excluded_subtrees: vec![],
            });
        })
    };
    let world = World::new();
    for (permitted, code) in [("example.org", Code::AuthinfoUnavail), ("localhost", Code::Success)]
    {
        let authority = constrained(permitted);
        let file = world.sandbox.workdir.file("constrained.pem", authority.pem());
        let service = TokenService::encrypted(&authority.issue(&["localhost"], |_| {}));
        let token = world.grant("alice");
        service.know(&token, CLAIMS);
        let line = format!("{} uid realm=/employees --ca-file={}", service.url(), file.display());
        let outcome = world.try_line(&line, "alice", token);
        assert_eq!(outcome.code(), code, "{outcome:#?}");
    }
}

#[test]
fn with_a_ca_file_nobody_else_is_believed() {
    let world = World::new();
    let private = Authority::new();
    let file = world.sandbox.workdir.file("private.pem", private.pem());
    let ours = TokenService::encrypted(&private.server());
    let token = world.grant("alice");
    ours.know(&token, CLAIMS);
    let option = format!("--ca-file={}", file.display());
    let line = format!("{} uid realm=/employees {option}", ours.url());
    world.try_line(&line, "alice", &token).assert_accepted();
    // The service of the world is known to the system's bundle, and only to that.
    world
        .try_line(&world.rule(&option), "alice", &token)
        .assert_refused(Code::AuthinfoUnavail, "UnknownIssuer");
    world.try_line(&world.rule(""), "alice", &token).assert_accepted();
}

#[test]
fn a_ca_file_that_cannot_be_trusted_is_a_configuration_error() {
    let world = World::new();
    let workdir = &world.sandbox.workdir;
    let token = world.grant("alice");
    let expect = |path: &str, reason: &str| {
        let outcome = world.try_line(&world.rule(&format!("--ca-file={path}")), "alice", &token);
        outcome.assert_refused(Code::ServiceErr, reason);
    };
    let pem = world.authority.pem();
    let writable = workdir.file("writable.pem", &pem);
    std::fs::set_permissions(&writable, std::fs::Permissions::from_mode(0o666)).unwrap();
    let unreadable = workdir.file("unreadable.pem", &pem);
    std::fs::set_permissions(&unreadable, std::fs::Permissions::from_mode(0o600)).unwrap();
    let pipe = workdir.path().join("pipe.pem");
    assert!(Command::new("mkfifo").args(["-m", "644"]).arg(&pipe).status().unwrap().success());
    expect("/nonexistent.pem", "No such file");
    expect(workdir.file("empty.pem", "").to_str().unwrap(), "holds no certificate");
    expect(
        workdir.file("words.pem", "no certificate at all").to_str().unwrap(),
        "holds no certificate",
    );
    let garbled = pem.replace('M', "!");
    expect(workdir.file("garbled.pem", garbled).to_str().unwrap(), "holds no certificate");
    expect(
        workdir.file("huge.pem", vec![b'#'; 5 * 1024 * 1024]).to_str().unwrap(),
        "is larger than",
    );
    expect(writable.to_str().unwrap(), "can be changed by everybody");
    expect(unreadable.to_str().unwrap(), "Permission denied");
    expect(workdir.path().to_str().unwrap(), "is not a regular file");
    expect("/dev/zero", "is not a regular file");
    expect(pipe.to_str().unwrap(), "is not a regular file");
    assert_eq!(world.service.connections(), 0);
}

#[test]
fn tls_1_2_and_1_3_are_spoken_to_names_and_to_addresses() {
    let world = World::new();
    let identity = world.authority.server();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(identity.chain.clone(), identity.key.clone_key())
            .unwrap();
        let service = TokenService::with_config(config);
        for host in ["localhost", "127.0.0.1", "info.example.com"] {
            login_by(&world, &service, host).assert_accepted();
        }
    }
}

#[test]
fn a_server_that_demands_a_client_certificate_gets_none() {
    let world = World::new();
    let mut roots = rustls::RootCertStore::empty();
    let identity = world.authority.server();
    roots.add(identity.chain[0].clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(verifier.clone().build().unwrap())
            .with_single_cert(identity.chain.clone(), identity.key.clone_key())
            .unwrap();
        let outcome = login_by(&world, &TokenService::with_config(config), "localhost");
        outcome.assert_refused(Code::AuthinfoUnavail, "CertificateRequired");
    }
}

#[test]
fn what_is_no_tls_on_the_https_port_is_an_outage() {
    let world = World::new();
    let plain = TokenService::plain();
    let https =
        |host: &str| format!("https://{host}:{}/?access_token= uid --timeout=1s", plain.port());
    let token = world.grant("alice");
    // A plain server answers a ClientHello with an error in words.
    plain.on_accept(|mut stream| {
        let _gone = stream.write_all(&wire::http_answer("400 Bad Request", b"speak http"));
    });
    world
        .try_line(&https("localhost"), "alice", &token)
        .assert_refused(Code::AuthinfoUnavail, "connecting failed");
    plain.on_accept(|mut stream| {
        // The header of a TLS record with a handshake that never comes.
        let _gone = stream.write_all(b"\x16\x03\x03\x40\x00\x02");
        drop(wire::hold(&mut stream));
    });
    let outcome = world.try_line(&https("localhost"), "alice", &token);
    outcome.assert_refused(Code::AuthinfoUnavail, "the connection did not stand when the 1 s");
    outcome.assert_within(Duration::from_secs(1));
    plain.on_accept(|mut stream| {
        let _gone = stream.write_all(b"\x16\x03\x03\x00\x7a\x02");
        wire::reset(stream);
    });
    world
        .try_line(&https("localhost"), "alice", &token)
        .assert_refused(Code::AuthinfoUnavail, "connecting failed");
    plain.on_accept(drop);
    world
        .try_line(&https("localhost"), "alice", &token)
        .assert_refused(Code::AuthinfoUnavail, "connecting failed");
}

/// A server that rustls will not be: old versions, weak keys.
fn openssl_server(world: &World, request: &[&str], serve: &[&str]) -> (Process, u16) {
    let folder = world.sandbox.workdir.path();
    let [key, certificate] = ["weak.key", "weak.pem"].map(|name| folder.join(name));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=weak",
            "-addext",
            "subjectAltName=DNS:localhost",
            // By default it makes an authority, which may not be a server.
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .args(request)
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let port = free_port();
    let mut server = Command::new("openssl");
    server.args(["s_server", "-www", "-quiet", "-accept", &format!("127.0.0.1:{port}")]);
    server.arg("-key").arg(key).arg("-cert").arg(certificate).args(serve);
    server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let server = Process::spawn(&mut server, libc::SIGTERM);
    eventually("s_server listens", || std::net::TcpStream::connect(("127.0.0.1", port)).map(drop));
    (server, port)
}

#[test]
fn old_versions_and_weak_certificates_are_refused() {
    let world = World::new();
    let token = world.grant("alice");
    let weak = "DEFAULT:@SECLEVEL=0";
    let login = |request: &[&str], serve: &[&str]| {
        let (_server, port) = openssl_server(&world, request, serve);
        let ca = world.sandbox.workdir.path().join("weak.pem");
        let url = format!("https://localhost:{port}/?access_token=");
        world.try_line(&format!("{url} uid --ca-file={}", ca.display()), "alice", &token)
    };
    // The same server with nothing to complain about: TLS stands, and a web page comes back.
    let sound = ["-newkey", "rsa:2048", "-sha256"];
    login(&sound, &["-cipher", weak])
        .assert_refused(Code::AuthinfoUnavail, "not one JSON document");
    let cases: [(&[&str], &[&str], &str); 5] = [
        (&sound, &["-tls1", "-cipher", weak], "ProtocolVersion"),
        (&sound, &["-tls1_1", "-cipher", weak], "ProtocolVersion"),
        (&["-newkey", "rsa:1024", "-sha256"], &["-cipher", weak], "invalid peer certificate"),
        (&["-newkey", "rsa:2048", "-sha1"], &["-cipher", weak], "invalid peer certificate"),
        (&sound, &["-tls1_2", "-cipher", "AES128-SHA"], "HandshakeFailure"),
    ];
    for (request, serve, reason) in cases {
        login(request, serve).assert_refused(Code::AuthinfoUnavail, reason);
    }
}

#[test]
fn https_is_not_given_up_by_a_redirect() {
    let world = World::new();
    let plain = TokenService::plain();
    let token = world.grant("alice");
    plain.know(&token, CLAIMS);
    let location = format!("302 Found\r\nLocation: {}{token}", plain.url());
    world.service.answer_raw(wire::http_answer(&location, b""));
    world.login("alice", &token).assert_reason("status 302");
    assert_eq!(plain.connections(), 0);
}

#[test]
fn a_server_with_a_good_certificate_has_to_have_its_key() {
    let world = World::new();
    let good = world.authority.server();
    let other = world.authority.issue(&["localhost"], |_| {});
    let mut config = server_config(&other);
    let stolen = rustls::sign::CertifiedKey::new(
        good.chain.clone(),
        ring::sign::any_supported_type(&other.key).unwrap(),
    );
    config.cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(stolen));
    let outcome = login_by(&world, &TokenService::with_config(config), "localhost");
    outcome.assert_refused(Code::AuthinfoUnavail, "BadSignature");
}
