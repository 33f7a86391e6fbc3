//! The book is whole: it builds without a warning, all pages are in it, and every link leads to
//! something that is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use harness::artifacts::source;
use harness::book;
use harness::workdir::Workdir;

/// Pages that mdbook makes of all others, or that have no place of their own.
const MADE: [&str; 3] = ["404.html", "print.html", "toc.html"];

/// Builds it in a folder of its own.
#[track_caller]
fn build() -> Workdir {
    let workdir = Workdir::new();
    let mut command = Command::new(book::mdbook());
    command.arg("build").arg(book::folder()).arg("--dest-dir").arg(workdir.path().join("book"));
    let output = command.env_remove("RUST_LOG").output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("HTML book written"), "{said}");
    assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
    workdir
}

#[test]
fn it_builds_without_a_warning_and_leaves_no_page_out() {
    let workdir = build();
    for path in book::files_with("md") {
        let page = path.strip_prefix(book::folder()).unwrap();
        if page != Path::new("SUMMARY.md") {
            let built = workdir.path().join("book").join(page).with_extension("html");
            assert!(built.exists(), "docs/SUMMARY.md leaves out {}", page.display());
        }
    }
}

/// Values of an attribute in HTML.
fn attributes<'t>(html: &'t str, name: &str) -> Vec<&'t str> {
    let mark = format!(" {name}=\"");
    html.split(&mark).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => assert!(plain.pop(), "{} leads out", path.display()),
            other => plain.push(other),
        }
    }
    plain
}

fn is_elsewhere(link: &str) -> bool {
    ["http://", "https://", "mailto:", "data:"].iter().any(|scheme| link.starts_with(scheme))
}

#[test]
fn every_link_between_its_pages_leads_somewhere() {
    let workdir = build();
    let root = workdir.path().join("book");
    let mut pages = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path if path.extension().is_some_and(|own| own == "html") => {
                    pages.insert(path.clone(), fs::read_to_string(&path).unwrap());
                }
                _ => {}
            }
        }
    }
    let mut seen = 0;
    for (path, html) in &pages {
        if MADE.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        for link in [attributes(html, "href"), attributes(html, "src")].concat() {
            if is_elsewhere(link) {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file => plain(&path.parent().unwrap().join(file)),
            };
            let shown = path.strip_prefix(&root).unwrap().display();
            assert!(target.exists(), "{shown}: {link} leads nowhere");
            seen += 1;
            if anchor.is_empty() {
                continue;
            }
            let html = follow(&pages, &target);
            assert!(
                attributes(html, "id").contains(&anchor),
                "{shown}: {link}: there is no such heading"
            );
        }
    }
    assert!(seen > 500, "{seen}");
}

/// The page, or the one that it sends everybody to.
fn follow<'p>(pages: &'p BTreeMap<PathBuf, String>, path: &Path) -> &'p str {
    let html = pages.get(path).unwrap_or_else(|| panic!("{} is no page", path.display()));
    match html.split("http-equiv=\"refresh\"").nth(1).and_then(|rest| rest.split("URL=").nth(1)) {
        Some(rest) => {
            let place = rest.split('"').next().unwrap_or_default();
            follow(pages, &plain(&path.parent().unwrap().join(place)))
        }
        None => html,
    }
}

/// As a heading is called in links: by GitHub, and by mdbook.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|own| own.is_alphanumeric() || " -_".contains(*own));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// What is no code.
fn prose(text: &str) -> String {
    let without_blocks: String = text.split("\n```").step_by(2).collect();
    without_blocks.split('`').step_by(2).collect()
}

/// Of pages as they are read in the repository, those that are no part of the book included.
#[test]
fn every_link_of_the_repository_leads_somewhere() {
    let mut files = book::files_with("md");
    for folder in ["", "operator", "packaging", "pam-oauth2", "teams-sync", "ztoken"] {
        let entries = fs::read_dir(source().join(folder)).unwrap().flatten();
        let paths = entries.map(|entry| entry.path());
        files.extend(paths.filter(|path| path.extension().is_some_and(|own| own == "md")));
    }
    let mut seen = BTreeSet::new();
    for path in &files {
        let text = prose(&fs::read_to_string(path).unwrap());
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if is_elsewhere(link) {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            let shown = path.strip_prefix(source()).unwrap().display();
            assert!(target.exists(), "{shown}: {link} leads nowhere");
            seen.insert((path, link.to_owned()));
            if !anchor.is_empty() {
                let text = with_included(&target);
                let mut headings = text.lines().filter(|line| line.starts_with('#'));
                let found = headings.any(|heading| slug(heading.trim_start_matches('#')) == anchor);
                assert!(found, "{shown}: {link}: there is no such heading");
            }
        }
    }
    assert!(seen.len() > 60, "{}", seen.len());
}

/// Of a page that shows a file of another folder, that file.
fn with_included(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let included = text.lines().find_map(|line| {
        line.strip_prefix("{{#include ")?
            .strip_suffix("}}")
            .map(|file| path.parent().unwrap().join(file))
    });
    match included {
        Some(file) => fs::read_to_string(file).unwrap(),
        None => text,
    }
}

/// What a page says to run with make is there.
#[test]
fn every_target_of_make_that_a_page_names_is_there() {
    let makefile = fs::read_to_string(source().join("Makefile")).unwrap();
    let targets: BTreeSet<&str> =
        makefile.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    let mut seen = 0;
    for (name, text) in book::pages() {
        for span in text.split('`').skip(1).step_by(2) {
            let Some(target) = span.strip_prefix("make ") else { continue };
            let target = target.split_whitespace().next().unwrap_or_default();
            assert!(targets.contains(target), "docs/{name}: there is no `make {target}`");
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen}");
}
