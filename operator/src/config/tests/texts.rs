//! Values as text.

use std::time::Duration;

use crate::config::syntax::{quantity, regex};
use crate::config::text::{duration, flag, go_duration, list, pairs, parts};

#[test]
fn pairs_are_split_as_the_reference_splits_them() {
    let vectors: [(&str, Result<&[&str], &str>); 5] = [
        ("log_statement:all, work_mem:'4GB'", Ok(&["log_statement:all", "work_mem:'4GB'"])),
        (
            r#"log_statement:none, search_path:'"$user", public'"#,
            Ok(&["log_statement:none", r#"search_path:'"$user", public'"#]),
        ),
        (r#"search_path:'"$user""#, Err("unmatched quote starting at position 13")),
        ("", Ok(&[""])),
        (",,log_statement:all\t,", Ok(&["", "", "log_statement:all", ""])),
    ];
    for (text, expected) in vectors {
        let found = parts(text);
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
    }
}

#[test]
fn a_pair_has_one_colon() {
    assert_eq!(pairs("a:b,,c:'d,e'"), Ok(vec![("a", "b"), ("c", "'d,e'")]));
    for text in ["a", "a:b:c", "a:b,c:'d:e'"] {
        assert!(pairs(text).unwrap_err().contains("is not key:value with one colon"), "{text}");
    }
}

#[test]
fn durations_are_those_of_go() {
    let vectors = [
        ("5m", 300_000),
        ("1h30m", 5_400_000),
        ("300ms", 300),
        ("1.5h", 5_400_000),
        ("+1s", 1_000),
        ("0", 0),
        ("1m0.5s", 60_500),
        ("1000000us", 1_000),
        ("1000000µs", 1_000),
    ];
    for (text, millis) in vectors {
        assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
    }
    for text in
        ["", "5", "-5m", "5 m", "m", "1d", "+", ".", "1e3s", "5m # comment", "99999h", "NaNs"]
    {
        assert!(duration(text).is_err(), "{text}");
    }
}

#[test]
fn durations_are_shown_as_go_shows_them() {
    let vectors = [
        (1_800_000, "30m0s"),
        (5_400_000, "1h30m0s"),
        (5_000, "5s"),
        (300, "300ms"),
        (1_500, "1.5s"),
        (0, "0s"),
    ];
    for (millis, text) in vectors {
        assert_eq!(go_duration(Duration::from_millis(millis)), text);
    }
}

#[test]
fn flags_are_the_words_of_go() {
    for text in ["1", "t", "T", "TRUE", "true", "True"] {
        assert_eq!(flag(text), Ok(true));
    }
    for text in ["0", "f", "F", "FALSE", "false", "False"] {
        assert_eq!(flag(text), Ok(false));
    }
    for text in ["yes", "no", "on", "off", "tRUE", "2", ""] {
        assert_eq!(flag(text), Err("write true or false".to_owned()), "{text}");
    }
}

#[test]
fn blanks_are_no_part_of_items() {
    assert_eq!(
        list("admin, cron_admin,"),
        (vec!["admin".to_owned(), "cron_admin".to_owned()], true)
    );
    assert_eq!(
        list("admin,cron_admin"),
        (vec!["admin".to_owned(), "cron_admin".to_owned()], false)
    );
}

#[test]
fn quantities_are_those_of_kubernetes() {
    for text in ["100m", "1", "0.5", "1Gi", "500Mi", "1e3", "128974848", "2.", ".5", "0"] {
        assert_eq!(quantity(text), Ok(()), "{text}");
    }
    for text in ["1GB", "1 Gi", "Gi", "-1", "1gi", "1i", "1ee3", "100m\n"] {
        assert!(quantity(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_no_regular_expression_is_not_repeated_raw() {
    assert_eq!(regex("deployment-time|downscaler/.*"), Ok(()));
    let error = regex("(\u{1b}[31m").unwrap_err();
    assert!(error.starts_with("it is no regular expression: ") && !error.contains('\u{1b}'));
}
