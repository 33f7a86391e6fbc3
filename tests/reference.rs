//! docs/reference, as far as only the finished programs can say whether it is right. What a crate
//! knows by itself is tested there: `cargo test --workspace -- reference`.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use harness::artifacts::{self, source};
use reference::{Document, same};

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
    same("teams-sync", documented("teams-sync"), numbers(&sync));
}

/// Those that others tell are tested where they are given.
#[test]
fn teams_sync_ends_with_no_other_code_than_its_table_has() {
    let text = fs::read_to_string(source().join("teams-sync/src/cli/output.rs")).unwrap();
    let (_, arms) = text.split_once("fn code(self) -> u8 {").unwrap();
    let arms = arms.split("\n    }\n").next().unwrap();
    same("teams-sync", documented("teams-sync"), numbers(arms));
}

/// Whoever adds a file tests it, and links to it.
#[test]
fn every_link_between_documents_leads_to_one() {
    let folders = ["", "docs", "docs/reference", "operator", "pam-oauth2", "teams-sync"];
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
