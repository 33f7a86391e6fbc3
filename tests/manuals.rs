//! Man pages: complete, and free of lint.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::artifacts::{check, source};
use harness::{Packages, workdir::Workdir};
use pam_oauth2_arguments::{AccountLine, AuthLine, Error};

/// What mdoc(7) writes before the name of a long option.
const OPTION: &str = ".It Fl -";

fn page(name: &str) -> String {
    fs::read_to_string(source().join("packaging/man").join(name)).unwrap()
}

/// All man pages: those written by hand, and those made from `--help`.
fn pages() -> Vec<PathBuf> {
    let mut folders = vec![source().join("packaging/man"), Packages::shared().manuals()];
    let mut pages = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
            let is_page =
                |path: &Path| path.extension().is_some_and(|e| e == "1" || e == "5" || e == "8");
            if path.is_dir() {
                folders.push(path);
            } else if is_page(&path) {
                pages.push(path);
            }
        }
    }
    pages
}

#[test]
fn every_man_page_is_free_of_lint() {
    let pages = pages();
    assert!(pages.len() > 15, "{pages:?}");
    for page in pages {
        let mut mandoc = Command::new("mandoc");
        let output = mandoc.args(["-T", "lint", "-W", "warning"]).arg(&page).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.is_empty(), "{}: {said}", page.display());
    }
}

/// Words between quotes that stand before an arrow in the place where options are told apart.
fn options_of_the_code() -> BTreeSet<String> {
    let text = fs::read_to_string(source().join("pam-oauth2/arguments/src/options.rs")).unwrap();
    let arms = text.lines().filter_map(|line| line.trim().strip_prefix("\"--"));
    arms.filter_map(|arm| arm.split_once("\" =>")).map(|(name, _)| format!("--{name}")).collect()
}

#[test]
fn the_man_page_of_the_module_has_every_argument_and_no_other() {
    let text = page("pam_oauth2.8");
    let told = text.lines().filter_map(|line| line.strip_prefix(OPTION));
    let told = told.map(|line| format!("--{}", line.split(' ').next().unwrap()));
    let told: BTreeSet<String> = told.collect();
    assert_eq!(told, options_of_the_code());
    assert!(told.len() > 15, "{told:?}");
    for option in &told {
        let unknown = Error::UnknownOption(option.clone());
        assert_ne!(AuthLine::parse(&["https://example.com/", "uid", option]), Err(unknown));
    }
    // Bare words: whatever is none is not understood beside a login field.
    let bare = text.lines().filter_map(|line| line.strip_prefix(".It Cm "));
    let bare: Vec<&str> = bare
        .flat_map(|line| line.split(" , "))
        .filter(|w| w.contains('_') || *w == "debug")
        .collect();
    assert_eq!(bare.len(), 5, "{bare:?}");
    for word in bare {
        assert!(AccountLine::parse(&[word]).is_ok(), "{word}");
    }
}

/// The names that the code knows in a table, by what it says to one that it does not know.
fn keys_of_the_code(table: &str) -> BTreeSet<String> {
    let workdir = Workdir::new();
    let file = workdir.file("pam_oauth2.toml", format!("{table}\nno-such-key = 1\n"));
    let output = Command::new(check()).arg("config").arg(file).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let (_, known) = said.split_once("unknown field `no-such-key`, expected ").expect(&said);
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_man_page_of_the_file_has_every_key_of_every_table_and_no_other() {
    let text = page("pam_oauth2.toml.5");
    let tables = [
        ("Options of a section", "[postgresql]"),
        ("[[SECTION.issuer]]", "[[postgresql.issuer]]"),
        ("[SECTION.tokeninfo]", "[postgresql.tokeninfo]"),
        ("[SECTION.introspection]", "[postgresql.introspection]"),
        ("[[SECTION.require]]", "[[postgresql.require]]"),
        ("[[SECTION.role]]", "[[postgresql.role]]"),
        ("[SECTION.user]", "[postgresql.user]"),
    ];
    for (heading, table) in tables {
        let (_, part) = text.split_once(&format!(".Ss {heading}\n")).expect(heading);
        let part = part.split("\n.S").next().unwrap();
        let items = part.lines().filter_map(|line| line.strip_prefix(".It Ic "));
        let told: BTreeSet<String> =
            items.flat_map(|line| line.split(" , ")).map(str::to_owned).collect();
        assert_eq!(told, keys_of_the_code(table), "{heading}");
    }
    let headings = text.lines().filter(|line| line.starts_with(".Ss [")).count();
    assert_eq!(headings, tables.len() - 1);
}
