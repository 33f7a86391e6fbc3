//! What needs no network: strict JSON, foreign text.

use serde_json::{Value, json};

use super::super::foreign::{shown, shown_without};
use super::super::json::{DEPTH_LIMIT, parse};
use super::super::{SourceError, Team};

#[test]
fn json_is_read_as_it_is() {
    let text = r#" {"a": [1, -2, 1.5, true, null, "\u00e9\n"], "b": {"c": {}}, "": 18446744073709551615} "#;
    assert_eq!(parse(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
}

#[test]
fn an_object_that_names_a_member_twice_is_refused_at_any_depth() {
    for text in [
        r#"{"a": 1, "a": 1}"#,
        r#"{"a": 1, "\u0061": 2}"#,
        r#"[{"x": [{"b": 1, "c": 2, "b": 3}]}]"#,
    ] {
        let fault = parse(text.as_bytes()).unwrap_err();
        assert!(fault.starts_with("an object names a member twice at line 1"), "{fault}");
    }
    parse(br#"[{"a": 1}, {"a": 1, "A": 2}]"#).unwrap();
}

#[test]
fn nesting_ends_at_its_limit() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    parse(nested(DEPTH_LIMIT).as_bytes()).unwrap();
    let fault = parse(nested(DEPTH_LIMIT + 1).as_bytes()).unwrap_err();
    assert!(fault.contains("more than 64 levels"), "{fault}");
    let objects = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    parse(objects(DEPTH_LIMIT).as_bytes()).unwrap();
    parse(objects(DEPTH_LIMIT + 1).as_bytes()).unwrap_err();
    parse("[".repeat(1_000_000).as_bytes()).unwrap_err();
}

#[test]
fn no_beginning_of_an_answer_is_an_answer() {
    let text = json!({"id": "acid", "member": ["alice", "b\"ob", "Dörte"], "x": {"y": [1]}});
    let text = text.to_string();
    for end in 0..text.len() {
        parse(&text.as_bytes()[..end]).unwrap_err();
    }
    for behind in ["x", "{}", "]", "\u{0}", ","] {
        parse(format!("{text}{behind}").as_bytes()).unwrap_err();
    }
}

#[test]
fn what_is_wrong_with_json_is_told_without_its_content() {
    for text in [r#"{"s3cret": "#, r#"{"s3cret": 1, "s3cret": 2}"#, r#"["s3cret" "s3cret"]"#] {
        let fault = parse(text.as_bytes()).unwrap_err();
        assert!(!fault.contains("s3cret") && fault.contains("line 1"), "{fault}");
    }
}

#[test]
fn foreign_text_is_escaped_and_cut() {
    assert_eq!(shown("a\u{1b}[2J\n\"b\" \u{202e}é"), "a\\u{1b}[2J\\n\\\"b\\\" \\u{202e}é");
    assert_eq!(shown(&"x".repeat(200)), "x".repeat(200));
    assert_eq!(shown(&"x".repeat(201)), format!("{} ...", "x".repeat(200)));
}

#[test]
fn foreign_text_that_repeats_the_token_is_withheld() {
    let token = Some("abcdefghijklmnop");
    for text in ["abcdefghijklmnop", "got defghijk!", &format!("{}abcdefgh", "x".repeat(500))] {
        assert_eq!(shown_without(text, token), "[withheld: it repeats the token]");
    }
    assert_eq!(shown_without("abcdefg", token), "abcdefg");
    assert_eq!(shown_without("a tok b", Some("tok")), "[withheld: it repeats the token]");
    assert_eq!(shown_without("anything", None), "anything");
}

#[test]
fn a_member_named_twice_counts_once_and_case_twins_are_two() {
    let names = ["bob", "alice", "bob", "Alice"].map(str::to_owned);
    assert_eq!(Team::of(names), super::team(&["bob", "alice", "Alice"]));
}

#[test]
fn errors_that_may_pass_are_told_from_those_that_will_not() {
    let text = String::new;
    let transient = [
        SourceError::Unreachable(text()),
        SourceError::Timeout(text()),
        SourceError::Throttled(text(), None),
        SourceError::Incomplete(text()),
        SourceError::Status(500, text()),
        SourceError::Status(599, text()),
    ];
    let lasting = [
        SourceError::Auth(text()),
        SourceError::Malformed(text()),
        SourceError::UnknownTeam(text()),
        SourceError::Status(302, text()),
        SourceError::Status(499, text()),
    ];
    assert!(transient.iter().all(SourceError::is_transient));
    assert!(!lasting.iter().any(SourceError::is_transient));
}
