//! What a token service may answer with status 200, and what becomes of it.

use harness::{Code, World};

/// Answers with each body in turn, and compares code and reason.
#[track_caller]
fn expect<B: AsRef<[u8]>>(cases: impl IntoIterator<Item = (B, Code, &'static str)>) {
    let world = World::plain();
    world.strict(&world.rule("--allow-http"));
    let token = world.grant("alice");
    for (body, code, reason) in cases {
        let body = body.as_ref();
        world.service.answer_body(body);
        let outcome = world.strict_login("alice", &token);
        let shown = body[..body.len().min(200)].escape_ascii();
        assert_eq!(outcome.code(), code, "{shown} {outcome:#?}");
        if code != Code::Success {
            assert!(outcome.reason().contains(reason), "{shown} {outcome:#?}");
        }
    }
}

fn with(more: &str) -> String {
    format!(r#"{{"uid":"alice","realm":"/employees",{more}}}"#)
}

#[test]
fn a_body_that_is_not_exactly_one_object_is_no_verdict() {
    let good = r#"{"uid":"alice","realm":"/employees"}"#;
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let no_document = "it is not one JSON document";
    let bodies: Vec<(Vec<u8>, &str)> = vec![
        ("".into(), no_document),
        (" \n\t ".into(), no_document),
        ("null".into(), "not an object"),
        ("[]".into(), "not an object"),
        (format!("[{good}]").into(), "not an object"),
        (r#""alice""#.into(), "not an object"),
        ("42".into(), "not an object"),
        (format!("{good}{good}").into(), "trailing characters"),
        (format!("{good}\n{good}").into(), "trailing characters"),
        (format!("{good} x").into(), "trailing characters"),
        (r#"{}"uid":"alice""#.into(), "trailing characters"),
        (format!("{good}\0").into(), "trailing characters"),
        (format!("\u{feff}{good}").into(), no_document),
        (utf16, no_document),
        (format!("/* x */{good}").into(), no_document),
        (with("\"x\":1 // x\n").into(), no_document),
        (with(r#""x":NaN"#).into(), no_document),
        (with(r#""x":Infinity"#).into(), no_document),
        (with(r#""x":1e999"#).into(), "number out of range"),
        (with(r#""x":01"#).into(), no_document),
        (with(r#""x":+1"#).into(), no_document),
        (with(r#""x":'y'"#).into(), no_document),
        (with(r#""x":1,"#).into(), no_document),
        (with(r#"x:1"#).into(), no_document),
        (with("\"x\":\"a\nb\"").into(), no_document),
        (with(r#""x":"\ud800""#).into(), no_document),
        (with(r#""x":"\udc00\ud800""#).into(), no_document),
        ([b"{\"uid\":\"al\xffice\"}".as_slice()].concat(), no_document),
        (r#"{"uid"}"#.into(), no_document),
        (r#"{"a":1,"uid"}"#.into(), no_document),
        (r#"{"uid":}"#.into(), no_document),
        (r#"{"uid":"alice""#.into(), no_document),
        ("{".into(), no_document),
    ];
    expect(bodies.into_iter().map(|(body, reason)| (body, Code::AuthinfoUnavail, reason)));
}

#[test]
fn a_member_that_occurs_twice_is_no_verdict_wherever_it_is() {
    let twice = "a member occurs twice";
    expect([
        (with(r#""uid":"alice""#), Code::AuthinfoUnavail, twice),
        (with(r#""uid":"bob""#), Code::AuthinfoUnavail, twice),
        (with(r#""\u0075id":"alice""#), Code::AuthinfoUnavail, twice),
        (with(r#""active":true,"active":false"#), Code::AuthinfoUnavail, twice),
        (with(r#""x":{"y":1,"y":1}"#), Code::AuthinfoUnavail, twice),
        (with(r#""x":[[{"y":1,"y":1}]]"#), Code::AuthinfoUnavail, twice),
        (with(r#""x":{"y":1},"z":{"y":1}"#), Code::Success, ""),
    ]);
}

#[test]
fn an_answer_may_be_long_but_not_deep() {
    let nested = |depth: usize| with(&format!(r#""x":{}{}"#, "[".repeat(depth), "]".repeat(depth)));
    let objects =
        |depth: usize| with(&format!(r#""x":{}1{}"#, r#"{"y":"#.repeat(depth), "}".repeat(depth)));
    let many: Vec<String> = (0..100_000).map(|n| format!("\"{n}\":0")).collect();
    let groups: Vec<String> = (0..5_000).map(|n| format!("\"group-{n}\"")).collect();
    expect([
        (nested(31), Code::Success, ""),
        (nested(32), Code::AuthinfoUnavail, "nested too deep"),
        (objects(31), Code::Success, ""),
        (objects(32), Code::AuthinfoUnavail, "nested too deep"),
        (nested(10_000), Code::AuthinfoUnavail, "nested too deep"),
        (nested(400_000), Code::AuthinfoUnavail, "nested too deep"),
        (with(&many.join(",")), Code::Success, ""),
        (with(&format!(r#""groups":[{}]"#, groups.join(","))), Code::Success, ""),
        (with(&format!(r#""x":{}"#, "9".repeat(200))), Code::Success, ""),
    ]);
}

#[test]
fn keys_and_values_are_compared_after_unescaping() {
    expect([
        (r#"{"\u0075id":"alice","realm":"\/employees"}"#, Code::Success, ""),
        (r#"{"uid":"\u0061lice","realm":"\u002femployees"}"#, Code::Success, ""),
        (r#"{"uid":"al\\u0069ce","realm":"/employees"}"#, Code::AuthErr, "somebody else's"),
        (r#"{"uid":"alice\u0000","realm":"/employees"}"#, Code::AuthErr, "somebody else's"),
        (r#"{"uid":"alice","realm":"\\/employees"}"#, Code::AuthErr, r#""realm" of the token is"#),
        (r#"{"uid":"alice\n","realm":"/employees"}"#, Code::AuthErr, r#"its "uid" is "alice\n""#),
    ]);
}

#[test]
fn the_login_field_is_a_string_that_equals_the_role() {
    expect([
        (
            r#"{"uid":7,"realm":"/employees"}"#,
            Code::AuthErr,
            r#""uid" of the token is the number "7", and a login field has to be a string"#,
        ),
        (
            r#"{"uid":true,"realm":"/employees"}"#,
            Code::AuthErr,
            r#""uid" of the token is true, and"#,
        ),
        (
            r#"{"uid":null,"realm":"/employees"}"#,
            Code::AuthErr,
            r#""uid" of the token is null, and"#,
        ),
        (r#"{"uid":["alice"],"realm":"/employees"}"#, Code::AuthErr, "is an array"),
        (r#"{"uid":{"alice":"alice"},"realm":"/employees"}"#, Code::AuthErr, "is an object"),
        (r#"{"uid":"Alice","realm":"/employees"}"#, Code::AuthErr, "somebody else's"),
        (r#"{"uid":"alice ","realm":"/employees"}"#, Code::AuthErr, "somebody else's"),
        (r#"{"uid":"","realm":"/employees"}"#, Code::AuthErr, "somebody else's"),
        (r#"{"uid":"alice2","realm":"/employees"}"#, Code::AuthErr, "somebody else's"),
        (r#"{"realm":"/employees"}"#, Code::UserUnknown, r#"has no "uid""#),
        (r#"{}"#, Code::UserUnknown, r#"has no "uid""#),
        (r#"{"user":{"uid":"alice"},"realm":"/employees"}"#, Code::UserUnknown, r#"has no "uid""#),
        // As with the C module: a value that differs counts before an absence.
        (r#"{"realm":"/customers"}"#, Code::AuthErr, "/customers"),
    ]);
}

#[test]
fn every_check_has_to_hold() {
    expect([
        (
            r#"{"uid":"alice"}"#,
            Code::AuthErr,
            r#"has no "realm", and the rules demand "/employees""#,
        ),
        (r#"{"uid":"alice","realm":"/employees/"}"#, Code::AuthErr, r#"is "/employees/""#),
        (r#"{"uid":"alice","realm":"/EMPLOYEES"}"#, Code::AuthErr, r#"is "/EMPLOYEES""#),
        (r#"{"uid":"alice","realm":null}"#, Code::AuthErr, r#""realm" of the token is null"#),
        (r#"{"uid":"alice","realm":["/employees"]}"#, Code::AuthErr, "is an array"),
        (r#"{"uid":"alice","realm":{"":"/employees"}}"#, Code::AuthErr, "is an object"),
        (r#"{"uid":"alice","x":{"realm":"/employees"}}"#, Code::AuthErr, r#"has no "realm""#),
    ]);
}

#[test]
fn a_token_that_has_ended_is_refused_even_if_the_service_describes_it() {
    let now = std::process::Command::new("date").arg("+%s").output().unwrap();
    let now: i64 = String::from_utf8(now.stdout).unwrap().trim().parse().unwrap();
    let exp = |value: String| with(&format!(r#""exp":{value}"#));
    expect([
        (with(r#""expires_in":1"#), Code::Success, ""),
        (with(r#""expires_in":0.5"#), Code::Success, ""),
        (with(r#""expires_in":"3600""#), Code::Success, ""),
        (with(r#""expires_in":0"#), Code::AuthErr, "expired 0 s ago"),
        (with(r#""expires_in":-7"#), Code::AuthErr, "expired 7 s ago"),
        (with(r#""expires_in":"0""#), Code::AuthErr, "expired 0 s ago"),
        (
            with(r#""expires_in":"-1""#),
            Code::AuthErr,
            r#""expires_in" of the token is "-1", which is no number of seconds"#,
        ),
        (with(r#""expires_in":"soon""#), Code::AuthErr, "no number of seconds"),
        (with(r#""expires_in":"""#), Code::AuthErr, "no number of seconds"),
        (with(r#""expires_in":null"#), Code::AuthErr, "no number of seconds"),
        (with(r#""expires_in":true"#), Code::AuthErr, "no number of seconds"),
        (with(r#""expires_in":[3600]"#), Code::AuthErr, "no number of seconds"),
        (exp(format!("{}", now + 3600)), Code::Success, ""),
        (exp(format!("{}.5", now + 3600)), Code::Success, ""),
        (exp(format!("\"{}\"", now + 3600)), Code::Success, ""),
        (exp("18446744073709551615".to_owned()), Code::Success, ""),
        // Within the leeway of 30 s, and well beyond it.
        (exp(format!("{}", now - 1)), Code::Success, ""),
        (exp(format!("{}", now - 3600)), Code::AuthErr, "expired 36"),
        (exp(format!("\"{}\"", now - 3600)), Code::AuthErr, "expired 36"),
        (exp("0".to_owned()), Code::AuthErr, "expired"),
        (exp("-1".to_owned()), Code::AuthErr, "expired"),
        (exp("\"tomorrow\"".to_owned()), Code::AuthErr, "no number of seconds"),
        (exp("{}".to_owned()), Code::AuthErr, "no number of seconds"),
        (with(r#""active":false"#), Code::AuthErr, "not active"),
        (with(r#""active":true"#), Code::Success, ""),
        (with(r#""active":"false""#), Code::AuthErr, "not active"),
        (with(r#""active":1"#), Code::AuthErr, "not active"),
        (with(r#""active":null"#), Code::AuthErr, "not active"),
    ]);
}

#[test]
fn the_leeway_can_be_set() {
    let world = World::plain();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let token = world.grant_claims(&with(&format!(r#""exp":{}"#, now - 100)));
    let line = |leeway: &str| world.rule(&format!("--allow-http --leeway={leeway}"));
    world.try_line(&line("5m"), "alice", &token).assert_accepted();
    world.try_line(&line("99s"), "alice", &token).assert_refused(Code::AuthErr, "expired 10");
    world.try_line(&line("0"), "alice", &token).assert_refused(Code::AuthErr, "expired 10");
}
