//! Where a policy comes from: the file, its text, and how further files are had.

use std::fmt::Display;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;

use crate::files::FileFault;
use crate::policy::{ConfigFault, Place};

/// Gets the content of a file. A parameter, so that reading a text is pure.
pub(crate) type Load<'a> = &'a dyn Fn(&Path) -> Result<Vec<u8>, FileFault>;

pub(super) struct Source<'a> {
    /// For messages.
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
    pub(super) load: Load<'a>,
}

impl Source<'_> {
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        Place::of(self.text, span.start)
    }

    /// What stands there is wrong.
    pub(super) fn wrong(&self, span: &Range<usize>, what: impl Display) -> ConfigFault {
        ConfigFault::new(self.path, self.place(span), what)
    }

    /// A value that `parse` understands.
    pub(super) fn parsed<T, U, E: Display>(
        &self,
        value: &Spanned<T>,
        parse: impl FnOnce(&T) -> Result<U, E>,
    ) -> Result<U, ConfigFault> {
        parse(value.get_ref()).map_err(|error| self.wrong(&value.span(), error))
    }

    /// A text that `parse` understands.
    pub(super) fn text<U, E: Display>(
        &self,
        text: &Spanned<String>,
        parse: impl FnOnce(&str) -> Result<U, E>,
    ) -> Result<U, ConfigFault> {
        self.parsed(text, |text| parse(text))
    }

    pub(super) fn absolute(&self, path: &Spanned<String>) -> Result<PathBuf, ConfigFault> {
        self.text(path, |text| match PathBuf::from(text) {
            path if path.is_absolute() => Ok(path),
            _ => Err(format!("{text:?} is not an absolute path")),
        })
    }

    pub(super) fn not_empty(&self, text: &Spanned<String>) -> Result<String, ConfigFault> {
        self.text(text, |text| match text {
            "" => Err("the value is empty"),
            text => Ok(text.to_owned()),
        })
    }
}

/// The text of the file at `path`.
pub(super) fn utf8(path: &Path, content: Vec<u8>) -> Result<String, ConfigFault> {
    String::from_utf8(content).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let good = String::from_utf8_lossy(error.as_bytes().get(..valid).unwrap_or_default());
        ConfigFault::encoding(path, Place::of(&good, valid))
    })
}
