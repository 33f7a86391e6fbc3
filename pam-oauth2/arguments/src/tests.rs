use proptest::prelude::*;

use super::*;

const URL: &str = "https://info.example.com/oauth2/tokeninfo?access_token=";

fn parse(line: &str) -> Result<AuthLine, Error> {
    AuthLine::parse(&line.split_whitespace().collect::<Vec<_>>())
}

#[test]
fn the_line_of_the_postgres_operator_is_read() {
    let line = parse(&format!("{URL} uid realm=/employees")).unwrap();
    assert_eq!(
        line,
        AuthLine {
            endpoint: Endpoint::parse(URL, false).unwrap(),
            login_field: "uid".to_owned(),
            checks: vec![Check { key: "realm".to_owned(), value: "/employees".to_owned() }],
            timeout: Duration::from_secs(5),
            leeway: Duration::from_secs(30),
            ca_file: None,
            notices: Notices { conversation: true },
        }
    );
}

#[test]
fn options_and_bare_words_may_stand_anywhere_behind_the_url() {
    let line = "--timeout=1500ms --verify=tokeninfo uid --leeway=2m try_first_pass a=b --ca-file=/etc/ca.pem debug no_warn a=c";
    let line = parse(&format!("{URL} {line}")).unwrap();
    assert_eq!(line.timeout, Duration::from_millis(1500));
    assert_eq!(line.leeway, Duration::from_secs(120));
    assert_eq!(line.ca_file, Some(PathBuf::from("/etc/ca.pem")));
    assert_eq!(line.notices, Notices { conversation: false });
    let checks: Vec<_> = line.checks.iter().map(|c| (c.key.as_str(), c.value.as_str())).collect();
    assert_eq!(checks, [("a", "b"), ("a", "c")]);
}

#[test]
fn a_check_is_split_at_its_first_equals_sign() {
    let line = parse(&format!("{URL} uid a=b=c d= -e=f")).unwrap();
    let checks: Vec<_> = line.checks.iter().map(|c| (c.key.as_str(), c.value.as_str())).collect();
    assert_eq!(checks, [("a", "b=c"), ("d", ""), ("-e", "f")]);
}

#[test]
fn the_first_word_behind_the_url_that_is_no_option_is_the_login_field() {
    for field in ["debug", "use_first_pass", "no_warn", "preferred_username"] {
        let line = parse(&format!("{URL} --timeout=1s {field}")).unwrap();
        assert_eq!((line.login_field.as_str(), line.notices.conversation), (field, true));
    }
    assert_eq!(parse(&format!("{URL} a=b uid")), Err(Error::NotALoginField("a=b".to_owned())));
    assert_eq!(parse(&format!("{URL} --timeout=1s")), Err(Error::NoLoginField));
    assert_eq!(AuthLine::parse(&[URL, "", "a=b"]), Err(Error::NoLoginField));
}

#[test]
fn nothing_is_ignored() {
    let cases = [
        ("", Error::Missing),
        ("uid", Error::Endpoint(EndpointError::Scheme)),
        (&format!("{URL} uid realm"), Error::NotACheck("realm".to_owned())),
        (&format!("{URL} uid =x"), Error::NotACheck("=x".to_owned())),
        (&format!("{URL} uid -x"), Error::NotACheck("-x".to_owned())),
        (&format!("{URL} uid --x"), Error::UnknownOption("--x".to_owned())),
        (&format!("{URL} uid --"), Error::UnknownOption("--".to_owned())),
        (&format!("{URL} uid --=x"), Error::UnknownOption("--".to_owned())),
        (&format!("{URL} uid --Timeout=1s"), Error::UnknownOption("--Timeout".to_owned())),
        (&format!("{URL} uid --leeway=1 --leeway=1"), Error::Duplicate("--leeway".to_owned())),
        (&format!("{URL} uid --ca-file=/a --ca-file=/a"), Error::Duplicate("--ca-file".to_owned())),
        (&format!("{URL} uid --ca-file"), Error::ValueMissing("--ca-file".to_owned())),
        (&format!("{URL} uid --ca-file="), Error::ValueMissing("--ca-file".to_owned())),
        (&format!("{URL} uid --ca-file=ca.pem"), Error::RelativePath("ca.pem".to_owned())),
        (&format!("{URL} uid --allow-http="), Error::UnwantedValue("--allow-http".to_owned())),
        (&format!("{URL} uid --always"), Error::AlwaysOnAuth),
        (&format!("{URL} uid --verify=jwt"), Error::UnknownVerifier("jwt".to_owned())),
        (&format!("{URL} uid --verify"), Error::ValueMissing("--verify".to_owned())),
    ];
    for (line, error) in cases {
        assert_eq!(parse(line), Err(error), "{line}");
    }
}

#[test]
fn an_account_line_is_complete_without_words() {
    let account = |line: &str| AccountLine::parse(&line.split_whitespace().collect::<Vec<_>>());
    let plain = AccountLine { always: false, notices: Notices { conversation: true } };
    assert_eq!(account(""), Ok(plain));
    assert_eq!(account("debug use_first_pass"), Ok(plain));
    assert_eq!(account("--always"), Ok(AccountLine { always: true, ..plain }));
    let quiet = Notices { conversation: false };
    assert_eq!(account("no_warn"), Ok(AccountLine { notices: quiet, ..plain }));
    assert_eq!(account(&format!("{URL} uid no_warn")), Ok(AccountLine { notices: quiet, ..plain }));
    assert_eq!(account(&format!("no_warn {URL} uid")), Ok(AccountLine { notices: quiet, ..plain }));
    let both = AccountLine { always: true, notices: quiet };
    assert_eq!(account(&format!("{URL} uid --always no_warn")), Ok(both));
    assert_eq!(account("--always --always"), Err(Error::Duplicate("--always".to_owned())));
    assert_eq!(account("a=b"), Err(Error::Endpoint(EndpointError::Scheme)));
    assert_eq!(account("--timeout=1s"), Err(Error::Endpoint(EndpointError::Scheme)));
}

#[test]
fn durations_are_whole_numbers_with_a_unit() {
    let cases = [
        ("100ms", Some(100)),
        ("1", Some(1_000)),
        ("5s", Some(5_000)),
        ("55", Some(55_000)),
        ("55000ms", Some(55_000)),
        ("99ms", None),
        ("56s", None),
        ("1m", None),
        ("0", None),
        ("1.5s", None),
        ("-1s", None),
        ("+1s", None),
        ("s", None),
        ("5 s", None),
        ("5S", None),
        ("5seconds", None),
        ("\u{665}s", None),
        ("18446744073709551615d", None),
        ("99999999999999999999s", None),
    ];
    for (text, milliseconds) in cases {
        let option = format!("--timeout={text}");
        let timeout = AuthLine::parse(&[URL, "uid", &option]).map(|line| line.timeout).ok();
        assert_eq!(timeout, milliseconds.map(Duration::from_millis), "{text}");
    }
    let leeways = [("0", Some(0)), ("5m", Some(300)), ("301s", None), ("1h", None), ("1d", None)];
    for (text, seconds) in leeways {
        let option = format!("--leeway={text}");
        let leeway = AuthLine::parse(&[URL, "uid", &option]).map(|line| line.leeway).ok();
        assert_eq!(leeway, seconds.map(Duration::from_secs), "{text}");
    }
}

#[test]
fn a_url_is_https_and_goes_beyond_its_host() {
    use EndpointError::*;
    let refused = [
        ("http://h.example/?t=", PlainHttp),
        ("HTTP://h.example/?t=", PlainHttp),
        ("ftp://h.example/?t=", Scheme),
        ("file:///etc/passwd", Scheme),
        ("h.example/?t=", Scheme),
        ("", Scheme),
        ("https://h.example", HostOnly),
        ("https://h.example:8443", HostOnly),
        ("https://u:p@h.example/?t=", Credentials),
        ("https://u@h.example/?t=", Credentials),
        ("https://:p@h.example/?t=", Credentials),
        ("https://h.example/?t=#", Fragment),
        ("https://h.example/#?t=", Fragment),
    ];
    for (text, error) in refused {
        assert_eq!(Endpoint::parse(text, false), Err(error), "{text}");
    }
    let unreadable = [
        "https:///?t=",
        "https:///u:p@h.example/?t=",
        "https:///h.example",
        "https://?t=",
        "https://h.example\\x/?t=",
        "https://h .example/?t=",
        "https://h.example/\n",
        "https://h.example/\u{a0}",
        "https://[::1/?t=",
        "https://h.example:99999/?t=",
        "https://%00/?t=",
    ];
    for text in unreadable {
        assert!(matches!(Endpoint::parse(text, false), Err(Unreadable(_))), "{text}");
    }
    for text in [
        URL,
        "https://h.example/",
        "https://h.example?t=",
        "https://[::1]:1/x",
        "HTTPS://H.example/?t=@",
    ] {
        assert!(Endpoint::parse(text, false).is_ok(), "{text}");
    }
    assert!(Endpoint::parse("http://h.example/?t=", true).is_ok());
}

#[test]
fn a_url_is_named_by_host_and_port_alone() {
    let named = |text| Endpoint::parse(text, false).unwrap().to_string();
    assert_eq!(named("https://info.example.com/x?api_key=secret&t="), "info.example.com");
    assert_eq!(named("https://info.example.com:8443/x?api_key=secret&t="), "info.example.com:8443");
}

proptest! {
    #[test]
    fn no_words_make_the_parser_panic(words in proptest::collection::vec(".{0,30}", 0..8)) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let _auth = AuthLine::parse(&words);
        let _account = AccountLine::parse(&words);
        let _behind_a_url = AuthLine::parse(&[&[URL], words.as_slice()].concat());
    }

    #[test]
    fn a_suffix_changes_nothing_but_the_end(
        prefix in "https://[a-z]{1,9}(:[1-9][0-9]{0,3})?(/[a-z./%2e]{0,9})?[/?][a-z=&]{0,9}",
        suffix in "[A-Za-z0-9._~%-]{1,40}",
    ) {
        let endpoint = Endpoint::parse(&prefix, false).unwrap();
        if let Some(url) = endpoint.with(&suffix) {
            let empty = endpoint.with("").unwrap();
            prop_assert_eq!(url.as_str(), format!("{}{suffix}", empty.as_str()));
            prop_assert_eq!(url.host_str(), empty.host_str());
            prop_assert_eq!(url.port(), empty.port());
        }
    }
}
