//! Everything that is no configuration, and where.

use super::*;

/// Each text, whose lines are parted by `; `, has this fault.
fn each_is_named<'a>(cases: impl IntoIterator<Item = (String, &'a str)>) {
    for (text, wanted) in cases {
        let found = fault(&text.replace("; ", "\n"));
        assert!(found.starts_with(wanted), "{text}: {found}");
    }
}

#[test]
fn what_is_no_toml_or_no_known_key_is_named_by_line_and_column() {
    let cases = [
        ("[pg", "1:4 unclosed table, expected `]`"),
        ("[pg];   x = 1", "2:3 unknown field `x`"),
        ("[pg]; [pg]", "2:2 duplicate key"),
        ("[pg]; timeout = 1; timeout = 2", "3:1 duplicate key"),
        ("pg = 1", "1:6 invalid type: integer `1`, expected a table, [SECTION]"),
        ("[pg]; allow-http = 'no'", "2:14 invalid type: string \"no\", expected a boolean"),
        ("[pg]; timeout = 1.5", "2:11 invalid type: floating point `1.5`, expected a duration"),
        ("[pg]; timeout = true", "2:11 invalid type: boolean `true`, expected a duration"),
        ("[pg]; login-field = 1", "2:15 invalid type: integer `1`, expected a string"),
        ("[pg]; issuer = 1", "2:10 invalid type: integer `1`, expected a sequence"),
        (
            "[pg]; issuer = [1]",
            "2:11 invalid type: integer `1`, expected a table, [[SECTION.issuer]]",
        ),
        ("[pg]; [[pg.issuer]]; url = ''", "2:1 missing field `audience`"),
        ("[pg]; [[pg.issuer]]; audience = ''", "2:1 missing field `url`"),
        ("[pg]; [[pg.issuer]]; x = 1", "3:1 unknown field `x`"),
        ("[pg]; [[pg.issuer]]; audience = 1", "3:12 invalid type: integer `1`, expected a string"),
        (
            "[pg]; [[pg.issuer]]; audience = [1]",
            "3:13 invalid type: integer `1`, expected a string",
        ),
        (
            "[pg]; [[pg.issuer]]; audience = {}",
            "3:12 invalid type: map, expected one value or an array",
        ),
        ("[pg]; [pg.tokeninfo]; x = 1", "3:1 unknown field `x`"),
        ("[pg]; [pg.tokeninfo]", "2:1 missing field `url`"),
        ("[pg]; tokeninfo = 1", "2:13 invalid type: integer `1`, expected a table, [SECTION.token"),
        ("[pg]; [pg.introspection]; client-secret = 's3cret'", "3:1 unknown field `client-secret`"),
        ("[pg]; [pg.user]; x = 1", "3:1 unknown field `x`"),
        ("[pg]; [[pg.role]]; x = 1", "3:1 unknown field `x`"),
        ("[pg]; [[pg.role]]", "2:1 missing field `names`"),
        ("[pg]; [[pg.require]]; x = 1", "3:1 unknown field `x`"),
        ("[pg]; [[pg.require]]; equals = 1", "2:1 missing field `claim`"),
        ("[pg]; [[pg.require]]; equals = 1.5", "3:10 invalid type: floating point `1.5`, expected"),
        (
            "[pg]; [[pg.require]]; equals = [[]]",
            "3:11 invalid type: sequence, expected a string, tr",
        ),
        ("[pg]; [[pg.require]]; equals = 2025-11-25", "3:10 invalid type: map, expected one value"),
    ];
    each_is_named(cases.map(|(text, wanted)| (text.to_owned(), wanted)));
    assert!(!fault("[pg]\n[pg.introspection]\nclient-secret = 's3cret'").contains("s3cret"));
}

#[test]
fn an_option_that_means_nothing_is_named_by_line_and_column() {
    let cases = [
        ("timeout = 'never'", "3:11 \"never\" is not a duration"),
        ("timeout = 56", "3:11 56s is not between 100ms and 55s"),
        ("timeout = '99ms'", "3:11 99ms is not between"),
        ("leeway = '301s'", "3:10 301s is not between 0ns and 300s"),
        ("cache-dir = '/x'; cache-ttl = '61m'", "4:13 3660s is not between 0ns and 3600s"),
        ("cache-dir = '/x'; on-outage = 'stale:0'", "4:13 0ns is not between 1s and 604800s"),
        ("on-outage = 'stale'", "3:13 \"stale\" is not known; there is: deny, stale:<duration>"),
        ("audit = 'none'", "3:9 \"none\" is not known; there is: log, syslog"),
        ("ca-file = 'ca.pem'", "3:11 \"ca.pem\" is not an absolute path"),
        ("cache-dir = ''", "3:13 \"\" is not an absolute path"),
        ("revoked-file = 'x'", "3:16 \"x\" is not an absolute path"),
        ("cache-ttl = 1", "1:1 option cache-ttl needs cache-dir=..."),
        ("on-outage = 'stale:1m'", "1:1 option on-outage=stale needs cache-dir=..."),
    ];
    each_is_named(cases.map(|(options, wanted)| (with(options, ""), wanted)));
}

#[test]
fn a_rule_that_means_nothing_is_named_by_line_and_column() {
    // The first of these tables begins in line 6.
    let cases = [
        ("[[pg.require]]; claim = 'a'", "6:1 a requirement has exactly one"),
        (
            "[[pg.require]]; claim = 'a'; equals = 1; contains = 1",
            "6:1 a requirement has exactly one",
        ),
        (
            "[[pg.require]]; claim = 'a'; equals = 1; matches = '1'",
            "6:1 a requirement has exactly one",
        ),
        (
            "[[pg.require]]; claim = 'a'; contains = 1; matches = '1'",
            "6:1 a requirement has exactly",
        ),
        ("[[pg.require]]; claim = ''; equals = 1", "7:9 the value is empty"),
        ("[[pg.require]]; claim = '/a~2'; equals = 1", "7:9 behind ~ a JSON pointer has 0"),
        ("[[pg.require]]; claim = '/a~'; equals = 1", "7:9 behind ~ a JSON pointer has 0"),
        ("[[pg.require]]; claim = '/a~\u{f6}'; equals = 1", "7:9 behind ~ a JSON pointer has 0"),
        ("[[pg.require]]; claim = 'a'; equals = []", "8:10 the list is empty"),
        ("[[pg.require]]; claim = 'a'; contains = []", "8:12 the list is empty"),
        ("[[pg.require]]; claim = 'a'; contains = ['a', '']", "8:12 a value is empty"),
        ("[[pg.require]]; claim = 'a'; matches = '('", "8:11 the expression cannot be used"),
        ("[[pg.role]]; names = 'a'", "6:1 this table demands nothing"),
        ("[[pg.role]]; names = []; online = true", "7:9 a name is missing or empty"),
        ("[[pg.role]]; names = ''; online = true", "7:9 a name is missing or empty"),
        ("[[pg.role]]; names = ' a'; online = true", "7:9 no role can be called \" a\""),
        (
            "[[pg.role]]; names = 'a'; online = true; [[pg.role]]; names = ['b', 'a']; online = true",
            "10:9 the role \"a\" has a table already",
        ),
        ("[pg.user]; strip-domain = []", "7:16 the list is empty"),
        ("[pg.user]; strip-domain = ['a', '']", "7:16 \"\" is no domain"),
        ("[pg.user]; strip-domain = '@a'", "7:16 \"@a\" is no domain"),
        ("[pg.user]; strip-domain = 'a b'", "7:16 \"a b\" is no domain"),
        ("[pg.user]; strip-domain = \"a\\u0000\"", "7:16 \"a\\0\" is no domain"),
        ("[pg.user]; capture = '(a)(b)'", "7:11 the expression has 2 groups"),
        ("[pg.user]; capture = '('", "7:11 the expression cannot be used"),
        ("[pg.user]; map-file = '/etc/map'", "7:12 map-file needs map"),
        ("[pg.user]; map = 'm'", "7:7 map needs map-file"),
        ("[pg.user]; map-file = 'map'; map = 'm'", "7:12 \"map\" is not an absolute path"),
        (
            "[pg.user]; map-file = '/etc/map'; map = 'x'",
            "7:12 /etc/map has no line of the map \"x\"",
        ),
        ("[pg.user]; reserved = 'a'", "7:12 reserved has no effect"),
        ("[pg.user]; lower-case = true; reserved = ['']", "8:12 a name is empty"),
    ];
    each_is_named(cases.map(|(tables, wanted)| (with("", tables), wanted)));
}

#[test]
fn a_source_of_trust_that_means_nothing_is_named_by_line_and_column() {
    let issuer = "[[pg.issuer]]; url = 'https://a.example'; audience = 'a'; ";
    let issuers = [
        ("jwks = 'keys.json'", "9:8 option jwks: it is no absolute path, and as a URL it does not"),
        ("typ = 'jwt'", "9:7 \"jwt\" is not known; there is: at+jwt, any"),
        ("login-field = ''", "9:15 the value is empty"),
        ("user = { capture = 'a' }", "9:20 the expression has 0 groups and needs exactly one"),
        ("[[pg.issuer.require]]; claim = 'a'", "9:1 a requirement has exactly one"),
        (issuer, "10:7 this issuer has a table already"),
    ];
    let issuers = issuers.map(|(more, wanted)| (with("", &format!("{issuer}{more}")), wanted));
    let wrong = [
        ("url = 'http://a.example'; audience = 'a'", "7:7 the URL is plain http"),
        ("url = 'https://a.example/?'; audience = 'a'", "7:7 the URL holds a '?'"),
        ("url = 'https://a.example'; audience = []", "8:12 a value is missing or empty"),
        ("url = 'https://a.example'; audience = ['a', '']", "8:12 a value is missing or empty"),
        ("url = 'https://a.example'; audience = ['a', 'b', 'a']", "8:12 \"a\" stands here twice"),
    ];
    let wrong = wrong.map(|(keys, wanted)| (with("", &format!("[[pg.issuer]]; {keys}")), wanted));
    let services = [
        ("ftp://a", "a", "/a", "", "4:7 the URL does not begin with https"),
        ("https://a", "", "/a", "", "5:13 the value is empty"),
        ("https://a", "a", "a", "", "6:22 \"a\" is not an absolute path"),
        ("https://a", "a", "/a", "audience = []", "7:12 a value is missing or empty"),
        ("https://a", "a", "/a", "issuer = ''", "7:10 the value is empty"),
    ];
    let services = services.map(|(url, id, secret, more, wanted)| {
        let keys = format!("url = '{url}'; client-id = '{id}'; client-secret-file = '{secret}'");
        (format!("[pg]; login-field = 'a'; [pg.introspection]; {keys}; {more}"), wanted)
    });
    let sections = [
        ("[pg]; login-field = 'a'", "1:1 nothing here verifies a token"),
        (";   [pg]", "2:3 nothing here verifies a token"),
        ("[pg]; [pg.tokeninfo]; url = 'https://t.example/?'", "1:1 no login-field here"),
        (
            "[pg]; login-field = 'a'; tokeninfo.url = 'https://t.example'",
            "3:17 the URL ends with the",
        ),
    ];
    let sections = sections.map(|(text, wanted)| (text.to_owned(), wanted));
    each_is_named(issuers.into_iter().chain(wrong).chain(services).chain(sections));
    let nobody_to_ask = "[[pg.role]]; names = 'a'; online = true";
    let text = format!("[pg]; login-field = 'a'; {issuer}{nobody_to_ask}");
    each_is_named([(text, "6:1 online needs somebody to ask")]);
}

#[test]
fn what_is_wrong_with_a_map_file_is_said_of_that_file() {
    let user = |path: &str| with("", &format!("[pg.user]\nmap-file = \"{path}\"\nmap = \"m\""));
    let cases = [
        ("/etc/bad-map", "/etc/bad-map: line 3: it has 2 fields instead of three"),
        ("/etc/latin-1", "/etc/latin-1: line 2, column 5: it is not valid UTF-8"),
        ("/etc/none", "/etc/none: it cannot be read: entity not found"),
    ];
    for (path, wanted) in cases {
        let found = read(&user(path)).unwrap_err();
        assert!(found.starts_with(wanted), "{found}");
    }
}
