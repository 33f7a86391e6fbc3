//! Tokens are bytes from a stranger.

use harness::secrets::{random_text, random_token};
use harness::{Code, World};

use crate::protocol::RawClient;

const CLAIMS: &str = r#"{"uid":"alice","realm":"/employees"}"#;

#[test]
fn bytes_that_no_token_has_are_refused_before_the_network() {
    let world = World::plain();
    world.strict(&world.rule("--allow-http"));
    let secret = random_token();
    world.secrets.add(secret.as_bytes());
    let malformed: Vec<Vec<u8>> = vec![
        format!("Bearer {secret}").into(),
        format!("{secret}\n").into(),
        format!("{secret}\r\nX-Injected: 1").into(),
        format!("{secret}\tx").into(),
        format!(" {secret}").into(),
        format!("{secret}\u{f6}").into(),
        [secret.as_bytes(), b"\xff\xfe"].concat(),
        [secret.as_bytes(), b"\x1b[2J"].concat(),
        [secret.as_bytes(), b"\x7f"].concat(),
    ];
    for token in malformed {
        world
            .strict_login("alice", &token)
            .assert_refused(Code::AuthErr, "the token holds a blank");
    }
    assert_eq!(world.service.connections(), 0);
}

#[test]
fn what_a_url_would_act_on_arrives_as_part_of_the_token() {
    let world = World::plain();
    world.strict(&world.rule("--allow-http"));
    let ends = [
        "&id_token=x",
        "#",
        "?",
        "%00",
        "%2e%2e",
        "@evil.example",
        "/../",
        "/",
        "=",
        "==",
        "+//",
        "\\",
        "\"",
        "'",
        "<>",
        ";",
        "..",
        "%n%s",
        "$(id)",
        "`id`",
    ];
    for end in ends {
        let token = format!("{}{end}", random_token());
        world.service.know(&token, CLAIMS);
        world.strict_login("alice", &token).assert_accepted();
    }
    let heads: Vec<String> =
        world.service.requests().into_iter().map(|request| request.head).collect();
    assert_eq!(heads.len(), ends.len());
    for head in heads {
        let target = head.split(' ').nth(1).unwrap();
        let value = target.strip_prefix("/oauth2/tokeninfo?access_token=").unwrap();
        assert!(
            value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)),
            "{value}"
        );
        assert!(head.contains("host: localhost:"), "{head}");
    }
}

#[test]
fn a_token_may_be_as_short_as_one_byte() {
    let world = World::plain();
    world.strict(&world.rule("--allow-http"));
    world.strict_login("alice", "x").assert_refused(Code::AuthErr, "status 400");
    world.service.know("x", CLAIMS);
    world.strict_login("alice", "x").assert_accepted();
}

#[test]
fn a_token_of_16_kib_arrives_whole_and_a_longer_one_is_refused_before_the_network() {
    let world = World::plain();
    world.strict(&world.rule("--allow-http"));
    let longest = random_text(16 * 1024);
    world.service.know(&longest, CLAIMS);
    world.strict_login("alice", &longest).assert_accepted();
    let asked = world.service.connections();
    // 65,530 bytes is what PostgreSQL 14 and later let through.
    for length in [16 * 1024 + 1, 32_769, 65_530] {
        let token = random_text(length);
        world
            .strict_login("alice", &token)
            .assert_refused(Code::AuthErr, "longer than 16384 bytes");
    }
    assert_eq!(world.service.connections(), asked);
}

#[test]
fn a_token_that_postgresql_itself_refuses_does_no_harm() {
    let world = World::plain();
    world.strict(&world.rule("--allow-http"));
    let token = random_text(65_531);
    let outcome = world.strict_login("alice", &token);
    assert!(!outcome.accepted, "{outcome:#?}");
    let nul = [random_token().as_bytes(), b"\0", b"x"].concat();
    for password in [nul.as_slice(), b""] {
        let mut client = RawClient::connect(&world, "alice");
        client.send_password(password);
        let answer = client.read_to_end();
        assert!(answer.first() == Some(&b'E'), "{}", answer.escape_ascii());
    }
    assert_eq!(world.service.connections(), 0);
}

#[test]
fn other_applications_may_send_tokens_of_any_length() {
    let world = World::without_postgres();
    world.strict(&world.rule("--allow-http"));
    // 995 bytes is the limit of PostgreSQL 13 and older, 2,047 that of PgBouncer 1.25.
    for length in [995, 996, 2047, 2048] {
        let token = random_text(length);
        world.service.know(&token, CLAIMS);
        let report =
            world.client("strict", "alice").token(&token).run(&["authenticate", "account"]);
        assert_eq!(report.codes("authenticate"), [Code::Success], "{length} bytes");
    }
    for (length, reason) in [(0, "the token is empty"), (1_000_000, "longer than 16384 bytes")] {
        let report =
            world.client("strict", "alice").token(random_text(length)).run(&["authenticate"]);
        assert_eq!(report.codes("authenticate"), [Code::AuthErr], "{length} bytes");
        assert!(report.value("told-3").contains(reason), "{report:?}");
    }
}

#[test]
fn a_token_that_nobody_knows_is_refused() {
    let world = World::plain();
    world.strict(&world.rule("--allow-http"));
    world
        .strict_login("alice", random_token())
        .assert_refused(Code::AuthErr, "answered with status 400: it does not know the token");
}

#[test]
fn a_token_that_comes_back_in_an_answer_is_not_shown() {
    let world = World::plain();
    world.strict(&world.rule("--allow-http"));
    let token = random_token();
    let (start, end) = token.split_at(20);
    for (member, value) in
        [("uid", token.as_str()), ("realm", start), ("realm", &format!("{end}-and-more"))]
    {
        let mut claims = serde_json::json!({"uid": "alice", "realm": "/employees"});
        claims[member] = value.into();
        world.service.know(&token, claims.to_string());
        world
            .strict_login("alice", &token)
            .assert_refused(Code::AuthErr, "[withheld: it repeats the token]");
    }
    // Somebody pastes the token where the user belongs, or into both.
    let pasted = random_text(40);
    let outcome = world.login_to("anyone", &pasted, &pasted);
    outcome.assert_reason("login of [withheld: it repeats the token]");
    // PostgreSQL names the role by itself; that is not ours to prevent.
    world.secrets.forget(pasted.as_bytes());
    assert!(!world.syslog().join("\n").contains(&pasted[..8]));
}

#[test]
fn a_token_of_digits_that_comes_back_as_a_number_is_not_shown() {
    let world = World::plain();
    world.strict(&world.rule("--allow-http"));
    let token = "12345678901234567890";
    for claims in [
        r#"{"uid":12345678901234567890,"realm":"/employees"}"#,
        r#"{"uid":"alice","realm":12345678901234567890}"#,
        r#"{"uid":"alice","realm":"/employees","expires_in":-12345678901234567}"#,
        r#"{"uid":"alice","realm":"/employees","exp":-12345678901234567}"#,
        r#"{"uid":"alice","realm":"/employees","exp":"x12345678901234567890"}"#,
    ] {
        world.service.know(token, claims);
        let outcome = world.strict_login("alice", token);
        assert_eq!(outcome.code(), Code::AuthErr, "{outcome:#?}");
        assert!(!outcome.reason().contains("12345678"), "{outcome:#?}");
    }
}
