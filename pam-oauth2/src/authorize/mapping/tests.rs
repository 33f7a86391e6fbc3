use proptest::prelude::*;

use super::*;
use crate::policy::Expression;

fn role(name: &str) -> Role {
    Role::parse(name.into()).unwrap()
}

fn expression(pattern: &str) -> Expression {
    Expression::parse(pattern).unwrap()
}

fn exactly(identity: &str, role: &str) -> MapLine {
    MapLine { identity: MapIdentity::Exactly(identity.to_owned()), role: role.to_owned() }
}

fn matching(pattern: &str, role: &str) -> MapLine {
    MapLine { identity: MapIdentity::Matching(expression(pattern)), role: role.to_owned() }
}

fn stripping(domains: &[&str]) -> Mapping {
    Mapping {
        strip_domain: domains.iter().map(|domain| (*domain).to_owned()).collect(),
        ..Mapping::default()
    }
}

fn lower_case() -> Mapping {
    Mapping { lower_case: true, ..Mapping::default() }
}

fn capturing(pattern: &str) -> Mapping {
    Mapping { capture: Some(expression(pattern)), ..Mapping::default() }
}

fn by_map(lines: Vec<MapLine>) -> Mapping {
    Mapping { map: Some(lines), ..Mapping::default() }
}

#[test]
fn without_a_mapping_only_equal_bytes_are_one_user() {
    let plain = Mapping { reserved: vec!["postgres".to_owned()], ..Mapping::default() };
    let cases = [
        ("alice", "alice", Ok(())),
        ("Alice", "alice", Err(Misfit::SomebodyElse)),
        ("alice ", "alice", Err(Misfit::SomebodyElse)),
        ("alice@example.org", "alice", Err(Misfit::SomebodyElse)),
        ("j\u{f6}rg", "jo\u{308}rg", Err(Misfit::SomebodyElse)),
        ("", "", Err(Misfit::SomebodyElse)),
        ("", "alice", Err(Misfit::SomebodyElse)),
        // Nothing is reserved where the claim is the role.
        ("postgres", "postgres", Ok(())),
        ("pg_monitor", "pg_monitor", Ok(())),
    ];
    for (identity, name, wanted) in cases {
        assert_eq!(check(&plain, identity, &role(name)), wanted, "{identity} {name}");
    }
    let (cut, long) = ("a".repeat(63), "a".repeat(64));
    assert_eq!(check(&plain, &long, &role(&cut)), Err(Misfit::SomebodyElse));
}

#[test]
fn a_domain_is_taken_away_where_it_is_one_of_ours_alone() {
    let cases = [
        ("bob@example.org", Ok(())),
        ("bob@example.com", Ok(())),
        ("bob@EXAMPLE.Org", Ok(())),
        ("alice@example.org", Err(Misfit::SomebodyElse)),
        ("Bob@example.org", Err(Misfit::SomebodyElse)),
        ("bob", Err(Misfit::Domain)),
        ("bob@", Err(Misfit::Domain)),
        ("bob@evil.org", Err(Misfit::Domain)),
        ("bob@evil@example.org", Err(Misfit::Domain)),
        ("bob@example.org@evil.org", Err(Misfit::Domain)),
        ("bob@example.org@example.org", Err(Misfit::Domain)),
        ("bob@@example.org", Err(Misfit::Domain)),
        ("bob@example.org.evil", Err(Misfit::Domain)),
        ("bob@sub.example.org", Err(Misfit::Domain)),
        ("bob@evilexample.org", Err(Misfit::Domain)),
        ("bob@example.org ", Err(Misfit::Domain)),
        ("bob@example.org\n", Err(Misfit::Domain)),
        ("bob@example.org\0", Err(Misfit::Domain)),
        ("bob@ex\u{212a}ample.org", Err(Misfit::Domain)),
        ("bob@\u{ff45}xample.org", Err(Misfit::Domain)),
        ("bob\u{ff20}example.org", Err(Misfit::Domain)),
        ("@example.org", Err(Misfit::Unusable)),
        (" @example.org", Err(Misfit::Unusable)),
    ];
    for (identity, wanted) in cases {
        let found = check(&stripping(&["example.org", "example.com"]), identity, &role("bob"));
        assert_eq!(found, wanted, "{identity}");
    }
    // K of the Kelvin sign is no k, and no domain with one.
    assert_eq!(
        check(&stripping(&["k.org"]), "bob@\u{212a}.org", &role("bob")),
        Err(Misfit::Domain)
    );
}

#[test]
fn only_ascii_letters_become_small() {
    let cases = [
        ("ALICE", "alice", Ok(())),
        ("alice", "alice", Ok(())),
        ("ALICE", "ALICE", Err(Misfit::SomebodyElse)),
        ("J\u{d6}RG", "j\u{d6}rg", Ok(())),
        ("J\u{d6}RG", "j\u{f6}rg", Err(Misfit::SomebodyElse)),
        ("\u{130}", "i", Err(Misfit::SomebodyElse)),
        ("", "", Err(Misfit::Unusable)),
    ];
    for (identity, name, wanted) in cases {
        assert_eq!(check(&lower_case(), identity, &role(name)), wanted, "{identity} {name}");
    }
}

#[test]
fn the_group_of_an_expression_goes_on() {
    let cases = [
        ("([a-z]+)[.]x", "alice.x", "alice", Ok(())),
        ("([a-z]+)[.]x", "alice.x", "alice.x", Err(Misfit::SomebodyElse)),
        ("([a-z]+)[.]x", "alice.xx", "alice", Err(Misfit::Capture)),
        ("([a-z]+)[.]x", "1alice.x", "alice", Err(Misfit::Capture)),
        ("(?:x|([a-z]+)y)", "x", "x", Err(Misfit::Capture)),
        ("([a-z]*)[.]x", ".x", "alice", Err(Misfit::Unusable)),
        ("(?s)(.*)x", "a\nx", "a", Err(Misfit::Unusable)),
        ("(.*)x", " ax", "a", Err(Misfit::Unusable)),
    ];
    for (pattern, identity, name, wanted) in cases {
        let found = check(&capturing(pattern), identity, &role(name));
        assert_eq!(found, wanted, "{pattern} {identity} {name}");
    }
}

#[test]
fn a_mapped_name_that_no_role_can_have_is_told() {
    let domain = stripping(&["x"]);
    let cut = "a".repeat(63);
    assert_eq!(check(&domain, &format!("{cut}@x"), &role(&cut)), Ok(()));
    assert_eq!(check(&domain, &format!("{cut}a@x"), &role(&cut)), Err(Misfit::Unusable));
    for name in ["a\x1b", "a\u{85}", " a", "a "] {
        assert_eq!(check(&domain, &format!("{name}@x"), &role("a")), Err(Misfit::Unusable));
    }
}

#[test]
fn a_map_gives_what_any_of_its_lines_gives() {
    let lines = || {
        vec![
            exactly("alice@x", "alice"),
            exactly("alice@x", "owner"),
            exactly("bob@x", r"\1"),
            matching(r"(.*)@y", r"y_\1_y"),
            matching(r"(.*)@y", "guest"),
            matching(r"(a)?b?@z", r"z\1"),
            matching(r"[0-9]+", "number"),
            exactly("", "nobody"),
            matching(r"()@empty", r"\1"),
        ]
    };
    let cases = [
        ("alice@x", "alice", Ok(())),
        ("alice@x", "owner", Ok(())),
        ("alice@x", "alice@x", Err(Misfit::Map)),
        ("alice@x", "guest", Err(Misfit::Map)),
        ("ALICE@x", "alice", Err(Misfit::Map)),
        // Only an expression has a group.
        ("bob@x", r"\1", Ok(())),
        ("bob@x", "bob", Err(Misfit::Map)),
        ("carol@y", "y_carol_y", Ok(())),
        ("carol@y", "guest", Ok(())),
        ("carol@y", "carol", Err(Misfit::Map)),
        ("carol@y", r"y_\1_y", Err(Misfit::Map)),
        (r"\1@y", r"y_\1_y", Ok(())),
        ("carol@y.evil", "guest", Err(Misfit::Map)),
        ("a@z", "za", Ok(())),
        // The group took no part: the line gives nothing.
        ("b@z", "z", Err(Misfit::Map)),
        ("b@z", r"z\1", Err(Misfit::Map)),
        ("12", "number", Ok(())),
        ("12x", "number", Err(Misfit::Map)),
        ("@empty", "", Err(Misfit::Map)),
        ("unknown", "unknown", Err(Misfit::Map)),
    ];
    for (identity, name, wanted) in cases {
        assert_eq!(check(&by_map(lines()), identity, &role(name)), wanted, "{identity} {name}");
    }
    assert_eq!(check(&by_map(Vec::new()), "alice", &role("alice")), Err(Misfit::Map));
}

#[test]
fn steps_follow_each_other_in_their_order() {
    let mapping = Mapping {
        strip_domain: vec!["example.org".to_owned()],
        lower_case: true,
        capture: Some(expression("([a-z]+)-dev")),
        map: Some(vec![exactly("alice", "team_a")]),
        reserved: Vec::new(),
    };
    assert_eq!(check(&mapping, "ALICE-Dev@Example.ORG", &role("team_a")), Ok(()));
    assert_eq!(check(&mapping, "ALICE-Dev@Example.ORG", &role("alice")), Err(Misfit::Map));
    assert_eq!(check(&mapping, "alice@example.org", &role("team_a")), Err(Misfit::Capture));
    assert_eq!(check(&mapping, "alice-dev", &role("team_a")), Err(Misfit::Domain));
}

#[test]
fn no_kind_of_mapping_reaches_a_reserved_role() {
    let kinds = || {
        [
            stripping(&["x"]),
            lower_case(),
            capturing("(.*)@x"),
            capturing("(.*)"),
            by_map(vec![matching("(.*)@x", r"\1"), matching("(.*)", r"\1")]),
        ]
    };
    for mut mapping in kinds() {
        mapping.reserved = vec!["root".to_owned(), "postgres".to_owned()];
        for name in ["postgres", "root", "pg_monitor", "pg_"] {
            for identity in [name.to_owned(), format!("{name}@x")] {
                assert_eq!(check(&mapping, &identity, &role(name)), Err(Misfit::Reserved));
            }
        }
        // Also whatever the claim says.
        assert_eq!(check(&mapping, "", &role("root")), Err(Misfit::Reserved));
        for name in ["postgres2", "apg_x", "pg"] {
            let reached = [name.to_owned(), format!("{name}@x")]
                .iter()
                .any(|identity| check(&mapping, identity, &role(name)).is_ok());
            assert!(reached, "{name}");
        }
    }
}

prop_compose! {
    fn any_mapping()(
        domains in proptest::collection::vec("[a-z]{1,3}[.][a-z]{1,3}", 0..3),
        lower_case in any::<bool>(),
        capture in prop_oneof![
            Just(None), Just(Some("(.*)")), Just(Some("([a-z]+).*")), Just(Some("(?i)(?:a|(b.*))")),
            Just(Some("(pg_.*)")),
        ],
        map in prop_oneof![
            Just(None),
            proptest::collection::vec(prop_oneof![
                ("[a-z@.]{1,4}", "[a-z_]{1,4}").prop_map(|(from, to)| exactly(&from, &to)),
                Just(matching("(.*)", r"\1")),
                Just(matching("(.).*", r"pg\1")),
                Just(matching("(a)|.*", r"\1x")),
            ], 0..4).prop_map(Some),
        ],
        reserved in proptest::collection::vec("[a-c]{1,2}", 0..3),
    ) -> Mapping {
        Mapping {
            strip_domain: domains,
            lower_case,
            capture: capture.map(expression),
            map,
            reserved,
        }
    }
}

proptest! {
    #[test]
    fn a_mapping_never_panics_and_never_reaches_a_reserved_role(
        mapping in any_mapping(),
        identity in prop_oneof![any::<String>(), "[a-cA-C@._]{0,6}", "pg_[a-c]{0,2}"],
        name in prop_oneof!["[a-c]{1,2}", "pg[_a-c]{0,3}"],
    ) {
        let role = role(&name);
        if check(&mapping, &identity, &role).is_ok() && mapping.rewrites() {
            prop_assert!(!name.starts_with("pg_") && !mapping.reserved.contains(&name));
        }
    }

    #[test]
    fn a_domain_that_is_not_ours_is_never_taken_away(
        identity in prop_oneof![
            any::<String>(), "[ab@.]{0,9}", "a@b[.]c[@.a-cA-C]{0,2}", "[@.a-c]{0,3}a@b[.]c",
        ],
        name in "[ab]{1,2}",
    ) {
        let accepted = check(&stripping(&["b.c"]), &identity, &role(&name)).is_ok();
        prop_assert_eq!(accepted, identity.to_ascii_lowercase() == format!("{name}@b.c")
            && identity.starts_with(&name));
    }

    #[test]
    fn without_a_mapping_nothing_but_the_role_itself_is_accepted(
        identity in prop_oneof![any::<String>(), "[ab]{0,2}"],
        name in "[ab]{1,2}",
    ) {
        let accepted = check(&Mapping::default(), &identity, &role(&name)).is_ok();
        prop_assert_eq!(accepted, identity == name);
    }
}
