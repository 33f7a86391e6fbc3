mod document;
mod faults;

use std::io;
use std::time::Duration;

use pam_oauth2_arguments::{Audit, KeySource, Limits, OnOutage, Typ};

use super::*;
use crate::files::FileFault;
use crate::policy::{ClaimPath, MapIdentity, Mapping, Online, Test};

const MAP: &str = "m alice@example.org alice\nm /(.*)@x \\1\nother a b\n";

/// No file but one map.
fn one_map(path: &Path) -> Result<Vec<u8>, FileFault> {
    match path.to_str() {
        Some("/etc/map") => Ok(MAP.into()),
        Some("/etc/bad-map") => Ok("m a b\n\nm a\n".into()),
        Some("/etc/latin-1") => Ok(b"m a b\nm a \xf6\n".to_vec()),
        _ => Err(FileFault::Unreadable(io::ErrorKind::NotFound.into())),
    }
}

fn read(text: &str) -> Result<Policy, String> {
    parse(Path::new("/etc/x.toml"), text, "pg", &one_map).map_err(|fault| fault.to_string())
}

fn policy(text: &str) -> Policy {
    read(text).unwrap()
}

/// A section that is complete, and this in it.
fn with(options: &str, tables: &str) -> String {
    format!(
        "[pg]\nlogin-field = \"uid\"\n{options}\n[pg.tokeninfo]\nurl = \"https://t.example/?t=\"\n{tables}"
    )
}

/// The fault of this text, as `LINE:COLUMN what`.
fn fault(text: &str) -> String {
    let shown = read(text).expect_err(text);
    let rest = shown.strip_prefix("/etc/x.toml: line ").expect(&shown);
    rest.replacen(", column ", ":", 1).replacen(": ", " ", 1)
}

fn member(name: &str) -> ClaimPath {
    ClaimPath::Member(name.to_owned())
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// What a test demands, in a form that compares.
fn test(test: &Test) -> (&'static str, Vec<String>) {
    match test {
        Test::Contains(texts) => ("contains", texts.clone()),
        Test::Is(texts) => ("is", texts.clone()),
        Test::Matches(expression) => ("matches", texts(&[expression.written()])),
    }
}

fn mapping(table: &str) -> Mapping {
    policy(&with("", &format!("[pg.user]\n{table}"))).login.mapping
}

#[test]
fn the_least_is_a_service_and_a_login_field() {
    let policy = policy(&with("", ""));
    assert!(policy.issuers.is_empty() && policy.requirements.is_empty());
    assert!(policy.roles.is_empty() && policy.revoked.is_none());
    assert!(matches!(policy.online, Some(Online::Tokeninfo(_))));
    assert_eq!(policy.login.claim, member("uid"));
    assert!(!policy.login.mapping.rewrites() && policy.login.mapping.reserved.is_empty());
    assert_eq!(policy.limits, Limits::default());
}

#[test]
fn every_option_has_its_place() {
    let options = r#"
timeout = "1500ms"
leeway = 7
ca-file = "/ca.pem"
cache-dir = "/cache"
cache-ttl = "1m"
on-outage = "stale:30m"
audit = "log"
allow-http = true
revoked-file = "/revoked"
"#;
    let policy = policy(&with(options, ""));
    let limits = Limits {
        timeout: Duration::from_millis(1500),
        leeway: Duration::from_secs(7),
        ca_file: Some("/ca.pem".into()),
        cache_dir: Some("/cache".into()),
        cache_ttl: Duration::from_secs(60),
        on_outage: OnOutage::Stale(Duration::from_secs(1800)),
        audit: Audit::Log,
        allow_http: true,
    };
    assert_eq!(policy.limits, limits);
    assert_eq!(policy.revoked, Some("/revoked".into()));
    let plain = read(&with("on-outage = \"deny\"\naudit = \"syslog\"", "")).unwrap().limits;
    assert_eq!((plain.on_outage, plain.audit), (OnOutage::Deny, Audit::Syslog));
}

#[test]
fn options_come_from_defaults_one_by_one_and_rules_do_not() {
    let text = r#"
[defaults]
timeout = "1s"
leeway = "2s"
login-field = "sub"
allow-http = true
revoked-file = "/revoked"
[pg]
timeout = "3s"
[pg.tokeninfo]
url = "http://t.example/?t="
[other]
login-field = "uid"
allow-http = false
[other.tokeninfo]
url = "https://t.example/?t="
"#;
    let all = parse_all(Path::new("/etc/x.toml"), text, &one_map).unwrap();
    let summary = |(name, policy): (String, Policy)| {
        let Limits { timeout, leeway, allow_http, .. } = policy.limits;
        (name, timeout.as_secs(), leeway.as_secs(), allow_http, policy.login.claim, policy.revoked)
    };
    let all: Vec<_> = all.into_iter().map(summary).collect();
    let revoked = Some("/revoked".into());
    let wanted = [
        ("other".to_owned(), 1, 2, false, member("uid"), revoked.clone()),
        ("pg".to_owned(), 3, 2, true, member("sub"), revoked),
    ];
    assert_eq!(all, wanted);
    for rules in [
        "[[defaults.issuer]]\nurl = \"https://a.example\"\naudience = \"a\"",
        "[defaults.introspection]\nurl = \"\"\nclient-id = \"\"\nclient-secret-file = \"\"",
        "[[defaults.require]]\nclaim = \"a\"",
        "[[defaults.role]]\nnames = \"a\"",
        "[defaults.tokeninfo]\nurl = \"https://a.example/?\"",
        "[defaults.user]\nlower-case = true",
    ] {
        let fault = fault(&format!("{rules}\n{}", with("", "")));
        assert!(fault.starts_with("1:1 [defaults] holds options alone"), "{fault}");
    }
}

#[test]
fn a_section_that_is_not_there_is_a_fault_of_the_file() {
    for text in ["", "[other]\n", "[defaults]\nlogin-field = \"a\"\n"] {
        let wanted =
            "/etc/x.toml: there is no section [pg]; add one, or name another with --section=";
        assert_eq!(read(text).unwrap_err(), wanted);
    }
    let options = "[defaults]\nlogin-field = \"a\"\n";
    let fault = parse(Path::new("/x"), options, "defaults", &one_map).unwrap_err().to_string();
    assert!(fault.starts_with("/x: there is no section [defaults]"), "{fault}");
    assert!(parse_all(Path::new("/x"), options, &one_map).unwrap().is_empty());
}

#[test]
fn what_another_section_says_is_not_looked_into_but_its_keys_are_known() {
    let other = "[other]\ntimeout = \"never\"\n[other.user]\nmap-file = \"/none\"\nmap = \"m\"\n";
    let text = format!("{other}{}", with("", ""));
    assert!(read(&text).is_ok());
    assert!(parse_all(Path::new("/x"), &text, &one_map).is_err());
    let fault = fault(&format!("[other]\ntime-out = \"5s\"\n{}", with("", "")));
    let wanted = "2:1 unknown field `time-out`, expected one of `allow-http`";
    assert!(fault.starts_with(wanted), "{fault}");
}

#[test]
fn issuers_are_read_in_their_order_and_may_have_a_login_of_their_own() {
    let text = r#"
[pg]
login-field = "uid"
[pg.user]
lower-case = true
[[pg.issuer]]
url = "https://a.example/"
audience = "postgres"
[[pg.issuer]]
url = "https://a.example"
audience = ["one", "two"]
jwks = "https://keys.example/a"
typ = "any"
login-field = "/name/0"
[[pg.issuer.require]]
claim = "b"
equals = 1
[[pg.issuer]]
url = "https://c.example"
audience = ["postgres"]
jwks = "/keys.json"
typ = "at+jwt"
user = { strip-domain = "example.org" }
[[pg.issuer]]
url = "https://d.example"
audience = ["postgres"]
login-field = "d"
user = {}
"#;
    let policy = policy(text);
    let names: Vec<_> = policy.issuers.iter().map(|issuer| issuer.jwt.issuer.name()).collect();
    let wanted =
        ["https://a.example/", "https://a.example", "https://c.example", "https://d.example"];
    assert_eq!(names, wanted);
    let [a, b, c, d] = policy.issuers.as_slice() else { unreachable!() };
    assert_eq!((&a.jwt.keys, a.jwt.typ), (&KeySource::Discovery, Typ::AccessToken));
    assert_eq!(a.jwt.audience, ["postgres"]);
    assert!(a.login.is_none() && a.requirements.is_empty());
    assert!(matches!(&b.jwt.keys, KeySource::Url(_)));
    assert_eq!((b.jwt.typ, b.jwt.audience.as_slice()), (Typ::Any, &texts(&["one", "two"])[..]));
    let login = b.login.as_ref().unwrap();
    let pointer = ClaimPath::Pointer { tokens: texts(&["name", "0"]), written: "/name/0".into() };
    assert_eq!(login.claim, pointer);
    assert!(login.mapping.lower_case && b.requirements.len() == 1);
    assert_eq!((&c.jwt.keys, c.jwt.typ), (&KeySource::File("/keys.json".into()), Typ::AccessToken));
    let login = c.login.as_ref().unwrap();
    assert_eq!(
        (&login.claim, &login.mapping.strip_domain),
        (&member("uid"), &texts(&["example.org"]))
    );
    assert!(!login.mapping.lower_case);
    let login = d.login.as_ref().unwrap();
    assert_eq!(login.claim, member("d"));
    assert!(!login.mapping.rewrites());
}

#[test]
fn a_login_field_may_be_missing_where_every_issuer_has_one_and_nobody_is_asked() {
    let issuer = |name: &str, more: &str| {
        format!("[[pg.issuer]]\nurl = \"https://{name}.example\"\naudience = \"a\"\n{more}\n")
    };
    let (a, b) = (issuer("a", "login-field = \"x\""), issuer("b", "login-field = \"y\""));
    let text = format!("[pg]\n[pg.user]\nlower-case = true\n{a}{b}");
    let policy = policy(&text);
    assert_eq!(policy.login_of(policy.issuers.get(1)).claim, member("y"));
    assert!(policy.login_of(policy.issuers.first()).mapping.lower_case);
    for (more, place) in [
        (issuer("c", ""), "12:1"),
        (issuer("c", "user = { lower-case = true }"), "12:1"),
        ("[pg.tokeninfo]\nurl = \"https://t.example/?t=\"\n".to_owned(), "1:1"),
    ] {
        assert_eq!(fault(&format!("{text}{more}")), format!("{place} {}", user::NO_LOGIN_FIELD));
    }
}

#[test]
fn a_service_is_asked_for_the_rest() {
    let introspection = r#"
[pg]
login-field = "uid"
[pg.introspection]
url = "https://i.example"
client-id = "postgres"
client-secret-file = "/secret"
"#;
    let online = |more: &str| match policy(&format!("{introspection}{more}")).online {
        Some(Online::Introspection(service)) => service,
        other => panic!("{other:?}"),
    };
    let service = online("");
    assert_eq!(service.url.to_string(), "i.example");
    assert_eq!(service.client_id, "postgres");
    assert_eq!(service.client_secret_file, Path::new("/secret"));
    assert_eq!((service.audience, service.issuer), (Vec::new(), None));
    let service = online("audience = [\"a\", \"b\"]\nissuer = \"i\"\n");
    assert_eq!((service.audience, service.issuer), (texts(&["a", "b"]), Some("i".to_owned())));
    let both = format!("{introspection}[pg.tokeninfo]\nurl = \"https://t.example/?t=\"\n");
    let fault = fault(&both);
    assert!(fault.starts_with("4:1 tokeninfo stands here as well"), "{fault}");
}

#[test]
fn requirements_hold_texts_truth_values_and_whole_numbers() {
    let tables = r#"
[[pg.require]]
claim = "realm"
equals = "/employees"
[[pg.require]]
claim = "/a~1b/~0/"
equals = ["x", true, false, -1, 9223372036854775807, ""]
[[pg.require]]
claim = "https://example.com/claims"
contains = "db users"
[[pg.require]]
claim = "n"
contains = [1, "b"]
[[pg.require]]
claim = "a"
matches = '^x+$'
"#;
    let requirements = policy(&with("", tables)).requirements;
    let found: Vec<_> =
        requirements.iter().map(|one| (one.claim.clone(), test(&one.test))).collect();
    let pointer =
        ClaimPath::Pointer { tokens: texts(&["a/b", "~", ""]), written: "/a~1b/~0/".to_owned() };
    let wanted = [
        (member("realm"), ("is", texts(&["/employees"]))),
        (pointer, ("is", texts(&["x", "true", "false", "-1", "9223372036854775807", ""]))),
        (member("https://example.com/claims"), ("contains", texts(&["db users"]))),
        (member("n"), ("contains", texts(&["1", "b"]))),
        (member("a"), ("matches", texts(&["^x+$"]))),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn each_step_of_a_mapping_counts_and_brings_reserved_names() {
    let reserved = user::RESERVED.map(str::to_owned).to_vec();
    let one = mapping("strip-domain = [\"a.example\", \"b.example\"]");
    assert_eq!(
        (one.strip_domain, one.reserved),
        (texts(&["a.example", "b.example"]), reserved.clone())
    );
    let two = mapping("lower-case = true");
    assert_eq!((two.lower_case, two.reserved), (true, reserved.clone()));
    let three = mapping("capture = '([a-z]+)(?:x)'");
    assert_eq!(three.capture.unwrap().written(), "([a-z]+)(?:x)");
    assert_eq!(three.reserved, reserved);
    let four = mapping("map-file = \"/etc/map\"\nmap = \"m\"");
    let lines = four.map.unwrap();
    let [exact, expression] = lines.as_slice() else { unreachable!() };
    assert!(matches!(&exact.identity, MapIdentity::Exactly(text) if text == "alice@example.org"));
    assert!(matches!(&expression.identity, MapIdentity::Matching(_)));
    assert_eq!((exact.role.as_str(), expression.role.as_str()), ("alice", r"\1"));
    assert_eq!(four.reserved, reserved);
    assert_eq!(mapping("lower-case = true\nreserved = []").reserved, texts(&[]));
    assert_eq!(mapping("lower-case = true\nreserved = \"x\"").reserved, texts(&["x"]));
    assert!(mapping("lower-case = false").reserved.is_empty());
}

#[test]
fn some_roles_demand_more() {
    let tables = r#"
[[pg.role]]
names = "postgres"
online = true
[[pg.role]]
names = ["a", "b"]
[[pg.role.require]]
claim = "x"
equals = "y"
"#;
    let policy = policy(&with("", tables));
    let summary = |role: &str| {
        let role = policy.of_role(role)?;
        Some((role.names.join(","), role.online, role.requirements.len()))
    };
    assert_eq!(summary("postgres"), Some(("postgres".to_owned(), true, 0)));
    assert_eq!(summary("b"), Some(("a,b".to_owned(), false, 1)));
    assert_eq!(summary("c"), None);
}

#[test]
fn a_fingerprint_changes_with_everything_that_is_read() {
    let with_map = |map: &'static str, section: &str, text: &str| {
        let load = move |_: &Path| Ok(map.into());
        parse(Path::new("/x"), text, section, &load).unwrap().fingerprint
    };
    let user = "[pg.user]\nmap-file = \"/m\"\nmap = \"m\"\n";
    let both = with("", user) + &with("", user).replace("pg", "qg");
    let first = with_map("m a b\n", "pg", &both);
    assert_eq!(first, with_map("m a b\n", "pg", &both));
    assert_ne!(first, with_map("m a c\n", "pg", &both));
    assert_ne!(first, with_map("m a b\n", "qg", &both));
    assert_ne!(first, with_map("m a b\n", "pg", &format!("{both} ")));
    let issuer = "[[pg.issuer]]\nurl = \"https://a.example\"\naudience = \"a\"\nuser = { map-file = \"/m\", map = \"m\" }\n";
    let issuer = with("", issuer);
    assert_ne!(with_map("m a b\n", "pg", &issuer), with_map("m a c\n", "pg", &issuer));
}

#[test]
fn files_are_read_from_the_disk() {
    let folder = std::env::temp_dir().join(format!("pam-oauth2-file-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("x.toml");
    std::fs::write(&path, with("", "")).unwrap();
    assert!(super::read(&path, "pg").is_ok());
    assert_eq!(sections(&path).unwrap().len(), 1);
    std::fs::write(&path, b"[pg]\n# \xff").unwrap();
    let fault = super::read(&path, "pg").unwrap_err().to_string();
    assert!(fault.contains("x.toml: line 2, column 3: it is not valid UTF-8"), "{fault}");
    let comment = format!("#{}", "x".repeat(FILE_LIMIT));
    std::fs::write(&path, with("", &comment)).unwrap();
    let fault = super::read(&path, "pg").unwrap_err().to_string();
    assert!(fault.contains("x.toml: it is larger than 1048576 bytes"), "{fault}");
    std::fs::remove_dir_all(&folder).unwrap();
    let fault = sections(&path).unwrap_err().to_string();
    assert!(fault.contains("x.toml: it cannot be read: No such file"), "{fault}");
}
