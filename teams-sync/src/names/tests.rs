use super::*;

pub(crate) fn names() -> Names {
    Names {
        case: Case::Lower,
        strip_domains: BTreeSet::from(["example.com".to_owned()]),
        pattern: Regex::new(DEFAULT_PATTERN).unwrap(),
        map: BTreeMap::new(),
        reserved_bytes: 0,
        protected: BTreeSet::from([RoleName::parse("postgres").unwrap()]),
    }
}

#[track_caller]
fn becomes(raw: &str, role: &str) {
    assert_eq!(names().role(raw), Ok(RoleName::parse(role).unwrap()), "{raw:?}");
}

#[test]
fn a_name_of_a_directory_becomes_a_role() {
    becomes("alice", "alice");
    becomes("Alice", "alice");
    becomes("Alice@Example.COM", "alice");
    becomes("a.b-c_d9", "a.b-c_d9");
}

#[test]
fn a_hostile_name_becomes_none() {
    for raw in [
        "x\" SUPERUSER; --",
        "x'; drop role postgres; --",
        "alice\0",
        "alice\n",
        "alice@evil.com",
        "@example.com",
        "",
        " ",
        "-alice",
        "alice.",
        "аlice", // Cyrillic
        "alice\u{202e}",
        "pg_monitor",
        "PUBLIC",
        "none",
        "postgres",
        "POSTGRES@example.com",
    ] {
        assert!(names().role(raw).is_err(), "{raw:?}");
    }
    assert!(names().role(&"x".repeat(64)).is_err());
    assert!(names().role(&"x".repeat(1_000_000)).is_err());
}

#[test]
fn a_suffix_has_to_fit_behind_a_name() {
    let names = Names { reserved_bytes: "_deleted".len(), ..names() };
    assert!(names.role(&"x".repeat(55)).is_ok());
    assert_eq!(names.role(&"x".repeat(56)), Err(BadName::NoRoomForSuffix(55)));
}

#[test]
fn a_map_gives_names_that_nothing_else_could() {
    let jane = RoleName::parse("jane").unwrap();
    let map = BTreeMap::from([
        ("Jäne@evil.com".to_owned(), jane.clone()),
        ("root".to_owned(), RoleName::parse("postgres").unwrap()),
    ]);
    let names = Names { map, ..names() };
    assert_eq!(names.role("Jäne@evil.com"), Ok(jane));
    assert!(matches!(names.role("root"), Err(BadName::Protected(_))));
}

#[test]
fn with_another_pattern_names_are_compared_in_their_normal_form() {
    let names = Names { pattern: Regex::new(r"^\w+$|^[^\x00-\x7f]+$").unwrap(), ..names() };
    // One character, and a letter with an accent behind it.
    assert_eq!(names.role("é").unwrap(), names.role("e\u{301}").unwrap());
}

#[test]
fn two_people_who_would_be_one_role_are_both_refused() {
    let people = people(["alice", "Alice", "bob", "bob", "x y"], &names());
    let role = |name| RoleName::parse(name).unwrap();
    assert_eq!(people.roles, BTreeMap::from([(role("bob"), "bob".to_owned())]));
    assert_eq!(people.twins.keys().collect::<Vec<_>>(), [&role("alice")]);
    assert_eq!(people.unusable.keys().collect::<Vec<_>>(), ["x y"]);
}
