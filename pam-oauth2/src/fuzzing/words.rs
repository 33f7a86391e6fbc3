//! What an administrator writes. It is not hostile, but anything can be in it.

use std::path::Path;

use pam_oauth2_arguments::{AccountLine, AuthLine, Rules};

use super::{Policy, ROLE, assert_loggable};
use crate::facts::Facts;
use crate::policy::{Login, Online, file};
use crate::redact::visible;
use crate::revocation;
use crate::role::Role;
use crate::verify::Verified;

/// The words of a PAM line, between blanks.
pub(super) fn arguments(data: &[u8]) {
    let Ok(line) = std::str::from_utf8(data) else { return };
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let account = AccountLine::parse(&words);
    if let Err(error) = &account {
        assert_loggable(&visible(&error.to_string()));
    }
    let auth = match AuthLine::parse(&words) {
        Ok(auth) => auth,
        Err(error) => return assert_loggable(&visible(&error.to_string())),
    };
    // People write the words of the auth line on the account line, too.
    assert!(account.is_ok(), "an auth line, and no account line: {words:?}");
    let Rules::Here(rule) = auth.rules else { return };
    let scheme = words[0].get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    assert!(scheme || words.contains(&"--allow-http"), "{words:?}");
    let policy = Policy::of_line(&rule, &words);
    // What is asked at a login has to be a URL by then.
    let asked = policy.online.as_ref().map(|online| match online {
        Online::Introspection(service) => service.url.url(),
        Online::Tokeninfo(endpoint) => endpoint.with("token"),
    });
    assert!(asked.is_none_or(|url| url.is_some()), "{words:?}");
    // No word with a check in it may get lost: that is how the C module let people in.
    let checks = words.iter().skip(1).filter(|word| !word.starts_with("--") && word.contains('='));
    assert_eq!(policy.requirements.len(), checks.count(), "{words:?}");
    assert!(policy.issuers.iter().all(|issuer| !issuer.jwt.audience.is_empty()), "{words:?}");
}

/// A TOML file, and behind a line `---` the map file that it may name.
pub(super) fn policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, map) = text.split_once("\n---\n").unwrap_or((text, ""));
    let load = |_: &Path| Ok(map.as_bytes().to_vec());
    let sections = match file::parse_all(Path::new("/etc/pam-oauth2.toml"), text, &load) {
        Ok(sections) => sections,
        Err(fault) => return assert_loggable(&visible(&fault.to_string()).replace('\t', " ")),
    };
    let reserved = Role::parse(b"pg_monitor".to_vec()).expect("a role");
    for (name, policy) in sections {
        let alone = file::parse(Path::new("/etc/pam-oauth2.toml"), text, &name, &load);
        let alone = alone.expect("a section that is good among others is good alone");
        assert_eq!(alone.fingerprint, policy.fingerprint, "{name}");
        assert!(policy.online.is_some() || !policy.issuers.is_empty(), "{name} asks nobody");
        for issuer in &policy.issuers {
            assert!(!issuer.jwt.audience.is_empty(), "{name}: a JWT for anybody");
        }
        let logins = policy.issuers.iter().filter_map(|issuer| issuer.login.as_ref());
        for login in logins.chain([&policy.login]).filter(|login| login.mapping.rewrites()) {
            assert_reserved(&policy, login, &reserved);
        }
    }
}

/// What is reserved is out of reach, whatever the claims are.
fn assert_reserved(policy: &Policy, login: &Login, role: &Role) {
    let policy = Policy { login: login.clone(), ..policy.clone() };
    for identity in ["pg_monitor", "PG_MONITOR", "pg_monitor@example.org", ROLE] {
        let claims = format!(r#"{{"uid":"{identity}","sub":"{identity}"}}"#);
        let claims = crate::claims::Claims::parse(claims.as_bytes()).expect("claims");
        let decided = crate::authorize::authorize(&Verified::for_test(claims), role, &policy, None);
        assert!(decided.is_err(), "a mapping reaches {}", role.as_str());
    }
}

/// A revocation file.
pub(super) fn revocations(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let path = Path::new("/etc/revoked");
    let token = Facts {
        subject: Some(ROLE.to_owned()),
        id: Some("one-of-a-kind".to_owned()),
        issued: Some(super::NOW as f64),
        ..Facts::default()
    };
    let searched = match revocation::search(path, text, &token) {
        Ok(searched) => searched,
        Err(fault) => return assert_loggable(&visible(&fault.to_string())),
    };
    if let Some(by) = searched.by {
        assert_loggable(&visible(&by.to_string()));
    }
    // Whatever stands above it, a good line counts.
    let longer = revocation::search(path, &format!("{text}\njti one-of-a-kind\n"), &token);
    let longer = longer.expect("one good line more");
    assert_eq!(longer.rules, searched.rules + 1);
    assert!(longer.by.is_some(), "a line does not count");
}
