//! Every login leaves one line that says who came from where, and how it was found out; in one
//! format, whatever a token says.

use std::io::Write;
use std::process::{Command, Stdio};

use harness::identity_provider::now;
use harness::pam::Report;
use harness::{Code, Route, World};
use serde_json::json;

use crate::jwt::line;

const MARK: &str = " audit: ";
/// <security/_pam_types.h>
const PAM_SILENT: &str = "32768";

/// The audit lines in these, from their first field on.
fn audits<'a>(lines: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
    lines.into_iter().filter_map(|line| Some(line.split_once(MARK)?.1)).collect()
}

/// The fields of a line, in order. A value stands in quotes, in brackets or alone.
#[track_caller]
fn fields(line: &str) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=').unwrap_or_else(|| panic!("{line}"));
        assert!(name.bytes().all(|b| b.is_ascii_lowercase()), "{name:?} in {line}");
        let length = match behind.as_bytes().first() {
            Some(b'"') => quoted(behind).unwrap_or_else(|| panic!("{line}")),
            Some(b'[') => behind.find(']').unwrap_or_else(|| panic!("{line}")) + 1,
            _ => behind.find(' ').unwrap_or(behind.len()),
        };
        fields.push((name.to_owned(), behind[..length].to_owned()));
        rest = &behind[length..];
        assert!(rest.is_empty() || rest.starts_with(' '), "{line}");
        rest = rest.get(1..).unwrap_or_default();
    }
    fields
}

/// Where the quotation at the beginning ends.
fn quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return Some(index + 1),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

fn names(line: &str) -> Vec<String> {
    fields(line).into_iter().map(|(name, _)| name).collect()
}

#[track_caller]
fn field(line: &str, name: &str) -> String {
    let found = fields(line).into_iter().find(|(own, _)| own == name);
    found.unwrap_or_else(|| panic!("no {name} in {line}")).1
}

fn sha256(text: &str) -> String {
    let mut child = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("coreutils");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

/// One login from 10.2.1.111, and the audit lines that it left.
fn login(world: &World, user: &str, token: &str) -> (Report, Vec<String>) {
    login_from(world, "10.2.1.111", user, token)
}

fn login_from(world: &World, host: &str, user: &str, token: &str) -> (Report, Vec<String>) {
    world.secrets.add(token.as_bytes());
    let before = world.syslog().len();
    let client = world.client("strict", user).token(token).option("--remote-host", host);
    let report = client.run(&["authenticate", "account"]);
    let lines = world.syslog().split_off(before);
    let found = audits(&lines).into_iter().map(str::to_owned).collect();
    (report, found)
}

#[track_caller]
fn only(lines: Vec<String>) -> String {
    assert_eq!(lines.len(), 1, "{lines:#?}");
    lines.into_iter().next().unwrap()
}

const ACCEPTED: [&str; 9] = ["login", "role", "sub", "client", "iss", "jti", "exp", "rhost", "via"];

#[test]
fn a_login_by_jwt_leaves_a_line_that_says_who_and_how() {
    let world = World::without_postgres();
    let issuer = world.identity_provider();
    let cache = world.sandbox.writable_folder("caches").join("one");
    world.strict(&line(&issuer, &format!("--cache-dir={}", cache.display())));
    let jwt = issuer.jwt("alice").claim("sub", "f81d4fae").claim("exp", 4_102_444_800u64);
    let token = issuer.sign(&jwt);
    for keys in ["issuer", "cache"] {
        let (report, lines) = login(&world, "alice", &token);
        assert_eq!(report.codes("authenticate"), [Code::Success], "{report:?}");
        let hash = sha256(jwt.claims()["jti"].as_str().unwrap());
        let wanted = format!(
            "login=accepted role=\"alice\" sub=\"f81d4fae\" client=\"ztoken\" iss=\"{}\" \
             jti=sha256:{} exp=2100-01-01T00:00:00Z rhost=10.2.1.111 via=jwt keys={keys}",
            issuer.issuer(),
            &hash[..16],
        );
        assert_eq!(lines, [wanted]);
    }
    let set = world.sandbox.workdir.file("keys.json", issuer.key_set());
    world.strict(&line(&issuer, &format!("--jwks={}", set.display())));
    assert_eq!(field(&only(login(&world, "alice", &token).1), "keys"), "file");
    // The other kinds of refusal leave the same.
    for (token, code) in [
        (issuer.sign(&issuer.jwt("alice").issued(now() - 7200)), 7),
        (issuer.sign(&issuer.jwt("alice").without_claim("uid")), 10),
        ("opaque".to_owned(), 7),
    ] {
        let (_, lines) = login(&world, "alice", &token);
        let wanted = format!("login=refused role=\"alice\" code={code} rhost=10.2.1.111");
        assert_eq!(lines, [wanted]);
    }
}

#[test]
fn every_way_to_verify_has_its_word() {
    let world = World::without_postgres();
    let issuer = world.identity_provider();
    let cache = world.sandbox.writable_folder("caches").join("one");
    let words = format!("--allow-http --cache-dir={} --on-outage=stale:10m", cache.display());
    let (id, secret) = issuer.client();
    let secret = world.sandbox.workdir.file("secret", secret);
    harness::sandbox::own(&secret);
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
    let introspection = format!(
        "{} uid --verify=introspection --client-id={id} --client-secret-file={} --allow-http",
        issuer.url(Route::Introspect),
        secret.display()
    );
    let tokeninfo = format!("{} uid", issuer.tokeninfo_url());
    let file = world.sandbox.workdir.file(
        "online.toml",
        format!(
            "[strict]\nlogin-field = 'uid'\nallow-http = true\n\
             [[strict.issuer]]\nurl = '{}'\naudience = 'postgres'\n\
             [strict.tokeninfo]\nurl = '{}'\n\
             [[strict.role]]\nnames = 'alice'\nonline = true\n",
            issuer.issuer(),
            issuer.tokeninfo_url()
        ),
    );
    let token = issuer.token("alice");
    let expect = |line: &str, way: &str| {
        world.strict(line);
        let (report, lines) = login(&world, "alice", &token);
        assert_eq!(report.codes("authenticate"), [Code::Success], "{way}: {report:?}");
        let audit = only(lines);
        assert_eq!(field(&audit, "via"), way, "{audit}");
        assert_eq!(names(&audit)[..ACCEPTED.len()], ACCEPTED, "{audit}");
    };
    expect(&introspection, "introspection");
    expect(&tokeninfo.clone().replacen(" uid", " uid --allow-http", 1), "tokeninfo");
    expect(&format!("--config={}", file.display()), "jwt+service");
    let cached = format!("{tokeninfo} {words} --cache-ttl=60s");
    expect(&cached, "tokeninfo");
    expect(&cached, "verdict");
    let always_asked = format!("{tokeninfo} {words}");
    expect(&always_asked, "tokeninfo");
    issuer.stop();
    expect(&always_asked, "stale-verdict");
}

#[test]
fn what_a_service_does_not_tell_is_a_dash() {
    let world = World::without_postgres();
    world.strict(&world.rule("--allow-http"));
    let token = world.grant_claims(r#"{"uid":"alice","realm":"/employees"}"#);
    let (_, lines) = login(&world, "alice", &token);
    let wanted = "login=accepted role=\"alice\" sub=\"alice\" client=- iss=- jti=- exp=- \
                  rhost=10.2.1.111 via=tokeninfo";
    assert_eq!(lines, [wanted]);
    let report = world.client("strict", "alice").token(&token).run(&["authenticate"]);
    assert_eq!(report.codes("authenticate"), [Code::Success]);
    let lines = world.syslog();
    assert_eq!(field(audits(&lines).last().unwrap(), "rhost"), "-");
}

#[test]
fn a_login_that_ends_early_leaves_a_line_too() {
    let world = World::without_postgres();
    let good = world.rule("--allow-http");
    let long = "x".repeat(20_000);
    let cases = [
        ("broken", "alice", "token", 3),
        (good.as_str(), "alice", "", 7),
        (good.as_str(), "alice", long.as_str(), 7),
        (good.as_str(), "ali\nce", "token", 7),
    ];
    for (line, user, token, code) in cases {
        world.strict(line);
        let (_, lines) = login(&world, user, token);
        assert_eq!(lines, [format!("login=refused role=- code={code} rhost=10.2.1.111")]);
    }
}

#[test]
fn no_claim_breaks_the_format_or_gives_the_token_away() {
    let world = World::without_postgres();
    world.strict(&world.rule("--allow-http"));
    let values = [
        "two\nlines\r\n",
        "\" via=jwt keys=file",
        "\\\" via=jwt keys=file",
        "\\",
        "\x1b[2J\x1b[31mred",
        "%n%s%d",
        "NUL \0",
        "\u{202e}\u{2028}\u{feff}\u{1f600}",
        "<34>Oct 11 22:14:15 mymachine audit: login=accepted role=\"root\"",
        "[withheld]",
        "",
    ];
    let long = "x".repeat(100_000);
    for value in values.into_iter().chain([long.as_str()]) {
        for claim in ["sub", "client_id", "iss", "jti", "azp"] {
            let claims = json!({ "uid": "alice", "realm": "/employees", claim: value });
            let (report, lines) = login(&world, "alice", &world.grant_claims(&claims.to_string()));
            assert_eq!(report.codes("authenticate"), [Code::Success], "{value:?}: {report:?}");
            let line = only(lines);
            assert!(
                line.len() < 2000 && line.bytes().all(|b| (b' '..=b'~').contains(&b)),
                "{line}"
            );
            assert_eq!(names(&line), ACCEPTED, "{value:?}");
            assert_eq!(field(&line, "via"), "tokeninfo", "{line}");
        }
    }
    // The token itself, and a part of it.
    for part in 0..2 {
        let token = harness::secrets::random_token();
        let shown = if part == 0 { token.as_str() } else { &token[5..25] };
        let claims = json!({
            "uid": "alice", "realm": "/employees", "sub": shown, "client_id": format!("x{shown}y"),
            "iss": shown.to_ascii_uppercase(), "jti": shown,
        });
        world.service.know(&token, claims.to_string());
        let line = only(login(&world, "alice", &token).1);
        for name in ["sub", "client", "iss"] {
            assert!(field(&line, name).contains("withheld"), "{line}");
        }
        assert!(field(&line, "jti").starts_with("sha256:"), "{line}");
        let lowered = line.to_ascii_lowercase();
        let leaked = harness::secrets::holds_part_of(
            lowered.as_bytes(),
            token.to_ascii_lowercase().as_bytes(),
        );
        assert!(!leaked, "{line}");
    }
    // Of a kind that names nobody.
    for value in [json!(7), json!(null), json!(["a"]), json!({ "a": 1 }), json!(true), json!(1.5)] {
        let claims = json!({
            "uid": "alice", "realm": "/employees", "sub": value, "client_id": value, "jti": value,
        });
        let line = only(login(&world, "alice", &world.grant_claims(&claims.to_string())).1);
        assert_eq!(names(&line), ACCEPTED, "{value}");
    }
}

#[test]
fn neither_a_role_nor_a_host_breaks_the_format() {
    let world = World::without_postgres();
    world.strict(&world.rule("--allow-http"));
    let token = world.grant("alice");
    for role in ["a\" via=jwt", "a b", "\\", "\u{e4}lice", "'; drop table x; --", &token[..30]] {
        let line = only(login(&world, role, &token).1);
        assert_eq!(names(&line), ["login", "role", "code", "rhost"], "{role:?}");
        assert_eq!(field(&line, "code"), "7", "{line}");
    }
    for host in
        ["10.0.0.1 via=jwt", "a\"b", "x\n<34>y", "\u{e4}.example", "db-1.example.org", "::1"]
    {
        let line = only(login_from(&world, host, "alice", &token).1);
        assert_eq!(names(&line), ACCEPTED, "{host:?}");
        assert_eq!(field(&line, "via"), "tokeninfo", "{line}");
    }
}

#[test]
fn postgresql_logs_the_line_where_it_is_asked_to_and_no_client_sees_it() {
    let world = World::plain();
    let in_log = |log: &str| log.matches("pam_oauth2: audit: ").count();
    let token = world.grant("alice");
    world.strict(&world.rule("--allow-http"));
    let silent = world.strict_login("alice", &token);
    assert_eq!(in_log(&silent.assert_accepted().log), 0, "{silent:#?}");
    world.strict(&world.rule("--allow-http --audit=log"));
    let accepted = world.strict_login("alice", &token);
    assert_eq!(in_log(&accepted.assert_accepted().log), 1, "{accepted:#?}");
    let wanted = "pam_oauth2: audit: login=accepted role=\"alice\" sub=\"alice\" client=\"ztoken\"";
    assert!(accepted.log.contains(wanted), "{accepted:#?}");
    assert!(accepted.log.contains("rhost=127.0.0.1 via=tokeninfo"), "{accepted:#?}");
    let refused = world.strict_login("alice", world.grant("bob"));
    assert_eq!(refused.code(), Code::AuthErr, "{refused:#?}");
    let wanted = "pam_oauth2: audit: login=refused role=\"alice\" code=7 rhost=127.0.0.1";
    assert!(refused.log.contains(wanted) && in_log(&refused.log) == 1, "{refused:#?}");
    for outcome in [silent, accepted, refused] {
        let seen = format!("{}{}", outcome.output, outcome.complaint);
        assert!(!seen.contains("audit") && !seen.contains("pam_oauth2"), "{outcome:#?}");
    }
    // syslog has them all, from lines as Spilo writes them too.
    assert_eq!(audits(&world.syslog()).len(), 3);
    world.login("alice", &token).assert_accepted();
    assert_eq!(audits(&world.syslog()).len(), 4);
}

#[test]
fn who_wants_silence_has_the_line_in_syslog_alone() {
    let world = World::without_postgres();
    let token = world.grant("alice");
    let run = |words: &str, flags: &str, token: &str| {
        world.strict(&world.rule(&format!("--allow-http --audit=log {words}")));
        let before = audits(&world.syslog()).len();
        let client = world.client("strict", "alice").token(token).option("--flags", flags);
        let report = client.run(&["authenticate"]);
        (report.all("told-3").len(), audits(&world.syslog()).len() - before)
    };
    assert_eq!(run("", "0", &token), (1, 1));
    assert_eq!(run("", "0", "unknown"), (2, 1));
    for token in [token.as_str(), "unknown"] {
        assert_eq!(run("no_warn", "0", token), (0, 1), "no_warn");
        assert_eq!(run("", PAM_SILENT, token), (0, 1), "PAM_SILENT");
    }
}

#[test]
fn lines_go_to_the_part_of_syslog_that_is_for_logins() {
    let world = World::without_postgres();
    world.strict(&world.rule("--allow-http"));
    let claims = json!({ "uid": "alice", "realm": "/employees" });
    login(&world, "alice", &world.grant_claims(&claims.to_string()));
    login(&world, "alice", "unknown");
    // LOG_AUTHPRIV with LOG_INFO and LOG_NOTICE.
    let lines = world.syslog();
    let priority = |what: &str| {
        let line = lines.iter().find(|line| line.contains(what)).unwrap();
        line.split('>').next().unwrap().to_owned()
    };
    assert_eq!(priority("login=accepted"), "<86");
    assert_eq!(priority("login=refused"), "<85");
}
