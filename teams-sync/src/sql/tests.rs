use proptest::prelude::*;

use super::*;
use crate::desired::{Rule, Why};
use crate::password::Secret;
use crate::plan::{Options, Phase};
use crate::role::Parameter;

fn name(text: &str) -> RoleName {
    RoleName::from_catalog(text.to_owned())
}

fn planned(role: &str, change: Change) -> Planned {
    Planned { phase: Phase::Up, role: name(role), change, why: Why::of(Rule::Record) }
}

fn set(name: &str, value: &str) -> Change {
    Change::Set { parameter: Parameter::parse(name, value).unwrap() }
}

fn everything(text: &str) -> Vec<Change> {
    let role = || name(text);
    let options = Options { admin: true, inherit: false, set: true };
    vec![
        Change::CreateGroup,
        Change::Create {
            attributes: Attributes { createdb: true, inherit: false, ..Attributes::LOGIN },
        },
        Change::Create { attributes: Attributes::NOLOGIN },
        Change::Grant { roles: vec![name("admin"), role()] },
        Change::Grant { roles: vec![marker()] },
        Change::GrantAdmin { admin: role(), is_superuser: false },
        Change::Regrant { role: role(), member: role(), options },
        Change::Regrant {
            role: role(),
            member: role(),
            options: Options { admin: false, ..options },
        },
        Change::Rename { to: role() },
        Change::Reset { parameter: text.to_owned() },
        Change::Revoke { role: role(), member: role(), grantor: Some(role()) },
        Change::Revoke { role: role(), member: role(), grantor: None },
        Change::SetComment { comment: text.to_owned() },
        Change::ClearPassword,
        Change::SwitchOff { flags: vec![Flag::Login, Flag::Superuser] },
        Change::SwitchOn { flags: vec![Flag::Createrole] },
    ]
}

#[test]
fn every_change_has_its_text_on_15_and_on_16() {
    let text = |change: &Change, version| statement(&planned("alice", change.clone()), version);
    let expected = [
        (r#"create role "alice" nologin"#, None),
        (r#"create role "alice" createdb noinherit login"#, None),
        (r#"create role "alice" "#, None),
        (
            r#"grant "admin", "x" to "alice""#,
            Some(r#"grant "admin", "x" to "alice" with inherit true, set true"#),
        ),
        (
            r#"grant "teams_sync_managed" to "alice""#,
            Some(
                r#"grant "teams_sync_managed" to "alice" with admin false, inherit false, set false"#,
            ),
        ),
        (r#"grant "alice" to "x" with admin option"#, None),
        (
            r#"grant "x" to "x" with admin option"#,
            Some(r#"grant "x" to "x" with admin true, inherit false, set true"#),
        ),
        (r#"grant "x" to "x""#, Some(r#"grant "x" to "x" with inherit false, set true"#)),
        (r#"alter role "alice" rename to "x""#, None),
        (r#"alter role "alice" reset "x""#, None),
        (r#"revoke "x" from "x" granted by "x""#, None),
        (r#"revoke "x" from "x""#, None),
        (r#"comment on role "alice" is 'x'"#, None),
        (r#"alter role "alice" password null"#, None),
        (r#"alter role "alice" nologin nosuperuser"#, None),
        (r#"alter role "alice" createrole"#, None),
    ];
    let all = everything("x");
    assert_eq!(all.len(), expected.len());
    for (change, (on_15, on_16)) in all.iter().zip(expected) {
        assert_eq!(text(change, 150_018).as_deref(), Some(on_15));
        assert_eq!(text(change, 160_000).as_deref(), Some(on_16.unwrap_or(on_15)));
    }
}

#[test]
fn a_list_is_one_literal_for_each_element_and_anything_else_is_one() {
    for (name, value, sql) in [
        (
            "search_path",
            r#""$user", public, "a, b""#,
            r#"set "search_path" to '$user', 'public', 'a, b'"#,
        ),
        ("search_path", "", r#"set "search_path" to ''"#),
        ("application_name", "a, b=c", r#"set "application_name" to 'a, b=c'"#),
        ("log_statement", "it's", r#"set "log_statement" to 'it''s'"#),
        ("x.y", "back\\slash", r#"set "x"."y" to E'back\\slash'"#),
    ] {
        let text = statement(&planned("alice", set(name, value)), 150_000).unwrap();
        assert_eq!(text, format!(r#"alter role "alice" {sql}"#));
    }
    let reset = planned("alice", Change::Reset { parameter: "x.y".to_owned() });
    assert_eq!(statement(&reset, 150_000).unwrap(), r#"alter role "alice" reset "x"."y""#);
}

#[test]
fn a_password_is_in_no_statement() {
    let password = Secret::parse(b"hunter2").unwrap();
    let planned = planned("etl", Change::SetPassword { password });
    assert_eq!(statement(&planned, 160_000), None);
    assert!(!set_password(&planned.role).contains("hunter2"));
}

#[test]
fn the_query_of_the_catalog_is_asked_with_nothing_too() {
    let wanted = Wanted::default();
    let text = observe(&wanted);
    assert!(text.contains("array[]::pg_catalog.name[]"));
    assert!(text.contains("|| null::pg_catalog.text"));
    assert!(!text.contains('{') && !text.contains('}'));
}

#[test]
fn a_name_that_looks_like_a_place_for_another_stays_what_it_is() {
    let names = BTreeSet::from([name("{marker}"), name("{groups}"), name("{suffix}")]);
    let members_of = BTreeSet::from([name("{names}")]);
    let text = observe(&Wanted { names, members_of, suffix: Some("{marker}".to_owned()) });
    assert!(text.contains("array['{groups}','{marker}','{suffix}']"));
    assert!(text.contains("array['{names}']"));
    assert!(text.contains("|| '{marker}'"));
}

/// What a lexer of PostgreSQL sees: everything between quotes by itself, and the rest.
#[derive(Debug, Default, PartialEq)]
struct Scanned {
    bare: String,
    identifiers: Vec<String>,
    literals: Vec<String>,
}

fn scan(text: &str) -> Scanned {
    let mut scanned = Scanned::default();
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        if next != '"' && next != '\'' {
            scanned.bare.push(next);
            continue;
        }
        // E'...' alone knows a backslash, with standard_conforming_strings.
        let escapes = next == '\'' && scanned.bare.ends_with('E');
        if escapes {
            scanned.bare.pop();
        }
        let mut inside = String::new();
        loop {
            match rest.next().expect("a quote without an end") {
                '\\' if escapes => inside.push(rest.next().unwrap()),
                end if end == next => {
                    if rest.peek() != Some(&next) {
                        break;
                    }
                    inside.push(end);
                    rest.next();
                }
                other => inside.push(other),
            }
        }
        scanned.bare.push('?');
        match next {
            '"' => scanned.identifiers.push(inside),
            _ => scanned.literals.push(inside),
        }
    }
    scanned
}

#[test]
fn the_scanner_reads_as_postgresql_does() {
    let scanned = scan(r#"a "b""c" 'd''e\' E'f\\g\'h'"#);
    assert_eq!(scanned.bare, "a ? ? ?");
    assert_eq!(scanned.identifiers, ["b\"c"]);
    assert_eq!(scanned.literals, ["d'e\\", "f\\g'h"]);
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\"'\\\\;E$ a{}-]{1,20}",
        "[^\0]{1,30}",
        Just("\"; drop role postgres; --".to_owned()),
        Just("'; drop role postgres; --".to_owned()),
        Just("\\'; drop role postgres; --".to_owned()),
        Just("$$; drop role postgres; $$".to_owned()),
        Just("{marker}".to_owned()),
    ]
}

/// Names, parameters and comments are behind quotes, each as it is, and nothing else is different.
fn is_quoted(hostile: &str, text: &str, like: &str) {
    let (own, like) = (scan(text), scan(like));
    assert_eq!(own.bare, like.bare, "{text}");
    let expected = |all: Vec<String>| -> Vec<String> {
        all.into_iter().map(|one| if one == "x" { hostile.to_owned() } else { one }).collect()
    };
    assert_eq!(own.identifiers, expected(like.identifiers), "{text}");
    assert_eq!(own.literals, expected(like.literals), "{text}");
}

proptest! {
    #[test]
    fn every_statement_is_one_statement_whatever_names_are(text in hostile()) {
        for (own, like) in everything(&text).into_iter().zip(everything("x")) {
            // The dot of a parameter is between two identifiers.
            if matches!(own, Change::Reset { .. }) && text.contains('.') {
                continue;
            }
            for version in [130_000, 160_000] {
                let statement_of = |role: &str, change: Change| {
                    statement(&planned(role, change), version).unwrap()
                };
                let own = statement_of(&text, own.clone());
                prop_assert!(!scan(&own).bare.contains(';'));
                is_quoted(&text, &own, &statement_of("x", like.clone()));
            }
        }
    }

    #[test]
    fn queries_hold_names_as_literals(text in hostile()) {
        let names = |text: &str| BTreeSet::from([name(text)]);
        let wanted = |text: &str| Wanted {
            names: names(text),
            members_of: names(text),
            suffix: Some(text.to_owned()),
        };
        let strip = |text: String| text.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
        // A newline in a literal is no line of the query.
        let text = text.replace(['\n', '\r', '\u{2028}'], " ");
        is_quoted(&text, &strip(observe(&wanted(&text))), &strip(observe(&wanted("x"))));
        is_quoted(&text, &passwords(&names(&text)), &passwords(&names("x")));
        is_quoted(&text, &terminate(&names(&text)), &terminate(&names("x")));
        // A string in a string: both layers hold.
        let body = |text: &str| match scan(&set_password(&name(text))) {
            Scanned { bare, identifiers, literals } if identifiers.is_empty() => (bare, literals),
            other => panic!("{other:?}"),
        };
        let ((bare, own), (_, like)) = (body(&text), body("x"));
        prop_assert_eq!(bare, "do ?");
        is_quoted(&text, &own.concat(), &like.concat());
    }
}

#[test]
fn no_setting_of_a_database_makes_us_another_role() {
    // Before anything else that is not pinned: the owner of the database may have set it.
    for text in [begin(10_000), BEGIN_TO_LOOK.to_owned()] {
        assert!(text.split(";\n").nth(1) == Some("set local role none"), "{text}");
    }
    assert!(terminate(&BTreeSet::from([name("alice")])).starts_with("set role none;\n"));
}
