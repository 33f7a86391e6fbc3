use proptest::prelude::*;

use super::*;

fn fault(document: &str) -> String {
    Claims::parse(document.as_bytes()).unwrap_err().to_string()
}

#[test]
fn members_are_found_under_their_unescaped_names() {
    let claims =
        Claims::parse(br#"{"\u0075id":"\u0061lice","n":1,"f":1.5,"b":true,"o":{"uid":"x"}}"#);
    let claims = claims.unwrap();
    assert!(claims.find("uid").unwrap().matches("alice"));
    assert!(claims.find("n").unwrap().matches("1"));
    assert!(claims.find("b").unwrap().matches("true"));
    assert!(matches!(claims.find("o"), Some(Claim::Object(_))));
    assert!(claims.find("x").is_none());
}

#[test]
fn what_two_parsers_could_read_differently_is_refused() {
    let cases = [
        (r#"{"a":1,"a":1}"#, "a member occurs twice"),
        (r#"{"a":1,"\u0061":1}"#, "a member occurs twice"),
        (r#"{"x":[{"a":1,"a":2}]}"#, "a member occurs twice"),
        (r#"{} {}"#, "trailing characters"),
        (r#"{"a":1e999}"#, "number out of range"),
        (r#"{"a":"\ud800"}"#, "hex escape"),
        ("[]", "not an object"),
        ("\"{}\"", "not an object"),
        ("", "EOF"),
    ];
    for (document, reason) in cases {
        assert!(fault(document).contains(reason), "{document}: {}", fault(document));
    }
}

#[test]
fn a_fault_names_positions_and_never_content() {
    for document in [
        r#"{"s3cret":1,"s3cret":2}"#,
        r#"{"a":"s3cret"#,
        r#"{"a":s3cret}"#,
        "s3cret",
        r#"["s3cret"]"#,
    ] {
        assert!(!fault(document).contains("s3cret"), "{}", fault(document));
    }
}

#[test]
fn the_thirty_second_level_is_the_last() {
    let nested = |levels: usize| {
        format!("{}{}", r#"{"a":"#.repeat(levels - 1) + "{}", "}".repeat(levels - 1))
    };
    assert!(Claims::parse(nested(DEPTH_LIMIT).as_bytes()).is_ok());
    assert!(fault(&nested(DEPTH_LIMIT + 1)).contains("nested too deep"));
}

#[test]
fn only_equal_texts_match() {
    let text = |text: &str| Claim::Text(Zeroizing::new(text.to_owned()));
    let cases = [
        (text("a"), "a", true),
        (text("a"), "A", false),
        (text("a"), "", false),
        (text(""), "", true),
        (text("1"), "1", true),
        (Claim::Flag(true), "true", true),
        (Claim::Flag(false), "false", true),
        (Claim::Flag(true), "false", false),
        (Claim::Flag(false), "true", false),
        (Claim::Integer(42), "42", true),
        (Claim::Integer(42), "042", false),
        (Claim::Integer(-1), "-1", true),
        (Claim::Integer(u64::MAX.into()), "18446744073709551615", true),
        (Claim::Fraction(1.0), "1", false),
        (Claim::Fraction(1.5), "1.5", false),
        (Claim::Null, "", false),
        (Claim::Null, "null", false),
    ];
    for (claim, wanted, matches) in cases {
        assert_eq!(claim.matches(wanted), matches, "{claim:?} {wanted}");
    }
}

#[test]
fn numbers_and_strings_of_digits_are_numbers() {
    let text = |text: &str| Claim::Text(Zeroizing::new(text.to_owned()));
    let cases = [
        (Claim::Integer(7), Some(7.0)),
        (Claim::Integer(-7), Some(-7.0)),
        (Claim::Fraction(0.5), Some(0.5)),
        (text("7"), Some(7.0)),
        (text("007"), Some(7.0)),
        (text(""), None),
        (text("-7"), None),
        (text("7.0"), None),
        (text("7 "), None),
        (text("\u{667}"), None),
        (text("inf"), None),
        (Claim::Flag(true), None),
        (Claim::Null, None),
    ];
    for (claim, number) in cases {
        assert_eq!(claim.number(), number, "{claim:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _claims = Claims::parse(&bytes);
    }

    #[test]
    fn what_serde_json_writes_is_read_back(members in proptest::collection::btree_map(".*", ".*", 0..9)) {
        let document = serde_json::to_vec(&members).unwrap();
        let claims = Claims::parse(&document).unwrap();
        for (name, value) in &members {
            prop_assert!(claims.find(name).unwrap().matches(value));
        }
    }
}

#[test]
fn a_pointer_leads_to_one_value_or_to_none() {
    let document = br#"{"a":{"b":["x",["y"],{"c":"z"}],"":"empty"},"0":"zero","t":"text"}"#;
    let claims = Claims::parse(document).unwrap();
    let at = |tokens: &[&str]| {
        let tokens: Vec<String> = tokens.iter().map(|token| (*token).to_owned()).collect();
        claims.at(&tokens).and_then(|claim| match claim {
            Claim::Text(text) => Some(text.to_string()),
            _ => None,
        })
    };
    let cases: [(&[&str], Option<&str>); 20] = [
        (&["t"], Some("text")),
        (&["0"], Some("zero")),
        (&["a", ""], Some("empty")),
        (&["a", "b", "0"], Some("x")),
        (&["a", "b", "1", "0"], Some("y")),
        (&["a", "b", "2", "c"], Some("z")),
        (&[], None),
        (&["x"], None),
        (&["a", "b"], None),
        (&["a", "x"], None),
        (&["a", "b", "3"], None),
        (&["a", "b", "00"], None),
        (&["a", "b", "01"], None),
        (&["a", "b", "-"], None),
        (&["a", "b", "-0"], None),
        (&["a", "b", "+0"], None),
        (&["a", "b", ""], None),
        (&["a", "b", "99999999999999999999"], None),
        (&["t", "0"], None),
        (&["a", "b", "0", "0"], None),
    ];
    for (tokens, text) in cases {
        assert_eq!(at(tokens).as_deref(), text, "{tokens:?}");
    }
}
