//! docs/reference/teams-sync-config.md against what is read.

use std::path::Path;

use reference::{Document, expected, same, words};

use super::Config;

const SERVER: &str = "[[server]]\nname = \"a\"\nteam = \"acid\"\ndsn = \"host=a\"\n";

/// Each table, and the least that makes it one.
const TABLES: [(&str, &str); 13] = [
    ("[source.teams_api]", "url = \"https://t.example\"\ntoken_env = \"T\"\n"),
    ("[source.scim]", "url = \"https://t.example\"\ntoken_env = \"T\"\n"),
    ("[source.file]", "path = \"/teams.toml\"\n"),
    ("[names]", ""),
    ("[humans]", ""),
    ("[teams.NAME]", ""),
    ("[infrastructure]", ""),
    ("[[infrastructure.secret]]", "dir = \"/s\"\npasswordkey = \"p\"\n"),
    ("[[role]]", "name = \"r\"\n"),
    ("[guard]", ""),
    ("[apply]", ""),
    ("[service]", ""),
    ("[[server]]", "name = \"b\"\ndsn = \"host=b\"\n"),
];

fn document() -> Document {
    Document::read("teams-sync-config.md")
}

fn parse(text: &str) -> Result<Config, String> {
    let token = |name: &str| (name == "T").then(|| "token".to_owned());
    let parsed = Config::parse(text, "teams-sync.toml", Path::new("/etc/teams-sync"), &token);
    parsed.map_err(|error| error.to_string())
}

/// A file with one table beside the least that there has to be.
fn file(table: &str, content: &str) -> String {
    format!("{SERVER}{table}\n{content}")
}

#[test]
fn every_key_is_in_the_table_of_its_section() {
    for (table, _) in TABLES {
        let rows = document().table(&format!("`{table}`"));
        let documented = rows.iter().flat_map(|row| words(&row[0])).map(str::to_owned);
        let told = parse(&file(table, "no-such-key = 1\n")).unwrap_err();
        same(table, documented, expected(&told));
    }
}

#[test]
fn every_section_has_a_heading() {
    let told = parse("no-such-section = 1\n").unwrap_err();
    let mut known: Vec<String> = expected(&told).into_iter().collect();
    known.retain(|section| section != "source");
    let told = parse("[source]\nno-such-section = 1\n").unwrap_err();
    known.extend(expected(&told).into_iter().map(|kind| format!("source.{kind}")));
    let document = document();
    let headings = document.text().lines().filter_map(|line| line.strip_prefix("## "));
    let bare = headings.map(|heading| heading.trim_matches(['`', '[', ']']).replace(".NAME", ""));
    same("sections", bare.filter(|section| section != "infrastructure.secret"), known);
}

#[test]
fn what_is_required_is_missed_and_nothing_else() {
    for (table, least) in TABLES {
        assert_eq!(parse(&file(table, least)).err(), None, "{table}");
        for row in document().table(&format!("`{table}`")) {
            let key = words(&row[0])[0];
            let without: Vec<&str> =
                least.lines().filter(|line| !line.starts_with(&format!("{key} ="))).collect();
            let told = parse(&file(table, &without.join("\n")));
            let is_missed = told.err().is_some_and(|told| told.contains(&format!("`{key}`")));
            assert_eq!(is_missed, row[1] == "*required*", "{table} {key}");
        }
    }
}

#[test]
fn a_default_is_what_counts_where_nothing_is_said() {
    let mut seen = 0;
    for (table, least) in TABLES {
        for row in document().table(&format!("`{table}`")) {
            let (key, default) = (words(&row[0])[0], words(&row[1]));
            let ([default], true) = (&default[..], row[1].starts_with('`')) else { continue };
            let is_bare =
                default.parse::<f64>().is_ok() || ["[]", "{}", "false", "true"].contains(default);
            let value = if is_bare { (*default).to_owned() } else { format!("'{default}'") };
            let said = parse(&file(table, &format!("{least}{key} = {value}\n"))).unwrap();
            let unsaid = parse(&file(table, least)).unwrap();
            assert_eq!(format!("{said:?}"), format!("{unsaid:?}"), "{table} {key}");
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}
