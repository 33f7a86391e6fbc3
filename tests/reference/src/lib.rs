//! The tables of `docs/reference`, for the tests that hold them to the code.
//!
//! A table is either written by people, and then a test reads its cells and compares them with what
//! the code knows, in both directions; or it is made from the code, between two comments, and then
//! a test compares it with what stands there. `make reference` writes the latter anew.

#![allow(clippy::expect_used, clippy::panic, reason = "all of it is a part of tests")]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;

/// Its cells, by rows, without the head.
pub type Table = Vec<Vec<String>>;

/// A file of `docs/reference`.
#[derive(Debug)]
pub struct Document {
    path: PathBuf,
    text: String,
}

impl Document {
    /// Reads it.
    #[must_use]
    pub fn read(name: &str) -> Self {
        let path =
            PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference")).join(name);
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, text }
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands below a heading, up to the next one of whatever level.
    fn below(&self, heading: &str) -> impl Iterator<Item = &str> {
        let is_it =
            |line: &&str| line.starts_with('#') && line.trim_start_matches('#').trim() == heading;
        let mut lines = self.text.lines();
        lines
            .find(is_it)
            .unwrap_or_else(|| panic!("{}: no heading {heading:?}", self.path.display()));
        lines.take_while(|line| !line.starts_with("# ") && !line.starts_with("##"))
    }

    /// The tables below a heading.
    #[must_use]
    pub fn tables(&self, heading: &str) -> Vec<Table> {
        let mut tables = Vec::new();
        let mut open = Table::new();
        for line in self.below(heading).chain([""]) {
            if line.starts_with('|') {
                open.push(cells(line));
            } else if !open.is_empty() {
                // The head, and the line below it.
                tables.push(open.split_off(2));
                open.clear();
            }
        }
        assert!(!tables.is_empty(), "{}: no table below {heading:?}", self.path.display());
        tables
    }

    /// The one table below a heading.
    #[must_use]
    pub fn table(&self, heading: &str) -> Table {
        let mut tables = self.tables(heading);
        assert_eq!(tables.len(), 1, "{}: {heading:?}", self.path.display());
        tables.remove(0)
    }

    /// Compares what stands between `<!-- generated: PART -->` and `<!-- end -->` with what the code
    /// says; where the variable `REFERENCE` is `write`, it is written.
    pub fn generated(&self, part: &str, wanted: &str) {
        let begin = format!("<!-- generated: {part} -->\n");
        let (_, rest) = self.text.split_once(&begin).unwrap_or_else(|| {
            panic!("{} has no line {}", self.path.display(), begin.trim_end());
        });
        let (found, _) = rest.split_once("<!-- end -->").expect("what is generated has an end");
        let wanted = format!("\n{}\n\n", wanted.trim());
        if std::env::var_os("REFERENCE").is_some_and(|what| what == "write") {
            // The other parts may have been written meanwhile.
            let now = fs::read_to_string(&self.path).expect("the file was read before");
            let (old, new) = (format!("{begin}{found}<!--"), format!("{begin}{wanted}<!--"));
            fs::write(&self.path, now.replace(&old, &new)).expect("the file can be written");
            return;
        }
        assert!(
            found == wanted,
            "{}, {part}: the code says otherwise; `make reference` writes it. It should be:\n{wanted}",
            self.path.display()
        );
    }
}

/// `| a | b \| c |`.
fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|').replace("\\|", "\0");
    inner.split('|').map(|cell| cell.trim().replace('\0', "|")).collect()
}

/// What stands in `backticks` in a cell.
#[must_use]
pub fn words(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// A table in Markdown.
#[must_use]
pub fn markdown(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: Vec<String>| {
        let cells = cells.into_iter().map(|cell| cell.replace('|', "\\|").replace('\n', " "));
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let mut text = line(head.iter().map(|&cell| cell.to_owned()).collect());
    text.push_str(&format!("|{}\n", "---|".repeat(head.len())));
    text.extend(rows.into_iter().map(line));
    text
}

/// The metrics of a page that Prometheus can read, as a table. Each has to have a sample.
#[must_use]
pub fn metrics(page: &str) -> String {
    let rows = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).map(|line| {
        let (family, kind) = line.split_once(' ').expect("a name and a type");
        let help = page.lines().find_map(|line| line.strip_prefix(&format!("# HELP {family} ")));
        let help = help.expect("a metric is explained").trim_end_matches('.');
        let samples = page.lines().filter_map(|line| line.strip_prefix(family));
        let mut labels = BTreeSet::new();
        let mut name = None;
        for sample in samples {
            let (end, rest) = sample.split_at(sample.find(['{', ' ']).unwrap_or(sample.len()));
            if !["", "_total", "_bucket"].contains(&end) {
                continue;
            }
            let total = if end == "_total" { end } else { "" };
            name = Some(format!("`{family}{total}`"));
            let keys = rest.split("=\"").filter_map(|part| part.rsplit(['{', ',']).next());
            let keys = keys.filter(|key| !key.contains(['"', '}', ' ']) && *key != "le");
            labels.extend(keys.map(|key| format!("`{key}`")));
        }
        let name = name.unwrap_or_else(|| panic!("{family} has no sample"));
        vec![
            name,
            kind.to_owned(),
            labels.into_iter().collect::<Vec<_>>().join(" "),
            help.to_owned(),
        ]
    });
    markdown(&["metric", "type", "labels", "what it tells"], rows)
}

/// Both have the same elements, and each once.
#[track_caller]
pub fn same<T: Ord + Debug>(
    what: &str,
    documented: impl IntoIterator<Item = T>,
    known: impl IntoIterator<Item = T>,
) {
    let documented: Vec<T> = documented.into_iter().collect();
    let count = documented.len();
    let (documented, known): (BTreeSet<T>, BTreeSet<T>) =
        (documented.into_iter().collect(), known.into_iter().collect());
    assert!(!known.is_empty(), "{what}: the code knows nothing");
    let missing: Vec<&T> = known.difference(&documented).collect();
    let unknown: Vec<&T> = documented.difference(&known).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "{what}: missing {missing:?}, unknown {unknown:?}"
    );
    assert_eq!(count, known.len(), "{what}: something is there twice");
}

/// The names that a parser made by serde lists when it meets one that it does not know.
#[must_use]
pub fn expected(message: &str) -> BTreeSet<String> {
    let list = message.split_once("expected ").map_or("", |(_, list)| list);
    let list = list.lines().next().unwrap_or_default();
    words(list).into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document { path: PathBuf::new(), text: text.to_owned() }
    }

    #[test]
    fn tables_are_found_by_their_heading() {
        let text = "# A\n\n| x |\n|---|\n| 1 |\n\n## B\nwords\n| y | z |\n|---|---|\n| `a\\|b` | 2 |\n\n| w |\n|---|\n";
        let found = document(text);
        assert_eq!(found.table("A"), [["1"]]);
        assert_eq!(found.tables("B"), [vec![vec!["`a|b`".to_owned(), "2".to_owned()]], vec![]]);
        assert_eq!(words("`a|b`, or `c`"), ["a|b", "c"]);
        let made = markdown(&["y", "z"], [vec!["`a|b`".to_owned(), "2".to_owned()]]);
        assert!(text.contains(&made), "{made}");
    }

    #[test]
    fn what_only_one_side_has_is_named() {
        let told = |documented: &[u8], known: &[u8]| {
            let (documented, known) = (documented.to_vec(), known.to_vec());
            let told = std::panic::catch_unwind(|| same("x", documented, known)).err()?;
            told.downcast_ref::<String>().cloned()
        };
        assert_eq!(told(&[1, 2], &[2, 1]), None);
        assert_eq!(told(&[1, 3], &[2, 1]).unwrap(), "x: missing [2], unknown [3]");
        assert!(told(&[1, 1, 2], &[2, 1]).unwrap().contains("twice"));
        assert!(told(&[], &[]).unwrap().contains("nothing"));
    }

    #[test]
    fn what_the_code_says_is_compared_byte_for_byte() {
        let found = document("a\n<!-- generated: t -->\n\nsame\n\n<!-- end -->\nb");
        found.generated("t", "same\n");
        for other in ["Same", "same\nmore", ""] {
            assert!(std::panic::catch_unwind(|| found.generated("t", other)).is_err(), "{other}");
        }
    }

    #[test]
    fn metrics_are_read_from_a_page() {
        let page = "# HELP a What a is.\n# TYPE a counter\na_total{x=\"1,y=2\",z=\"{\"} 3\na_total{w=\"\"} 1\n\
                    # HELP b What b is\n# TYPE b histogram\nb_bucket{le=\"1\"} 0\nb_sum 0\nb_count 0\n\
                    # HELP ab What ab is\n# TYPE ab gauge\nab 1.5\n";
        let table = "| metric | type | labels | what it tells |\n|---|---|---|---|\n\
                     | `a_total` | counter | `w` `x` `z` | What a is |\n\
                     | `b` | histogram |  | What b is |\n| `ab` | gauge |  | What ab is |\n";
        assert_eq!(metrics(page), table);
        let silent = std::panic::catch_unwind(|| metrics("# HELP a A\n# TYPE a gauge\nab 1\n"));
        assert!(silent.is_err());
    }

    #[test]
    fn names_are_read_from_the_message_of_a_parser() {
        let message = "unknown field `x`, expected one of `a`, `b-c`\nin `d`";
        assert_eq!(expected(message), ["a", "b-c"].map(str::to_owned).into());
        assert_eq!(expected("unknown field `x`, expected `path`"), ["path".to_owned()].into());
    }
}
