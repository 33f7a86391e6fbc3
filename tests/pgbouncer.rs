//! PgBouncer asks PAM from a thread of its own, and logs in to PostgreSQL with the token.

use harness::secrets::random_text;
use harness::{PgBouncer, World};

#[test]
fn a_pool_logs_people_in_by_token_and_survives_the_bad_ones() {
    let world = World::new();
    let url = world.service.url();
    let line = format!(
        "auth sufficient pam_oauth2.so {url} uid realm=/employees\naccount sufficient pam_oauth2.so\n"
    );
    world.sandbox.pam_file("pgbouncer", &line);
    let mut bouncer = PgBouncer::start(&world.sandbox, |port| {
        format!(
            "[databases]\npostgres = host=127.0.0.1 port={server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = pam\nserver_tls_sslmode = require\n\
             logfile =\npidfile =\nignore_startup_parameters = extra_float_digits\n",
            server = world.postgres().port()
        )
    });
    let login = |token: &str| {
        world.secrets.add(token.as_bytes());
        bouncer.login("alice", token, "postgres").ok()
    };
    let claims = r#"{"uid":"alice","realm":"/employees"}"#;
    assert_eq!(login(&world.grant("alice")).as_deref(), Some("alice"), "{}", bouncer.said());
    assert_eq!(login(&world.grant("bob")), None);
    assert_eq!(login(&world.grant_in("alice", "/customers")), None);
    // The longest password of this version, and one byte more.
    let [longest, too_long] = [random_text(2047), random_text(2048)];
    for token in [&longest, &too_long] {
        world.service.know(token, claims);
    }
    assert_eq!(login(&longest).as_deref(), Some("alice"), "{}", bouncer.said());
    assert_eq!(login(&too_long), None);
    assert_eq!(login(&world.grant("alice")).as_deref(), Some("alice"), "{}", bouncer.said());
    assert!(bouncer.is_alive(), "{}", bouncer.said());
    bouncer.stop();
    world.secrets.assert_absent("the log of PgBouncer", bouncer.said().as_bytes());
}
