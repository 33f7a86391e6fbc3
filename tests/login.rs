//! A token is a password.

use harness::{Code, World};

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
        r#""realm" of the token is "/customers", and the PAM line demands "/employees""#,
    );
    world.strict_login("alice", &token).assert_refused(Code::AuthErr, "/customers");
}
