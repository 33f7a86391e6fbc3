use proptest::prelude::*;
use url::Url;

use super::*;

const URL: &str = "https://info.example.com/oauth2/tokeninfo?access_token=";

fn parse(line: &str) -> Result<AuthLine, Error> {
    AuthLine::parse(&line.split_whitespace().collect::<Vec<_>>())
}

/// The rule on a line, which has to be in order.
#[track_caller]
fn rule(line: &str) -> Rule {
    match parse(line).unwrap().rules {
        Rules::Here(rule) => *rule,
        Rules::InFile(file) => panic!("{file:?}"),
    }
}

#[test]
fn the_defaults_are_those_of_the_documentation() {
    let documented = Limits {
        timeout: Duration::from_secs(5),
        leeway: Duration::from_secs(30),
        ca_file: None,
        cache_dir: None,
        cache_ttl: Duration::ZERO,
        on_outage: OnOutage::Deny,
        audit: Audit::Syslog,
        allow_http: false,
    };
    assert_eq!(Limits::default(), documented);
}

#[test]
fn the_line_of_the_postgres_operator_is_read() {
    let line = parse(&format!("{URL} uid realm=/employees")).unwrap();
    let rule = Rule {
        verify: Verify::Tokeninfo(Endpoint::parse(URL, false).unwrap()),
        login_field: "uid".to_owned(),
        checks: vec![Check { key: "realm".to_owned(), value: "/employees".to_owned() }],
        limits: Limits::default(),
    };
    let notices = Notices { conversation: true };
    assert_eq!(line.timeout(), Some(Duration::from_secs(5)));
    assert_eq!(line, AuthLine { rules: Rules::Here(Box::new(rule)), notices });
}

#[test]
fn options_and_bare_words_may_stand_anywhere_behind_the_url() {
    let line = "--timeout=1500ms --verify=tokeninfo uid --leeway=2m try_first_pass a=b \
                --ca-file=/etc/ca.pem debug no_warn --cache-dir=/var/c --cache-ttl=1m \
                --on-outage=stale:30m --audit=log a=c";
    let line = format!("{URL} {line}");
    assert_eq!(parse(&line).unwrap().notices, Notices { conversation: false });
    let rule = rule(&line);
    let limits = Limits {
        timeout: Duration::from_millis(1500),
        leeway: Duration::from_secs(120),
        ca_file: Some("/etc/ca.pem".into()),
        cache_dir: Some("/var/c".into()),
        cache_ttl: Duration::from_secs(60),
        on_outage: OnOutage::Stale(Duration::from_secs(1800)),
        audit: Audit::Log,
        ..Limits::default()
    };
    assert_eq!(rule.limits, limits);
    let checks: Vec<_> = rule.checks.iter().map(|c| (c.key.as_str(), c.value.as_str())).collect();
    assert_eq!(checks, [("a", "b"), ("a", "c")]);
}

const ISSUER: &str = "https://idp.example.com/realms/staff";

fn jwt(keys: KeySource, audience: &[&str], typ: Typ) -> JwtIssuer {
    JwtIssuer {
        issuer: Issuer::parse(ISSUER, false).unwrap(),
        keys,
        audience: audience.iter().map(|name| (*name).to_owned()).collect(),
        typ,
    }
}

#[test]
fn each_way_to_verify_has_a_line() {
    let verify = |line: &str| rule(line).verify;
    assert_eq!(
        verify(&format!("{ISSUER} sub --verify=jwt --audience=a --audience=b")),
        Verify::Jwt(jwt(KeySource::Discovery, &["a", "b"], Typ::AccessToken))
    );
    assert_eq!(
        verify(&format!("{ISSUER} sub --verify=jwt --audience=a --jwks=/k.json --typ=any")),
        Verify::Jwt(jwt(KeySource::File("/k.json".into()), &["a"], Typ::Any))
    );
    let keys = "https://idp.example.com/keys";
    let place = KeySource::Url(ServiceUrl::parse(keys, false).unwrap());
    assert_eq!(
        verify(&format!(
            "{URL} uid --verify=jwt,tokeninfo --issuer={ISSUER} --audience=a --jwks={keys} --typ=at+jwt"
        )),
        Verify::JwtElseTokeninfo(
            jwt(place, &["a"], Typ::AccessToken),
            Endpoint::parse(URL, false).unwrap()
        )
    );
    let introspection = "https://idp.example.com/introspect";
    let wanted = Introspection {
        url: ServiceUrl::parse(introspection, false).unwrap(),
        client_id: "pg".to_owned(),
        client_secret_file: "/etc/secret".into(),
        audience: Vec::new(),
        issuer: None,
    };
    let line = format!(
        "{introspection} uid --verify=introspection --client-id=pg --client-secret-file=/etc/secret"
    );
    assert_eq!(verify(&line), Verify::Introspection(wanted.clone()));
    let more =
        Introspection { audience: vec!["a".to_owned()], issuer: Some(ISSUER.to_owned()), ..wanted };
    let line = format!("{line} --audience=a --issuer={ISSUER}");
    assert_eq!(verify(&line), Verify::Introspection(more));
}

#[test]
fn what_a_way_to_verify_needs_is_missed_and_what_it_does_not_use_is_refused() {
    let needed = |option, by| Err(Error::Needed { option, by });
    let cases = [
        (format!("{ISSUER} sub --verify=jwt"), needed("--audience", "--verify")),
        (format!("{URL} uid --verify=jwt,tokeninfo --audience=a"), needed("--issuer", "--verify")),
        (
            format!("{URL} uid --verify=jwt,tokeninfo --issuer={ISSUER}"),
            needed("--audience", "--verify"),
        ),
        (
            format!("{URL} uid --verify=introspection --client-id=a"),
            needed("--client-secret-file", "--verify"),
        ),
        (
            format!("{URL} uid --verify=introspection --client-secret-file=/a"),
            needed("--client-id", "--verify"),
        ),
        (format!("{URL} uid --cache-ttl=1s"), needed("--cache-dir", "--cache-ttl")),
        (format!("{URL} uid --on-outage=stale:1m"), needed("--cache-dir", "--on-outage=stale")),
        (format!("{URL} uid --audience=a"), Err(Error::NoEffect("--audience"))),
        (format!("{URL} uid --issuer={ISSUER}"), Err(Error::NoEffect("--issuer"))),
        (format!("{URL} uid --jwks=/k"), Err(Error::NoEffect("--jwks"))),
        (format!("{URL} uid --typ=any"), Err(Error::NoEffect("--typ"))),
        (format!("{URL} uid --client-id=a"), Err(Error::NoEffect("--client-id"))),
        (format!("{URL} uid --section=a"), Err(Error::NoEffect("--section"))),
        (
            format!("{URL} uid --client-secret-file=/a"),
            Err(Error::NoEffect("--client-secret-file")),
        ),
        (
            format!("{ISSUER} sub --verify=jwt --audience=a --issuer={ISSUER}"),
            Err(Error::NoEffect("--issuer")),
        ),
        (
            format!("{ISSUER} sub --verify=jwt --audience=a --jwks=keys.json"),
            Err(Error::KeySet(EndpointError::Scheme)),
        ),
        (
            format!("{ISSUER} sub --verify=jwt --audience=a --jwks=http://h.example/"),
            Err(Error::KeySet(EndpointError::PlainHttp)),
        ),
        (
            format!("{ISSUER}?a=b sub --verify=jwt --audience=a"),
            Err(Error::Issuer(EndpointError::Query)),
        ),
        (
            "http://h.example sub --verify=jwt --audience=a".to_owned(),
            Err(Error::Issuer(EndpointError::PlainHttp)),
        ),
        (
            format!("{URL} uid --verify=jwt,tokeninfo --issuer=idp --audience=a"),
            Err(Error::Issuer(EndpointError::Scheme)),
        ),
    ];
    for (line, error) in cases {
        assert_eq!(parse(&line), error, "{line}");
    }
    // Off is off, with or without a place.
    assert!(parse(&format!("{URL} uid --cache-ttl=0 --on-outage=deny")).is_ok());
}

#[test]
fn a_configuration_file_stands_alone() {
    let file = |section: Option<&str>| {
        Rules::InFile(ConfigFile {
            path: "/etc/o.toml".into(),
            section: section.map(str::to_owned),
        })
    };
    assert_eq!(parse("--config=/etc/o.toml").unwrap().rules, file(None));
    assert_eq!(parse("--config=/etc/o.toml").unwrap().timeout(), None);
    assert_eq!(parse("--section=a --config=/etc/o.toml").unwrap().rules, file(Some("a")));
    let quiet = parse("use_first_pass --config=/etc/o.toml no_warn").unwrap();
    assert_eq!((quiet.rules, quiet.notices.conversation), (file(None), false));
    let beside = |what: &str| Err(Error::BesideConfig(what.to_owned()));
    let cases = [
        (format!("--config=/etc/o.toml {URL}"), beside(URL)),
        ("--config=/etc/o.toml uid".to_owned(), beside("uid")),
        ("--config=/etc/o.toml realm=/a".to_owned(), beside("realm=/a")),
        ("--config=/etc/o.toml --timeout=1s".to_owned(), beside("--timeout")),
        ("--config=/etc/o.toml --always".to_owned(), beside("--always")),
        (format!("{URL} uid --config=/etc/o.toml"), beside("a URL")),
        ("--config=/a --config=/a".to_owned(), Err(Error::Duplicate("--config".to_owned()))),
        ("--config".to_owned(), Err(Error::ValueMissing("--config".to_owned()))),
        ("--section=a".to_owned(), Err(Error::Endpoint(EndpointError::Scheme))),
        (
            "--config=o.toml".to_owned(),
            Err(Error::RelativePath { option: "--config".to_owned(), path: "o.toml".to_owned() }),
        ),
    ];
    for (line, error) in cases {
        assert_eq!(parse(&line), error, "{line}");
    }
    let account = AccountLine::parse(&["--config=/etc/o.toml", "no_warn"]).unwrap();
    assert!(!account.always && !account.notices.conversation);
}

#[test]
fn the_documents_of_an_issuer_are_at_its_well_known_places() {
    let places = |issuer: &str| {
        let issuer = Issuer::parse(issuer, false).unwrap();
        let [openid, oauth] = issuer.discovery().try_into().unwrap();
        [openid, oauth].map(|url: ServiceUrl| url.as_str().to_owned())
    };
    let [openid, oauth] = places("https://h.example");
    assert_eq!(openid, "https://h.example/.well-known/openid-configuration");
    assert_eq!(oauth, "https://h.example/.well-known/oauth-authorization-server");
    assert_eq!(places("https://h.example/"), [openid, oauth]);
    for issuer in ["https://h.example/a/b", "https://h.example/a/b/"] {
        let [openid, oauth] = places(issuer);
        assert_eq!(openid, "https://h.example/a/b/.well-known/openid-configuration");
        assert_eq!(oauth, "https://h.example/.well-known/oauth-authorization-server/a/b");
    }
    assert_eq!(Issuer::parse("https://h.example/", false).unwrap().name(), "https://h.example/");
}

#[test]
fn a_check_is_split_at_its_first_equals_sign() {
    let rule = rule(&format!("{URL} uid a=b=c d= -e=f"));
    let checks: Vec<_> = rule.checks.iter().map(|c| (c.key.as_str(), c.value.as_str())).collect();
    assert_eq!(checks, [("a", "b=c"), ("d", ""), ("-e", "f")]);
}

#[test]
fn the_first_word_behind_the_url_that_is_no_option_is_the_login_field() {
    for field in ["debug", "use_first_pass", "no_warn", "preferred_username"] {
        let line = format!("{URL} --timeout=1s {field}");
        assert_eq!(rule(&line).login_field, field);
        assert!(parse(&line).unwrap().notices.conversation);
    }
    assert_eq!(parse(&format!("{URL} a=b uid")), Err(Error::NotALoginField("a=b".to_owned())));
    assert_eq!(parse(&format!("{URL} --timeout=1s")), Err(Error::NoLoginField));
    assert_eq!(AuthLine::parse(&[URL, "", "a=b"]), Err(Error::NoLoginField));
}

#[test]
fn nothing_is_ignored() {
    let relative = |option: &str, path: &str| Error::RelativePath {
        option: option.to_owned(),
        path: path.to_owned(),
    };
    let unknown = |option: &str, value: &str, known: &str| Error::Value {
        option: option.to_owned(),
        fault: ValueError::Unknown { value: value.to_owned(), known: known.to_owned() },
    };
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
        (&format!("{URL} uid --ca-file=ca.pem"), relative("--ca-file", "ca.pem")),
        (&format!("{URL} uid --allow-http="), Error::UnwantedValue("--allow-http".to_owned())),
        (&format!("{URL} uid --always"), Error::AlwaysOnAuth),
        (&format!("{URL} uid --cache-dir=c"), relative("--cache-dir", "c")),
        (
            &format!("{URL} uid --verify=oidc"),
            unknown("--verify", "oidc", "tokeninfo, jwt, jwt,tokeninfo, introspection"),
        ),
        (&format!("{URL} uid --typ=jwt"), unknown("--typ", "jwt", "at+jwt, any")),
        (&format!("{URL} uid --audit=no"), unknown("--audit", "no", "syslog, log")),
        (
            &format!("{URL} uid --on-outage=stale"),
            unknown("--on-outage", "stale", "deny, stale:<duration>"),
        ),
        (
            &format!("{URL} uid --audience=a --audience=a"),
            Error::Duplicate("--audience".to_owned()),
        ),
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
        let timeout =
            AuthLine::parse(&[URL, "uid", &option]).map(|line| line.timeout().unwrap()).ok();
        assert_eq!(timeout, milliseconds.map(Duration::from_millis), "{text}");
    }
    let ranges = [
        ("--leeway=", [("0", Some(0)), ("5m", Some(300)), ("301s", None), ("1h", None)]),
        ("--cache-ttl=", [("0", Some(0)), ("1h", Some(3600)), ("3601s", None), ("1d", None)]),
        ("--on-outage=stale:", [("1s", Some(1)), ("7d", Some(604_800)), ("0", None), ("8d", None)]),
    ];
    for (option, cases) in ranges {
        for (text, seconds) in cases {
            let word = format!("{option}{text}");
            let line = AuthLine::parse(&[URL, "uid", "--cache-dir=/c", &word]);
            let found = line.ok().map(|line| match line.rules {
                Rules::Here(rule) => match (option, rule.limits.on_outage) {
                    ("--leeway=", _) => rule.limits.leeway,
                    ("--cache-ttl=", _) => rule.limits.cache_ttl,
                    (_, OnOutage::Stale(duration)) => duration,
                    (_, OnOutage::Deny) => unreachable!("{word}"),
                },
                Rules::InFile(_) => unreachable!("{word}"),
            });
            assert_eq!(found, seconds.map(Duration::from_secs), "{word}");
        }
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
        "https://b\u{fc}cher.example/?t=",
        "https://b%c3%bccher.example/?t=",
        "https://h%aA.example/?t=",
        "https://%68.example/?t=",
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
        "https://xn--bcher-kva.example/?t=\u{fc}",
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
    fn what_needs_no_parser_is_what_the_parser_makes_of_it(
        host in "[a-z0-9.:@-]{0,12}",
        behind in "([/?][a-zA-Z0-9._~/?=&:@+,;!%-]{0,20})?",
    ) {
        let text = format!("https://{host}{behind}");
        let parsed = Url::parse(&text);
        match ServiceUrl::parse(&text, false) {
            Ok(kept) => {
                let url = parsed.unwrap();
                prop_assert_eq!(kept.url().unwrap(), url.clone());
                let named = url.port().map_or_else(String::new, |port| format!(":{port}"));
                prop_assert_eq!(kept.to_string(), format!("{}{named}", url.host_str().unwrap()));
                prop_assert!(url.username().is_empty() && url.password().is_none());
            }
            Err(EndpointError::Credentials) => {
                let url = parsed.unwrap();
                prop_assert!(!url.username().is_empty() || url.password().is_some());
            }
            Err(EndpointError::Unreadable(_)) => {
                prop_assert!(parsed.is_err() || host.is_empty());
            }
            Err(other) => prop_assert!(false, "{other:?}"),
        }
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
