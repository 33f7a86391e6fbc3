//! What is wrong with a file that an administrator wrote.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::files::FileFault;
use crate::redact::visible;

/// Characters of an explanation that are shown: it may quote what stands in the file.
const SHOWN: usize = 400;

/// A configuration, map or revocation file that cannot be used. Denies, always.
#[derive(Debug)]
pub(crate) struct ConfigFault {
    path: PathBuf,
    place: Place,
    what: String,
}

/// Where in the file, both counted from 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    Character { line: usize, column: usize },
    Line(usize),
    WholeFile,
}

impl ConfigFault {
    pub(crate) fn new(path: &Path, place: Place, what: impl fmt::Display) -> Self {
        Self { path: path.to_owned(), place, what: what.to_string() }
    }

    /// The file itself is no good.
    pub(crate) fn file(path: &Path, fault: &FileFault) -> Self {
        Self::new(path, Place::WholeFile, format_args!("it {fault}"))
    }

    /// The file is not text.
    pub(crate) fn encoding(path: &Path, place: Place) -> Self {
        Self::new(path, place, "it is not valid UTF-8 from here on; save it as UTF-8")
    }
}

impl Place {
    /// Where the byte with this index is.
    pub(crate) fn of(text: &str, index: usize) -> Self {
        let before = text.get(..index).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
        Self::Character {
            line: before.matches('\n').count().saturating_add(1),
            column: before.get(line_start..).unwrap_or_default().chars().count().saturating_add(1),
        }
    }
}

/// One line of visible ASCII: where, what, and what to do.
impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, place, what } = self;
        f.write_str(&visible(&path.to_string_lossy()))?;
        match place {
            Place::Character { line, column } => write!(f, ": line {line}, column {column}")?,
            Place::Line(line) => write!(f, ": line {line}")?,
            Place::WholeFile => {}
        }
        let end = what.char_indices().nth(SHOWN).map_or(what.len(), |(index, _)| index);
        write!(f, ": {}", visible(what.get(..end).unwrap_or_default()))?;
        if end < what.len() { f.write_str(" ...") } else { Ok(()) }
    }
}

impl std::error::Error for ConfigFault {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(place: Place, what: &str) -> String {
        ConfigFault::new(Path::new("/etc/a\nb"), place, what).to_string()
    }

    #[test]
    fn a_fault_is_one_line_that_says_where() {
        let place = Place::Character { line: 12, column: 5 };
        assert_eq!(shown(place, "no\x1b[2J"), r"/etc/a\nb: line 12, column 5: no\u{1b}[2J");
        assert_eq!(shown(Place::Line(3), "no"), r"/etc/a\nb: line 3: no");
        assert_eq!(shown(Place::WholeFile, "no"), r"/etc/a\nb: no");
    }

    #[test]
    fn what_a_fault_quotes_is_cut() {
        let at_most = "\u{f6}".repeat(SHOWN);
        assert!(!shown(Place::WholeFile, &at_most).ends_with(" ..."));
        let cut = shown(Place::WholeFile, &format!("{at_most}x"));
        assert!(cut.ends_with(r"\u{f6} ...") && !cut.contains('x'), "{cut}");
    }

    #[test]
    fn lines_and_columns_are_counted_in_characters_from_one() {
        let text = "a\n\u{f6}\u{f6}b\n";
        let cases = [(0, 1, 1), (1, 1, 2), (2, 2, 1), (4, 2, 2), (6, 2, 3), (8, 3, 1), (99, 3, 1)];
        for (index, line, column) in cases {
            assert_eq!(Place::of(text, index), Place::Character { line, column }, "{index}");
        }
    }

    proptest! {
        #[test]
        fn every_fault_is_visible_ascii(what in any::<String>(), index in 0usize..99) {
            let shown = shown(Place::of(&what, index), &what);
            prop_assert!(shown.bytes().all(|b| b == b' ' || b.is_ascii_graphic()));
        }
    }
}
