use proptest::prelude::*;

use super::*;
use crate::claims::Claims;
use crate::policy::ClaimPath;

const PATH: &str = "/etc/revoked";

fn refuses(text: &str, token: &Facts) -> Option<RevokedBy> {
    search(Path::new(PATH), text, token).unwrap().by
}

/// A token with these facts.
fn token(jti: &str, sub: &str, issued: f64) -> Facts {
    Facts {
        id: Some(jti.to_owned()),
        subject: Some(sub.to_owned()),
        issued: Some(issued),
        ..Facts::default()
    }
}

fn cause(text: &str, token: &Facts) -> Option<Cause> {
    refuses(text, token).map(|by| by.cause)
}

/// What is wrong with this line, whether or not one above it takes the token back.
fn fault(line: &str) -> String {
    let text = format!("# first\njti a\n{line}\njti b\n");
    let [found, other] = ["a", "x"].map(|jti| {
        let token = token(jti, "x", 0.0);
        search(Path::new(PATH), &text, &token).unwrap_err().to_string()
    });
    assert_eq!(found, other);
    let what = found.strip_prefix("/etc/revoked: line 3: ").expect(&found);
    what.to_owned()
}

fn facts(body: &str, login: &str) -> (Option<String>, Option<String>, Option<f64>) {
    let claims = Claims::parse(body.as_bytes()).unwrap();
    let login = ClaimPath::Member(login.to_owned());
    let facts = Facts::of(&claims, &login, Timestamp::from_seconds(0.0));
    (facts.id, facts.subject, facts.issued)
}

#[test]
fn each_kind_of_rule_takes_back_what_it_names_and_nothing_else() {
    let now = 1_764_064_800.0;
    let cases = [
        ("jti a1", token("a1", "x", now), Some(Cause::Id)),
        ("jti a1", token("A1", "x", now), None),
        ("jti a1", token("x", "a1", now), None),
        ("sub alice", token("x", "alice", now), Some(Cause::Subject)),
        ("sub alice", token("x", "alice2", now), None),
        ("sub alice", token("alice", "x", now), None),
        ("issued-before 1764064800", token("x", "x", now - 0.5), Some(Cause::Issued)),
        ("issued-before 1764064800", token("x", "x", now), None),
        ("issued-before 1764064800", token("x", "x", now + 0.5), None),
        ("issued-before 2025-11-25T10:00:00Z", token("x", "x", now - 1.0), Some(Cause::Issued)),
        ("issued-before 2025-11-25T10:00:00Z", token("x", "x", now), None),
        ("sub alice issued-before 1764064800", token("x", "alice", now - 1.0), Some(Cause::Issued)),
        ("sub alice issued-before 1764064800", token("x", "alice", now), None),
        ("sub alice issued-before 1764064800", token("x", "bob", now - 1.0), None),
        ("", token("x", "x", now), None),
        ("# jti x", token("x", "x", now), None),
    ];
    for (text, token, wanted) in cases {
        assert_eq!(cause(text, &token), wanted, "{text} {token:?}");
    }
}

#[test]
fn what_a_token_does_not_say_takes_it_back_only_where_a_date_is_asked_for() {
    let nothing = Facts::default();
    assert_eq!(cause("jti a\nsub a\nsub a issued-before 0", &nothing), None);
    assert_eq!(cause("issued-before 0", &nothing), Some(Cause::Undated));
    let undated = Facts { issued: None, ..token("a", "alice", 0.0) };
    assert_eq!(cause("sub alice issued-before 0", &undated), Some(Cause::Undated));
    assert_eq!(cause("sub bob issued-before 0", &undated), None);
}

#[test]
fn the_first_rule_that_fits_is_named_with_its_line() {
    let text = "# comment\n\njti x\n  sub  \"alice\"  # left\njti y\nsub alice";
    let searched = search(Path::new(PATH), text, &token("y", "alice", 0.0)).unwrap();
    assert_eq!(searched.rules, 4);
    let by = searched.by.unwrap();
    assert_eq!(by, RevokedBy { path: PATH.into(), line: 4, cause: Cause::Subject });
    let sentence = by.to_string();
    assert_eq!(
        sentence,
        "the token is revoked: line 4 of /etc/revoked names its subject; \
         ask whoever keeps that file"
    );
}

#[test]
fn values_are_words_or_quotations() {
    let cases = [
        ("sub a", "a"),
        ("\tsub\ta\t", "a"),
        ("sub a#b", "a#b"),
        ("sub a #b", "a"),
        ("sub a\r", "a"),
        (r#"sub "a b""#, "a b"),
        (r#"sub "a#b" # c"#, "a#b"),
        (r##"sub "# a""##, "# a"),
        (r#"sub "a""b""#, "a\"b"),
        (r#"sub """a""#, "\"a"),
        (r#"sub "a""""#, "a\""),
        (r#"sub " a ""#, " a "),
        (r#"sub "issued-before""#, "issued-before"),
        ("sub issued-before", "issued-before"),
        ("sub sub", "sub"),
        ("sub \u{f6}", "\u{f6}"),
        (r#"sub "a" issued-before 9"#, "a"),
    ];
    for (line, subject) in cases {
        let facts = Facts { subject: Some(subject.to_owned()), ..Facts::default() };
        let line = format!("{line}\n");
        assert!(refuses(&line, &facts).is_some(), "{line}");
        let other = Facts { subject: Some(format!("{subject}x")), ..facts };
        assert!(refuses(&line, &other).is_none(), "{line}");
    }
}

#[test]
fn a_line_that_is_not_understood_is_a_fault() {
    let shape = [
        "jti",
        "sub",
        "issued-before",
        "jti a b",
        "sub a b",
        "sub a issued-before",
        "sub a issued-before 1 2",
        "sub a jti b",
        "jti a issued-before 1",
        "issued-before 1 sub a",
        "issued-before 1 2",
        "sub a \"issued-before\" 1",
        "sub a issued-before \"1\"",
        "issued-before \"1\"",
        "\"sub\" a",
        "JTI a",
        "user a",
        "jti=a",
        "jti \"\"",
        "sub \"\" issued-before 1",
        "jti #a",
        "\u{feff}jti a",
        "sub a issued-before 1 2 3 4",
    ];
    for line in shape {
        assert!(fault(line).starts_with("it is none of: jti VALUE"), "{line}: {}", fault(line));
    }
    for line in
        ["issued-before now", "sub a issued-before 2025-11-25", "issued-before 1764064800000"]
    {
        assert!(fault(line).starts_with("the time is neither like"), "{line}: {}", fault(line));
    }
    for line in
        ["sub \"a", "sub a\"b", "sub \"a\"b", "sub \"a\"#", "sub \"a\"\"", "sub \"", "jti a \"b"]
    {
        assert!(fault(line).starts_with("a quotation mark"), "{line}: {}", fault(line));
    }
    for line in ["sub a\u{7}", "sub \"a\tb\"", "sub a\u{85}b", "\u{0}", "jti a\rb"] {
        assert!(fault(line).starts_with("it holds a control character"), "{line}: {}", fault(line));
    }
}

#[test]
fn facts_come_from_the_claims_and_the_subject_else_from_the_login_field() {
    let text = |text: &str| Some(text.to_owned());
    let cases = [
        (r#"{"jti":"j","sub":"s","iat":5,"uid":"u"}"#, (text("j"), text("s"), Some(5.0))),
        (r#"{"uid":"u","iat":5.5}"#, (None, text("u"), Some(5.5))),
        (r#"{"jti":7,"sub":8,"iat":"9","uid":"u"}"#, (text("7"), text("8"), Some(9.0))),
        (r#"{"jti":true,"sub":null,"iat":null,"uid":"u"}"#, (None, text("u"), None)),
        (r#"{"jti":["j"],"sub":["s"],"iat":"soon"}"#, (None, None, None)),
        (r#"{"sub":""}"#, (None, text(""), None)),
        (r#"{}"#, (None, None, None)),
    ];
    for (body, wanted) in cases {
        assert_eq!(facts(body, "uid"), wanted, "{body}");
    }
}

#[test]
fn a_file_is_read_from_the_disk_and_everything_wrong_with_it_is_a_fault() {
    let path = std::env::temp_dir().join(format!("pam-oauth2-revoked-{}", std::process::id()));
    std::fs::write(&path, "sub alice\n").unwrap();
    let alice = token("x", "alice", 0.0);
    assert!(read(&path, &alice).unwrap().by.is_some());
    let fault = |content: &[u8]| {
        std::fs::write(&path, content).unwrap();
        read(&path, &alice).unwrap_err().to_string()
    };
    assert!(fault(b"sub a\nsub\n").contains(": line 2: it is none of"));
    assert!(fault(b"sub a\nsub a\nsub \xff\n").contains(": line 3: it is not valid UTF-8"));
    let most = format!("#{}", "x".repeat(FILE_LIMIT - 1));
    std::fs::write(&path, &most).unwrap();
    assert!(read(&path, &alice).is_ok());
    assert!(fault(format!("{most}x").as_bytes()).contains("it is larger than 4194304 bytes"));
    std::fs::remove_file(&path).unwrap();
    let missing = read(&path, &alice).unwrap_err().to_string();
    assert!(missing.contains("it cannot be read: No such file"), "{missing}");
}

#[test]
fn the_example_of_the_documentation_is_understood() {
    let document = include_str!("../../../docs/reference/pam-toml.md");
    let example = document.split("```revoked\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(lines(example).count(), 4);
    assert_eq!(cause(example, &token("9f3c2a", "x", 9e9)), Some(Cause::Id));
    assert_eq!(cause(example, &token("x", "carol", 9e9)), None);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(
        text in any::<String>(),
        close in r#"[subjti\- "0-9#\t\r\na]{0,60}"#,
        sub in any::<String>(),
    ) {
        let facts = Facts { subject: Some(sub), ..Facts::default() };
        for text in [text, close.clone(), format!("sub {close}"), format!("issued-before {close}")] {
            let _searched = search(Path::new(PATH), &text, &facts);
        }
    }

    #[test]
    fn what_is_quoted_is_found(sub in "[^\\p{Cc}]{1,20}", other in "[^\\p{Cc}]{1,20}") {
        let line = format!("sub \"{}\"", sub.replace('"', "\"\""));
        let facts = Facts { subject: Some(other.clone()), ..Facts::default() };
        prop_assert_eq!(refuses(&line, &facts).is_some(), sub == other);
        let facts = Facts { subject: Some(sub), ..Facts::default() };
        prop_assert!(refuses(&line, &facts).is_some());
    }
}
