//! The module among others, and everything that PostgreSQL does not call.

use harness::pam::Report;
use harness::{Code, World};

/// A world with a PAM file of its own for the service `stack`; `OAUTH2` stands for the
/// module with its arguments.
fn world(stack: &str) -> World {
    let world = World::without_postgres();
    let module = format!("pam_oauth2.so {}", world.rule("--allow-http"));
    world.sandbox.pam_file("stack", &stack.replace("OAUTH2", &module));
    world
}

fn authenticate(world: &World, token: &str) -> Report {
    world.client("stack", "alice").token(token).run(&["authenticate"])
}

#[test]
fn every_way_to_weigh_the_module_works() {
    let stacks = [
        "auth required OAUTH2",
        "auth requisite OAUTH2",
        "auth sufficient OAUTH2\nauth required pam_deny.so",
        "auth [success=1 default=ignore] OAUTH2\nauth requisite pam_deny.so\nauth required pam_permit.so",
        "auth [success=done default=die] OAUTH2",
    ];
    for stack in stacks {
        let world = world(stack);
        assert_eq!(
            authenticate(&world, &world.grant("alice")).codes("authenticate"),
            [Code::Success],
            "{stack}"
        );
        let refused = authenticate(&world, &world.grant("bob"));
        assert_ne!(refused.codes("authenticate"), [Code::Success], "{stack}");
        assert!(refused.value("told-3").contains("somebody else's"), "{stack}");
    }
}

#[test]
fn the_client_is_asked_once_when_another_module_comes_after() {
    let world = world("auth sufficient OAUTH2\nauth required pam_unix.so try_first_pass nodelay");
    for (user, accepted) in [("alice", true), ("bob", false)] {
        let report = authenticate(&world, &world.grant(user));
        assert_eq!(report.number("asked"), 1, "{user}");
        assert_eq!(report.codes("authenticate") == [Code::Success], accepted, "{user}");
    }
}

#[test]
fn the_client_is_asked_once_when_another_module_comes_before() {
    for word in ["use_first_pass", "try_first_pass", ""] {
        let stack =
            format!("auth [default=ignore] pam_unix.so nodelay\nauth required OAUTH2 {word}");
        let world = world(&stack);
        let report = authenticate(&world, &world.grant("alice"));
        assert_eq!(report.codes("authenticate"), [Code::Success], "{word}");
        assert_eq!(report.number("asked"), 1, "{word}");
    }
}

#[test]
fn use_first_pass_without_a_module_before_is_refused_with_libpams_own_code() {
    let world = world("auth required OAUTH2 use_first_pass");
    let report = authenticate(&world, &world.grant("alice"));
    assert_eq!(report.codes("authenticate"), [Code::AuthErr]);
    assert_eq!(report.number("asked"), 0);
    let reason = "libpam could not give the token: use_first_pass, and no earlier module";
    assert!(report.value("told-3").contains(reason), "{report:?}");
}

#[test]
fn a_conversation_that_fails_is_refused_with_libpams_own_code() {
    let world = world("auth required OAUTH2");
    let token = world.grant("alice");
    let conversations = [
        ("absent", Code::AuthtokErr),
        ("fails", Code::AuthtokErr),
        ("again", Code::AuthtokErr),
        ("null", Code::AuthtokErr),
    ];
    for (conversation, code) in conversations {
        let client =
            world.client("stack", "alice").token(&token).option("--conversation", conversation);
        assert_eq!(client.run(&["authenticate"]).codes("authenticate"), [code], "{conversation}");
    }
    assert_eq!(world.service.connections(), 0);
    // libpam adds lines of its own.
    let ours = "no token was sent: the client sent nothing usable";
    let lines = world.syslog();
    let count = lines.iter().filter(|line| line.contains(ours)).count();
    assert_eq!(count, conversations.len(), "{lines:?}");
}

#[test]
fn silent_applications_find_the_reason_in_syslog_alone() {
    let world = world("auth required OAUTH2");
    const PAM_SILENT: &str = "32768";
    let client =
        world.client("stack", "alice").token(world.grant("bob")).option("--flags", PAM_SILENT);
    let report = client.run(&["authenticate"]);
    assert_eq!(report.codes("authenticate"), [Code::AuthErr]);
    assert_eq!(report.all("told-3"), [] as [&str; 0]);
    assert!(world.syslog().iter().any(|line| line.contains("somebody else's")));
}

#[test]
fn an_account_line_without_arguments_answers_for_the_user_who_was_authenticated() {
    let world = world("auth required OAUTH2\naccount required pam_oauth2.so");
    let token = world.grant("alice");
    let steps = |steps: &[&str]| world.client("stack", "alice").token(&token).run(steps);
    let report = steps(&["authenticate", "account", "account"]);
    assert_eq!(report.codes("account"), [Code::Success, Code::Success]);
    // Nobody was authenticated.
    let report = steps(&["account"]);
    assert_eq!(report.codes("account"), [Code::PermDenied]);
    assert!(report.value("told-3").contains("put --always on the account line"), "{report:?}");
    // Somebody else was.
    let report = steps(&["authenticate", "user=bob", "account", "user=alice", "account"]);
    assert_eq!(report.codes("account"), [Code::PermDenied, Code::Success]);
}

#[test]
fn a_later_failure_takes_the_verdict_away() {
    let world = world("auth required OAUTH2\naccount required pam_oauth2.so");
    let client = world.client("stack", "alice").token(world.grant("alice"));
    let report = client.run(&["authenticate", "user=bob", "authenticate", "user=alice", "account"]);
    assert_eq!(report.codes("authenticate"), [Code::Success, Code::AuthErr]);
    assert_eq!(report.codes("account"), [Code::PermDenied]);
    // Also when the later call never gets as far as a token.
    let broken = world.client("stack", "alice").token(world.grant("alice"));
    let report =
        broken.run(&["authenticate", "user= alice", "authenticate", "user=alice", "account"]);
    assert_eq!(report.codes("authenticate"), [Code::Success, Code::AuthErr]);
    assert_eq!(report.codes("account"), [Code::PermDenied]);
}

#[test]
fn who_came_in_through_another_module_needs_always() {
    for (line, code) in [
        ("", Code::PermDenied),
        ("no_warn", Code::PermDenied),
        ("--always", Code::Success),
        ("debug --always", Code::Success),
        ("https://h.example/?t= uid realm=/employees", Code::PermDenied),
        ("https://h.example/?t= uid realm=/employees --always", Code::Success),
        ("--always --always", Code::ServiceErr),
        ("--always=yes", Code::ServiceErr),
        ("realm=/employees", Code::ServiceErr),
        ("--nonsense", Code::ServiceErr),
    ] {
        let world =
            world(&format!("auth required pam_permit.so\naccount required pam_oauth2.so {line}"));
        let report = world.client("stack", "alice").run(&["authenticate", "account"]);
        assert_eq!(report.codes("account"), [code], "{line}");
    }
}

#[test]
fn the_other_phases_do_what_their_callers_need() {
    let world = world(
        "auth required OAUTH2\nsession required pam_oauth2.so\npassword required pam_oauth2.so",
    );
    let client = world.client("stack", "alice").token(world.grant("alice"));
    let report = client.run(&["authenticate", "setcred", "open", "close", "chauthtok"]);
    for step in ["authenticate", "setcred", "open", "close"] {
        assert_eq!(report.codes(step), [Code::Success], "{step}");
    }
    assert_eq!(report.codes("chauthtok"), [Code::PermDenied]);
    assert!(report.value("told-3").contains("an access token is not changed here"), "{report:?}");
}

#[test]
fn handles_do_not_know_each_other() {
    let world = world("auth required OAUTH2\naccount required pam_oauth2.so");
    let client =
        world.client("stack", "alice").token(world.grant("alice")).option("--handles", "2");
    let report = client.run(&["authenticate", "account", "authenticate", "account"]);
    assert_eq!(report.codes("authenticate"), [Code::Success; 4]);
    assert_eq!(report.codes("account"), [Code::Success; 4]);
}

#[test]
fn one_handle_can_be_used_again_and_again() {
    let world = world("auth required OAUTH2\naccount required pam_oauth2.so");
    let steps = ["authenticate", "account", "authenticate", "account"];
    for (user, auth, account) in
        [("alice", Code::Success, Code::Success), ("bob", Code::AuthErr, Code::PermDenied)]
    {
        let report = world.client("stack", "alice").token(world.grant(user)).run(&steps);
        assert_eq!(report.codes("authenticate"), [auth; 2]);
        assert_eq!(report.codes("account"), [account; 2]);
    }
}

#[test]
fn the_module_works_on_any_thread() {
    let world = world("auth required OAUTH2\naccount required pam_oauth2.so");
    let client = world.client("stack", "alice").token(world.grant("alice")).flag("--thread");
    let report = client.run(&["authenticate", "account", "setcred"]);
    assert_eq!(report.codes("account"), [Code::Success]);
    assert_eq!(
        (report.number("threads-left"), report.number("descriptors-left")),
        (0, 0),
        "{report:?}"
    );
}

#[test]
fn other_modules_find_the_token_and_postgresql_asks_its_client_once() {
    let world = World::plain();
    let args = world.rule("--allow-http");
    world.sandbox.pam_file(
        "strict",
        &format!(
            "auth sufficient pam_oauth2.so {args} realm=/nobody\nauth sufficient pam_oauth2.so {args}\naccount required pam_oauth2.so\n"
        ),
    );
    let token = world.grant("alice");
    world.strict_login("alice", &token).assert_accepted();
    let mut client = crate::protocol::RawClient::connect(&world, "alice");
    client.send_password(token.as_bytes());
    let answer = client.read_until_ready();
    let requests = answer.windows(9).filter(|part| part == b"R\0\0\0\x08\0\0\0\x03").count();
    assert_eq!(requests, 0, "asked again: {}", answer.escape_ascii());
}
