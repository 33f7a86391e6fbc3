use proptest::prelude::*;

use super::*;

/// The lines of the map `m`, each as identity and role.
fn lines(text: &str) -> Vec<(String, String)> {
    let parsed = parse(text, "m").unwrap();
    let identity = |identity: MapIdentity| match identity {
        MapIdentity::Exactly(text) => text,
        MapIdentity::Matching(expression) => format!("/{}", expression.written()),
    };
    parsed.into_iter().map(|line| (identity(line.identity), line.role)).collect()
}

fn fault(line: &str) -> MapFault {
    let (number, fault) = parse(&format!("# first\n\n{line}\nm a b\n"), "m").unwrap_err();
    assert_eq!(number, 3, "{line}");
    fault
}

#[test]
fn lines_of_the_map_are_read_in_their_order_and_others_are_left_out() {
    let text = "
# comment, with three words
m  alice@example.org  alice   # a comment behind
other  alice  root
\tm\t/^(.*)@example\\.org$\t\\1
M  alice  nobody
m  alice  \"two words\"
";
    let pair = |identity: &str, role: &str| (identity.to_owned(), role.to_owned());
    let wanted = [
        pair("alice@example.org", "alice"),
        pair(r"/^(.*)@example\.org$", r"\1"),
        pair("alice", "two words"),
    ];
    assert_eq!(lines(text), wanted);
    assert_eq!(lines(""), []);
    assert_eq!(lines("m a b\r\nm c d"), [pair("a", "b"), pair("c", "d")]);
}

#[test]
fn quotation_marks_work_as_in_postgresql() {
    let cases = [
        (r#"m "a b" c"#, "a b", "c"),
        (r#"m "a # b" c#d"#, "a # b", "c"),
        (r#"m "a ""b"" c" d"#, "a \"b\" c", "d"),
        (r#"m a" "b c"#, "a b", "c"),
        (r#"m a""b c"#, "ab", "c"),
        (r#"m "a,b" c"#, "a,b", "c"),
        (r#"m "@a" "+b""#, "@a", "+b"),
        (r#"m "/a b" c"#, "/a b", "c"),
        (r#""m" a "all""#, "a", "all"),
        ("m a allan", "a", "allan"),
        ("m a@b c+d", "a@b", "c+d"),
        ("m + b", "+", "b"),
        ("m all b", "all", "b"),
    ];
    for (line, identity, role) in cases {
        assert_eq!(lines(line), [(identity.to_owned(), role.to_owned())], "{line}");
    }
}

#[test]
fn a_bad_line_is_a_fault_whatever_its_map_is() {
    use MapFault as F;
    let cases = [
        (r"m a b\", F::Continued),
        (r"# comment \", F::Continued),
        ("m a b\u{7}", F::Control),
        ("m \"a\tb\" c", F::Control),
        ("m \"\" b", F::Empty),
        ("\"\" a b", F::Empty),
        ("m a \"\"", F::Empty),
        ("m", F::Fields(1)),
        ("m a", F::Fields(2)),
        ("include other.conf", F::Fields(2)),
        ("m a b c", F::Fields(4)),
        ("m a b c d", F::Fields(5)),
        ("m a b, c", F::List),
        ("m a,b c", F::List),
        ("m @a b", F::List),
        ("m a @b", F::List),
        ("@m a b", F::List),
        (r"m /(.*) \1\1", F::Group),
        (r"m /(.*)(.*) \1\2", F::Group),
        (r"m /(.*) \2", F::Group),
        (r"m /(.*) a\b", F::Group),
        (r"m /(.*) \", F::Continued),
        (r"m a \1", F::NoGroup),
        (r"m /a \1", F::NoGroup),
        (r"m /(?:a) x\1", F::NoGroup),
        ("m \"a b c", F::OpenQuotation),
        ("m a \"b\"\"", F::OpenQuotation),
        ("m a \" b\"", F::Role(RoleFault::Blank)),
        ("m a all", F::SpecialRole),
        ("m a +b", F::SpecialRole),
        ("m a /b", F::SpecialRole),
        ("m a \"/b\"", F::SpecialRole),
        ("other a /b", F::SpecialRole),
    ];
    for (line, wanted) in cases {
        assert_eq!(fault(line), wanted, "{line}");
    }
    assert!(matches!(fault("m /( b"), F::Expression(_)));
    let long = "b".repeat(64);
    assert_eq!(fault(&format!("m a {long}")), F::Role(RoleFault::TooLong));
    assert_eq!(lines(&format!("m a {}", &long[1..])).len(), 1);
}

#[test]
fn expressions_are_limited_and_plain_lines_are_not() {
    let most = "x /(a)b \\1\n".repeat(MOST_EXPRESSIONS);
    let plain = "m a b\n".repeat(2 * MOST_EXPRESSIONS);
    let good = format!("{most}{plain}");
    assert_eq!(parse(&good, "m").unwrap().len(), 2 * MOST_EXPRESSIONS);
    let (line, fault) = parse(&format!("{good}m /a b\n"), "m").unwrap_err();
    assert_eq!((line, fault), (3 * MOST_EXPRESSIONS + 1, MapFault::TooManyExpressions));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _lines = parse(&text, "m");
    }

    #[test]
    fn no_text_of_its_own_characters_makes_it_panic(text in r#"[m#"/\\1()@,+ab \t\r\n]{0,60}"#) {
        let _lines = parse(&text, "m");
    }

    #[test]
    fn what_is_quoted_comes_back(identity in "[ -~]{1,30}", role in "[!-~]{1,30}") {
        prop_assume!(!identity.starts_with('/') && !role.starts_with('/') && !role.contains('\\'));
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let line = format!("m {} {}", quoted(&identity), quoted(&role));
        prop_assert_eq!(lines(&line), [(identity, role)]);
    }
}
