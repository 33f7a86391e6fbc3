//! User names are bytes from a stranger, too.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use harness::{Code, World};

#[test]
fn a_name_that_could_forge_a_line_is_refused_before_the_network() {
    let world = World::plain();
    world.strict(&world.rule("--allow-http"));
    let token = world.grant("alice");
    let cases: [(&[u8], &str); 9] = [
        (b"alice\n2026-11-23 00:00:00 UTC [1] LOG:  forged", "holds a control character"),
        (b"alice\rforged", "holds a control character"),
        (b"\x1b[2J\x1b[31malice", "holds a control character"),
        (b"alice\x07", "holds a control character"),
        ("alice\u{9b}2J".as_bytes(), "holds a control character"),
        (b" alice", "begins or ends with a blank"),
        (b"alice ", "begins or ends with a blank"),
        (b"al\xc3\x28ice", "not valid UTF-8"),
        (b"al\xffice", "not valid UTF-8"),
    ];
    for (user, reason) in cases {
        let outcome = world.try_line(&world.rule("--allow-http"), OsStr::from_bytes(user), &token);
        assert_eq!(outcome.code(), Code::AuthErr, "{} {outcome:#?}", user.escape_ascii());
        assert!(outcome.reason().contains(reason), "{outcome:#?}");
        assert!(!outcome.reason().contains("alice"), "the name is not ours to print: {outcome:#?}");
    }
    assert_eq!(world.service.connections(), 0);
}

#[test]
fn a_name_is_printed_so_that_it_cannot_leave_its_quotation() {
    let world = World::plain();
    world.strict(&world.rule("--allow-http"));
    let token = world.grant("somebody");
    let cases = [
        ("%n%n%s%x", r#""%n%n%s%x""#),
        (r#"al"ice\"#, r#""al\"ice\\""#),
        ("al'; drop role users; --", r#""al'; drop role users; --""#),
        ("\u{430}lice", r#""\u{430}lice""#),
        ("al\u{202e}eci", r#""al\u{202e}eci""#),
        ("postgres", r#""postgres""#),
        ("+users", r#""+users""#),
        ("Alice", r#""Alice""#),
    ];
    for (user, shown) in cases {
        let outcome = world.strict_login(user, &token);
        outcome.assert_refused(
            Code::AuthErr,
            &format!("pam_oauth2: login of {shown} from 127.0.0.1 refused"),
        );
    }
    let lines = world.syslog();
    // Each reason has an audit line behind it.
    let named: Vec<&str> = cases.iter().flat_map(|(_, shown)| [*shown; 2]).collect();
    assert_eq!(lines.len(), named.len());
    for (line, shown) in lines.iter().zip(named) {
        assert!(line.contains(shown) && !line.contains('\n'), "{line:?}");
    }
}

#[test]
fn names_that_look_alike_are_different_people() {
    let world = World::plain();
    world.strict(&world.rule("--allow-http"));
    let pairs = [
        ("alice", "Alice"),
        ("alice", "ALICE"),
        ("j\u{f6}rg", "jo\u{308}rg"),
        ("alice", "\u{430}lice"),
        ("istanbul", "\u{131}stanbul"),
        ("ISTANBUL", "\u{130}STANBUL"),
        ("stra\u{df}e", "strasse"),
        ("alice", "alice@example.org"),
        ("alice", "alic"),
    ];
    for (role, identity) in pairs {
        for (role, identity) in [(role, identity), (identity, role)] {
            let token = world.grant(identity);
            world.strict_login(role, &token).assert_refused(Code::AuthErr, "somebody else's");
        }
    }
}

#[test]
fn a_name_that_postgresql_has_cut_does_not_become_another_person() {
    let world = World::plain();
    world.strict(&world.rule("--allow-http"));
    let whole = "a".repeat(63);
    world.postgres().sql(&format!("create role {whole} login in role users"));
    world.strict_login(&whole, world.grant(&whole)).assert_accepted();
    for length in [64, 200] {
        let long = "a".repeat(length);
        // The server asks PAM about the first 63 bytes: not whom the token names.
        world
            .strict_login(&long, world.grant(&long))
            .assert_refused(Code::AuthErr, "somebody else's");
    }
}

#[test]
fn applications_that_do_not_cut_names_are_cut_short() {
    let world = World::without_postgres();
    world.strict(&world.rule("--allow-http"));
    let long = "a".repeat(64);
    let report = world.client("strict", &long).token(world.grant(&long)).run(&["authenticate"]);
    assert_eq!(report.codes("authenticate"), [Code::AuthErr]);
    assert!(report.value("told-3").contains("longer than 63 bytes"), "{report:?}");
    let report = world.client("strict", "").token(world.grant("")).run(&["authenticate"]);
    assert_eq!(report.codes("authenticate"), [Code::UserUnknown]);
    assert!(report.value("told-3").contains("no user name"), "{report:?}");
}

#[test]
fn a_stranger_cannot_blank_the_names_in_a_line() {
    let world = World::without_postgres();
    world.strict(&world.rule("--allow-http"));
    // Tokens that occur in the address or in the name.
    for token in [".", "1", "bob", "127.0.0"] {
        let client = world.client("strict", "bob").token(token);
        let report = client.option("--remote-host", "127.0.0.1").run(&["authenticate"]);
        assert!(
            report.value("told-3").contains(r#"login of "bob" from 127.0.0.1 refused"#),
            "{report:?}"
        );
    }
}

#[test]
fn a_remote_host_is_quoted_like_everything_else() {
    let world = World::without_postgres();
    world.strict(&world.rule("--allow-http"));
    let client = world.client("strict", "bob").token(world.grant("alice"));
    let report = client.option("--remote-host", "h\n\x1b[31m accepted").run(&["authenticate"]);
    assert!(
        report.value("told-3").contains(r#"from "h\n\u{1b}[31m accepted" refused"#),
        "{report:?}"
    );
}
