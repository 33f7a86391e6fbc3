//! PgBouncer asks PAM from a thread of its own, and logs in to PostgreSQL with the token.

use std::fs::File;
use std::process::Stdio;

use harness::postgres::{free_port, psql};
use harness::process::Process;
use harness::secrets::random_text;
use harness::{World, eventually};

#[test]
fn a_pool_logs_people_in_by_token_and_survives_the_bad_ones() {
    let world = World::new();
    let url = world.service.url();
    let line = format!(
        "auth sufficient pam_oauth2.so {url} uid realm=/employees\naccount sufficient pam_oauth2.so\n"
    );
    world.sandbox.pam_file("pgbouncer", &line);
    let port = free_port();
    let folder = world.sandbox.writable_folder("pgbouncer");
    let config = format!(
        "[databases]\npostgres = host=127.0.0.1 port={server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nunix_socket_dir =\nauth_type = pam\nserver_tls_sslmode = require\n\
         logfile =\npidfile =\nignore_startup_parameters = extra_float_digits\n",
        server = world.postgres().port()
    );
    let config = world.sandbox.workdir.file("pgbouncer/pgbouncer.ini", config);
    let log = folder.join("log");
    let output = File::create(&log).unwrap();
    let mut command = world.sandbox.command("/usr/sbin/pgbouncer");
    command.arg(config).stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
    let mut bouncer = Process::spawn(&mut command, libc::SIGINT);
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    eventually("PgBouncer listens", || {
        assert!(bouncer.exited().is_none(), "{}", said());
        std::net::TcpStream::connect(("127.0.0.1", port)).map(drop)
    });
    let login = |token: &str| {
        world.secrets.add(token.as_bytes());
        let output = psql()
            .args(["-h", "127.0.0.1", "-U", "alice", "-d", "postgres", "-c", "select current_user"])
            .env("PGPORT", port.to_string())
            .env("PGPASSWORD", token)
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let claims = r#"{"uid":"alice","realm":"/employees"}"#;
    assert_eq!(login(&world.grant("alice")).as_deref(), Some("alice"), "{}", said());
    assert_eq!(login(&world.grant("bob")), None);
    assert_eq!(login(&world.grant_in("alice", "/customers")), None);
    // The longest password of this version, and one byte more.
    let [longest, too_long] = [random_text(2047), random_text(2048)];
    for token in [&longest, &too_long] {
        world.service.know(token, claims);
    }
    assert_eq!(login(&longest).as_deref(), Some("alice"), "{}", said());
    assert_eq!(login(&too_long), None);
    assert_eq!(login(&world.grant("alice")).as_deref(), Some("alice"), "{}", said());
    assert!(bouncer.exited().is_none(), "{}", said());
    bouncer.stop();
    world.secrets.assert_absent("the log of PgBouncer", said().as_bytes());
}
