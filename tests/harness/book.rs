//! The pages of docs/ as tests read them: fenced blocks with what they are in, and tables.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::artifacts::source;
use crate::cache;

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Fence {
    /// The page, from docs/.
    pub page: String,
    /// Where it begins, counted from 1.
    pub line: usize,
    /// The first word behind the fence: `pam`, `toml`, ...
    pub language: String,
    /// The second one, which says what a file of that language is for. May be empty.
    pub subject: String,
    pub text: String,
}

impl Fence {
    /// For messages.
    pub fn place(&self) -> String {
        format!("docs/{}, line {}", self.page, self.line)
    }
}

/// The folder of the book.
pub fn folder() -> PathBuf {
    source().join("docs")
}

/// The program that builds it.
pub fn mdbook() -> PathBuf {
    cache::mdbook()
}

/// The text of each page, by its path from docs/, with what it includes of docs/examples and of README.md.
pub fn pages() -> BTreeMap<String, String> {
    let files = files_with("md");
    let pages =
        files.iter().filter(|path| path.file_name().is_some_and(|name| name != "SUMMARY.md"));
    pages.map(|path| (name_of(path), expanded(path))).collect()
}

/// One of them.
#[track_caller]
pub fn page(name: &str) -> String {
    pages().remove(name).unwrap_or_else(|| panic!("the book has no page {name}"))
}

/// Paths of files below docs/ with this extension.
pub fn files_with(extension: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the book").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|own| own == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// All fenced blocks in a language.
pub fn fences(language: &str) -> Vec<Fence> {
    let all = pages().into_iter().flat_map(|(page, text)| fences_of(&page, &text));
    all.filter(|fence| fence.language == language).collect()
}

/// Those of one page, in their order.
#[track_caller]
pub fn fences_on(page_name: &str, language: &str) -> Vec<Fence> {
    let all = fences_of(page_name, &page(page_name)).into_iter();
    let found: Vec<_> = all.filter(|fence| fence.language == language).collect();
    assert!(!found.is_empty(), "{page_name} has no block in {language}");
    found
}

/// Blocks in any language.
pub fn fences_of(page: &str, text: &str) -> Vec<Fence> {
    let mut found = Vec::new();
    let mut open: Option<(usize, Fence)> = None;
    for (number, line) in text.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let fenced = line.trim_start().strip_prefix("```");
        match (open.as_mut(), fenced) {
            (None, None) => {}
            (None, Some(info)) => {
                let mut words = info.split_whitespace().map(str::to_owned);
                let fence = Fence {
                    page: page.to_owned(),
                    line: number + 1,
                    language: words.next().unwrap_or_default(),
                    subject: words.next().unwrap_or_default(),
                    text: String::new(),
                };
                open = Some((indent, fence));
            }
            (Some((outer, fence)), None) => {
                fence.text.push_str(line.get(*outer..).unwrap_or_default());
                fence.text.push('\n');
            }
            (Some(_), Some(_)) => found.extend(open.take().map(|(_, fence)| fence)),
        }
    }
    assert!(open.is_none(), "{page}: a block does not end");
    found
}

/// Code spans in the column with this heading, of all tables of a text.
pub fn code_in_column(text: &str, heading: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut column = None;
    for line in text.lines() {
        let cells: Vec<&str> = match line.strip_prefix('|') {
            Some(row) => row.trim_end().trim_end_matches('|').split(" | ").collect(),
            None => {
                column = None;
                continue;
            }
        };
        match column {
            None => column = Some(cells.iter().position(|cell| cell.trim() == heading)),
            Some(None) => {}
            Some(Some(index)) => {
                let cell = cells.get(index).copied().unwrap_or_default();
                found.extend(cell.split('`').skip(1).step_by(2).map(str::to_owned));
            }
        }
    }
    found
}

fn name_of(path: &Path) -> String {
    let name = path.strip_prefix(folder()).expect("a page lies in docs/");
    name.to_str().expect("its name is UTF-8").to_owned()
}

/// What README.md has between the marks of this name.
#[track_caller]
pub fn of_the_readme(anchor: &str) -> String {
    let text = fs::read_to_string(source().join("README.md")).expect("a README");
    let (begin, end) =
        (format!("<!-- ANCHOR: {anchor} -->\n"), format!("<!-- ANCHOR_END: {anchor} -->"));
    let part = text.split(&begin).nth(1).and_then(|rest| rest.split(&end).next());
    part.unwrap_or_else(|| panic!("README.md has no part {anchor}")).to_owned()
}

/// With the files of docs/examples and the parts of README.md that it includes. Pages that are a
/// README of another folder stay as they are: the tests of that folder read it.
fn expanded(path: &Path) -> String {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let include = |line: &str| {
        let file = line.strip_prefix("{{#include ")?.strip_suffix("}}")?;
        if let Some(anchor) = file.strip_prefix("../README.md:") {
            return Some(of_the_readme(anchor));
        }
        let file = path.parent()?.join(file);
        let is_example = file.components().any(|part| part.as_os_str() == "examples");
        is_example.then(|| fs::read_to_string(&file).expect("an example that is included"))
    };
    let lines = text.lines().map(|line| include(line).unwrap_or_else(|| format!("{line}\n")));
    lines.collect()
}
