//! A token is a password.

use harness::{Code, World, eventually};

#[test]
fn a_token_of_an_employee_logs_in_by_the_lines_of_spilo() {
    let world = World::new();
    let token = world.grant("alice");
    let outcome = world.login("alice", &token);
    outcome.assert_accepted();
    assert_eq!(outcome.output, "alice");
}

#[test]
fn a_token_of_another_realm_is_refused() {
    let world = World::new();
    let token = world.grant_in("alice", "/customers");
    world.login("alice", &token).assert_reason(
        r#""realm" of the token is "/customers", and the rules demand "/employees""#,
    );
    world.strict_login("alice", &token).assert_refused(Code::AuthErr, "/customers");
}

#[test]
fn psql_without_a_password_leaves_no_refusal_in_the_log() {
    let world = World::new();
    // As psql does before it asks the person.
    let outcome = world.login("alice", "");
    assert!(
        !outcome.accepted && outcome.complaint.contains("no password supplied"),
        "{outcome:#?}"
    );
    assert!(!outcome.log.contains("pam_oauth2"), "{outcome:#?}");
    eventually("syslog tells", || {
        let lines = world.syslog();
        let told =
            lines.iter().any(|line| line.contains("no token was sent") && line.contains("psql"));
        if told { Ok(()) } else { Err(lines) }
    });
}

#[test]
fn only_members_of_the_role_are_asked_for_a_token_and_only_over_tls() {
    let world = World::new();
    world.postgres().sql("create role carol login");
    let outcome = world.login("carol", world.grant("carol"));
    assert!(outcome.complaint.contains("no pg_hba.conf entry"), "{outcome:#?}");
    assert_eq!(world.service.connections(), 0);
    world.postgres().sql("grant users to carol");
    world.login("carol", world.grant("carol")).assert_accepted();
}

#[test]
fn a_token_opens_no_role_that_does_not_exist() {
    let world = World::new();
    let outcome = world.login_to("anyone", "dave", world.grant("dave"));
    assert!(!outcome.accepted, "{outcome:#?}");
    assert!(outcome.complaint.contains(r#"role "dave" does not exist"#), "{outcome:#?}");
}
