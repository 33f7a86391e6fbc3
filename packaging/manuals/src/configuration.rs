//! Man pages of configuration files, from the documents that have their tables: of Markdown as it is
//! written there, headings, paragraphs, lists, tables and fenced blocks.

use std::path::PathBuf;

use clap_mangen::roff::{Inline, Roff, bold, roman};

/// A file, by the command that reads it.
struct File {
    command: &'static str,
    /// The page.
    name: &'static str,
    place: &'static str,
    document: &'static str,
    /// Sections of the document, or all of them where none is named.
    sections: &'static [&'static str],
    /// The one that the package has.
    example: &'static str,
}

const FILES: [File; 2] = [
    File {
        command: "teams-sync",
        name: "teams-sync.toml",
        place: "/etc/teams-sync/teams-sync.toml",
        document: include_str!("../../../docs/reference/teams-sync-config.md"),
        sections: &[],
        example: include_str!("../../deb/examples/teams-sync.toml"),
    },
    File {
        command: "ztoken",
        name: "ztoken.toml",
        place: "~/.config/ztoken/config.toml, /etc/ztoken/config.toml",
        document: include_str!("../../../ztoken/README.md"),
        sections: &["Set it up", "Keys of a profile", "Robots"],
        example: include_str!("../../deb/examples/config.toml"),
    },
];

/// The page of the file that a command reads, where there is one, with its path below /usr/share.
pub(crate) fn page(command: &str, source: &str, date: &str) -> Option<(PathBuf, Vec<u8>)> {
    let file = FILES.iter().find(|file| file.command == command)?;
    let mut roff = Roff::new();
    roff.control("TH", [&file.name.to_uppercase(), "5", date, source, "Blue Elephant"]);
    roff.control("SH", ["NAME"]);
    roff.text([roman(format!("{} - configuration of {command}", file.name))]);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([roman(file.place)]);
    roff.control("SH", ["DESCRIPTION"]);
    let (first, rest) = file.document.split_once("\n## ").unwrap_or((file.document, ""));
    if file.sections.is_empty() {
        // Below the title.
        blocks(&mut roff, first.split_once('\n').map_or("", |(_, rest)| rest));
    }
    for section in rest.split("\n## ") {
        let (heading, text) = section.split_once('\n').unwrap_or((section, ""));
        if file.sections.is_empty() || file.sections.contains(&heading) {
            roff.control("SS", [plain(heading).as_str()]);
            blocks(&mut roff, text);
        }
    }
    roff.control("SH", ["EXAMPLES"]);
    fenced(&mut roff, file.example);
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold(command), roman("(1)")]);
    let path = PathBuf::from(format!("man/man5/{}.5", file.name));
    Some((path, roff.render().into_bytes()))
}

/// What is between blank lines; within a fence they mean nothing.
fn blocks(roff: &mut Roff, text: &str) {
    // Right below a heading a paragraph begins by itself.
    let mut is_first = true;
    let mut paragraph = |roff: &mut Roff| {
        if !std::mem::take(&mut is_first) {
            roff.control("PP", []);
        }
    };
    for (index, part) in text.split("```").enumerate() {
        if index % 2 == 1 {
            paragraph(roff);
            fenced(roff, part.split_once('\n').map_or("", |(_language, code)| code));
            continue;
        }
        for block in part.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
            match block.chars().next() {
                Some('|') => table(roff, block),
                Some('-') => list(roff, block),
                _ => {
                    paragraph(roff);
                    roff.text([roman(plain(block))]);
                }
            }
        }
    }
}

/// As it stands.
fn fenced(roff: &mut Roff, code: &str) {
    roff.control("nf", []);
    code.trim_end().lines().for_each(|line| {
        roff.text([roman(format!("  {line}"))]);
    });
    roff.control("fi", []);
}

/// Of a key its default, if it has one, and what it means.
fn table(roff: &mut Roff, block: &str) {
    for row in block.lines().skip(2) {
        let row = row.replace("\\|", "\0");
        let cells: Vec<String> =
            row.trim_matches('|').split('|').map(|cell| plain(&cell.replace('\0', "|"))).collect();
        let [key, middle @ .., meaning] = &cells[..] else { continue };
        roff.control("TP", []);
        roff.text([bold(key.as_str())]);
        let mut told: Vec<Inline> = Vec::new();
        match middle.first().map_or("", String::as_str) {
            "" => {}
            "required" => told.push(roman("Required. ")),
            default => told.extend([roman("Default: "), bold(default), roman(". ")]),
        }
        told.push(roman(meaning.as_str()));
        if told.iter().all(|one| matches!(one, Inline::Roman(text) if text.is_empty())) {
            told = vec![roman("As above.")];
        }
        roff.text(told);
    }
}

fn list(roff: &mut Roff, block: &str) {
    for item in format!("\n{block}").split("\n- ").skip(1) {
        roff.control("IP", ["\\(bu", "2"]);
        roff.text([roman(plain(item))]);
    }
}

/// Words alone, on one line: no marks for code, emphasis and links.
fn plain(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut words = String::new();
    let mut rest = text.as_str();
    while let Some((before, link)) = rest.split_once('[') {
        words.push_str(before);
        match link.split_once("](").and_then(|(name, rest)| Some((name, rest.split_once(')')?.1))) {
            // Of a link, not of `[a]`.
            Some((name, after)) if !name.contains(']') => {
                words.push_str(name);
                rest = after;
            }
            _ => {
                words.push('[');
                rest = link;
            }
        }
    }
    words.push_str(rest);
    words.replace(['`', '*'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_markdown_only_words_are_left() {
        assert_eq!(plain("`[[a]]` and\n  *b*, [c `d`](e.md#f); [g]"), "[[a]] and b, c d; [g]");
    }

    #[test]
    fn each_key_of_a_document_is_in_the_page() {
        for file in FILES {
            let (_, page) = page(file.command, "source", "2026-01-01").unwrap();
            let page = String::from_utf8(page).unwrap();
            let mut seen = 0;
            for line in file.document.lines().filter(|line| line.starts_with("| `")) {
                // The exit codes of ztoken are numbers, and elsewhere.
                let key = plain(line.split('|').nth(1).unwrap());
                let shown = page.contains(&format!("\\fB{}\\fR", key.replace('-', "\\-")));
                assert!(shown, "{}: {key}\n{page}", file.name);
                seen += 1;
            }
            assert!(seen > 15, "{}: {seen}", file.name);
            assert!(!page.contains('`') && !page.contains("]("), "{page}");
        }
        assert_eq!(page("operator", "source", "2026-01-01"), None);
    }
}
