//! docs/reference, as far as only the finished programs can say whether it is right. What a crate
//! knows by itself is tested there: `cargo test --workspace -- reference`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::artifacts::{self, source};
use reference::{Document, same};

use crate::tidy::sources;

/// What a program says about itself, from these words on.
fn help(program: PathBuf, arguments: &[&str], from: &str) -> String {
    let output = Command::new(program).args(arguments).arg("--help").output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text[text.find(from).unwrap_or_else(|| panic!("{from:?} is not in {text}"))..].to_owned()
}

fn numbers(text: &str) -> BTreeSet<u8> {
    text.split(|c: char| !c.is_alphanumeric()).filter_map(|word| word.parse().ok()).collect()
}

fn documented(program: &str) -> BTreeSet<u8> {
    let rows = Document::read("exit-codes.md").table(program);
    rows.iter().map(|row| row[0].parse().unwrap()).collect()
}

#[test]
fn every_exit_code_that_a_program_tells_is_in_its_table() {
    let check = help(artifacts::check(), &[], "The exit code is");
    let check = check.split("Usage:").next().unwrap();
    let adopt = help(artifacts::operator(), &["adopt"], "Exit codes:");
    let operator = help(artifacts::operator(), &[], "Exit codes:");
    let sync = help(artifacts::teams_sync(), &[], "Exit codes:");
    same("pam-oauth2-check", documented("pam-oauth2-check"), numbers(check));
    same("operator adopt", documented("operator adopt"), numbers(&adopt));
    same("operator", documented("operator run, operator crds"), numbers(&operator));
    let ztoken = help(artifacts::ztoken(), &[], "Exit codes:");
    same("teams-sync", documented("teams-sync"), numbers(&sync));
    same("ztoken", documented("ztoken"), numbers(&ztoken));
}

/// Those that others tell are tested where they are given.
#[test]
fn teams_sync_and_ztoken_end_with_no_other_code_than_their_tables_have() {
    for (program, file) in
        [("teams-sync", "teams-sync/src/cli/output.rs"), ("ztoken", "ztoken/src/error.rs")]
    {
        let text = fs::read_to_string(source().join(file)).unwrap();
        let (_, arms) = text.split_once("fn code(self) -> u8 {").unwrap();
        let arms = arms.split("\n    }\n").next().unwrap();
        same(program, documented(program), numbers(arms));
    }
}

/// Those of `exec` are its command's; all others are of the table.
#[test]
fn nothing_else_in_ztoken_makes_a_number_an_exit_code() {
    let makes = |text: &str| {
        ["ExitCode::", "process::exit", "libc::_exit"].iter().any(|way| text.contains(way))
    };
    let found = sources("ztoken/src").into_iter().filter(|(_, text)| makes(text));
    let found: Vec<_> = found.map(|(path, _)| path).collect();
    assert_eq!(found, [Path::new("ztoken/src/exec/signals.rs")]);
}

/// Whoever adds a file tests it, and links to it.
#[test]
fn every_link_between_documents_leads_to_one() {
    let folders = [
        "",
        "docs",
        "docs/reference",
        "operator",
        "packaging",
        "pam-oauth2",
        "teams-sync",
        "ztoken",
    ];
    let mut seen = 0;
    for folder in folders.map(|folder| source().join(folder)) {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            // Nothing within backticks is a link.
            let text: String = text.split('`').step_by(2).collect();
            let targets = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
            for target in targets.filter(|target| !target.contains("://")) {
                let file = target.split('#').next().unwrap();
                assert!(
                    file.is_empty() || folder.join(file).exists(),
                    "{}: {target}",
                    path.display()
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 15, "{seen}");
}
