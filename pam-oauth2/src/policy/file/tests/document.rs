//! The documentation, and texts that are damaged or nothing at all.

use std::collections::BTreeSet;

use proptest::prelude::*;
use reference::{Document, expected, same, words};
use toml::Spanned;

use super::*;

const DOCUMENT: &str = include_str!("../../../../../docs/reference/pam-toml.md");

/// The blocks of the documentation that are written in this language, in their order.
fn blocks(language: &str) -> Vec<&'static str> {
    let pieces = DOCUMENT.split("\n```").collect::<Vec<_>>();
    let inside = pieces.iter().skip(1).step_by(2);
    inside.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect()
}

#[test]
fn the_example_of_the_documentation_is_a_configuration() {
    let [example] = blocks("toml")[..] else { panic!("one example") };
    let [map] = blocks("map")[..] else { panic!("one map") };
    let load = |path: &Path| match path.to_str() {
        Some("/etc/pam_oauth2/map") => Ok(map.into()),
        _ => Err(FileFault::Irregular),
    };
    let all = parse_all(Path::new("/etc/pam_oauth2.toml"), example, &load).unwrap();
    let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["pgbouncer", "postgresql"]);
    let known = ["[defaults]", "[postgresql.user]", "[[postgresql.role.require]]"];
    assert!(known.iter().all(|table| example.contains(table)));
}

/// The tables of a file.
const TABLES: [&str; 7] = [
    "[pg]",
    "[[pg.issuer]]",
    "[pg.introspection]",
    "[pg.tokeninfo]",
    "[[pg.require]]",
    "[[pg.role]]",
    "[pg.user]",
];

/// The keys that a table of the file can have, as the reader lists them.
fn known(table: &str) -> BTreeSet<String> {
    expected(&read(&format!("{table}\nno-such-key = 1\n")).unwrap_err())
}

#[test]
fn every_key_is_in_the_table_of_its_section_and_in_the_example() {
    let document = Document::read("pam-toml.md");
    let documented = |heading: &str, place: usize| -> BTreeSet<String> {
        let table = &document.tables(heading)[place];
        table.iter().flat_map(|row| words(&row[0])).map(str::to_owned).collect()
    };
    let [section, issuer, introspection, tokeninfo, require, role, user] = TABLES.map(known);
    let [example] = blocks("toml")[..] else { panic!("one example") };
    for key in [&section, &issuer, &introspection, &tokeninfo, &require, &role, &user]
        .into_iter()
        .flatten()
    {
        let shown = [format!("{key} ="), format!(".{key}]")];
        assert!(shown.iter().any(|form| example.contains(form)), "{key} is not in the example");
    }
    let tables =
        ["introspection", "issuer", "require", "role", "tokeninfo", "user"].map(str::to_owned);
    let mut options = documented("Options of a section", 0);
    options.extend(tables);
    same("a section", options, section);
    same("issuer", documented("Who is believed", 0), issuer);
    let asked = introspection.union(&tokeninfo).cloned();
    same("who is asked", documented("Who is believed", 1), asked);
    let mut tests = documented("What else has to hold", 0);
    assert!(tests.insert("claim".to_owned()));
    same("require", tests, require);
    same("role", documented("What else has to hold", 1), role);
    same("user", documented("From the login field to the role", 0), user);
}

#[test]
fn the_documentation_names_every_reserved_role() {
    let (_, list) = DOCUMENT.split_once("these roles are reserved unless").unwrap();
    let list = list.split_once(": ").unwrap().1.split(". ").next().unwrap();
    same("reserved roles", words(list), user::RESERVED);
}

#[test]
fn a_default_of_an_option_is_what_counts_where_nothing_is_said() {
    let mut seen = 0;
    for row in Document::read("pam-toml.md").table("Options of a section") {
        let [key, default] = [&row[0], &row[2]].map(|cell| words(cell)[..].first().copied());
        let (Some(key), Some(default), true) = (key, default, row[2].starts_with('`')) else {
            continue;
        };
        let quote = if default == "false" { "" } else { "\"" };
        let said = policy(&with(&format!("{key} = {quote}{default}{quote}"), ""));
        assert_eq!(said.limits, policy(&with("", "")).limits, "{key}");
        seen += 1;
    }
    assert_eq!(seen, 6);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _policy = read(&text);
    }

    #[test]
    fn no_text_of_tables_and_keys_makes_it_panic(
        lines in proptest::collection::vec((
            prop_oneof![
                Just("[pg]\n"), Just("[pg.user]\n"), Just("[[pg.issuer]]\n"), Just("[[pg.role]]\n"),
                Just("[[pg.require]]\n"), Just("[pg.tokeninfo]\n"), Just("[pg.introspection]\n"),
                Just("[[pg.issuer.require]]\n"), Just("[defaults]\n"), Just(""), Just("user."),
            ],
            prop_oneof![
                Just("url"), Just("claim"), Just("equals"), Just("matches"), Just("timeout"),
                Just("login-field"), Just("names"), Just("online"), Just("capture"), Just("audience"),
                Just("strip-domain"), Just("map-file"), Just("map"), Just("issuer"), Just("x"),
            ],
            prop_oneof![
                Just("\"https://a.example/?x=\"".to_owned()), Just("1".to_owned()),
                Just("true".to_owned()), Just("[]".to_owned()), Just("{}".to_owned()),
                Just("[\"a\", 1]".to_owned()), Just("\"/etc/map\"".to_owned()),
                any::<String>().prop_map(|text| format!("{text:?}")), any::<String>(),
            ],
        ), 0..12),
    ) {
        let text: String =
            lines.iter().map(|(table, key, value)| format!("{table}{key} = {value}\n")).collect();
        if let Err(fault) = read(&text) {
            prop_assert!(fault.bytes().all(|b| b == b' ' || b.is_ascii_graphic()), "{}", fault);
        }
    }

    #[test]
    fn no_damaged_example_makes_it_panic(from in 0usize..4000, length in 0usize..40, by in ".{0,3}") {
        let example = blocks("toml").concat();
        let from = from.min(example.len());
        let to = (from + length).min(example.len());
        if let (Some(before), Some(behind)) = (example.get(..from), example.get(to..)) {
            let _all = parse_all(Path::new("/x"), &format!("{before}{by}{behind}"), &one_map);
        }
    }

    #[test]
    fn a_pointer_finds_what_it_was_made_from(tokens in proptest::collection::vec(any::<String>(), 1..4)) {
        let escaped = tokens.iter().map(|token| token.replace('~', "~0").replace('/', "~1"));
        let written: String = escaped.map(|token| format!("/{token}")).collect();
        let source = Source { path: Path::new("/x"), text: "", load: &one_map };
        let path = user::claim(&source, &Spanned::new(0..0, written.clone())).unwrap();
        prop_assert_eq!(path, ClaimPath::Pointer { tokens, written });
    }
}
