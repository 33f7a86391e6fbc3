//! From a section of a TOML file.
//!
//! In: a path and the name of a section. Out: a [`Policy`] that needs no further check, or a
//! [`ConfigFault`] that names line and column. Nothing is ignored: an unknown key anywhere in
//! the file is a fault, and so is a value that has no effect.

mod rules;
mod section;
mod source;
mod tables;
mod trust;
mod user;
mod values;

use std::collections::BTreeMap;
use std::path::Path;

use toml::Spanned;

pub(crate) use self::source::Load;
use self::source::Source;
use self::tables::Section;
use super::{ConfigFault, Place, Policy};
use crate::files;

/// Bytes of a configuration file or of a map file.
const FILE_LIMIT: usize = 1024 * 1024;
/// The section whose options count where another has none of its own.
const DEFAULTS: &str = "defaults";

/// The policy of one section.
///
/// Other sections have to be well formed, but what they say is not looked into and the files
/// that they name are not read: a login reads what concerns it.
pub(crate) fn read(path: &Path, section: &str) -> Result<Policy, ConfigFault> {
    let text = text(path)?;
    parse(path, &text, section, &load)
}

/// The policy of every section, in the order of their names.
pub(crate) fn sections(path: &Path) -> Result<Vec<(String, Policy)>, ConfigFault> {
    let text = text(path)?;
    parse_all(path, &text, &load)
}

/// As [`read`], where the text of the file is known. `path` is for messages; `load` gets the
/// files that a policy reads itself.
pub(crate) fn parse(
    path: &Path,
    text: &str,
    section: &str,
    load: Load<'_>,
) -> Result<Policy, ConfigFault> {
    let source = Source { path, text, load };
    let sections = tables(&source)?;
    let defaults = defaults(&source, &sections)?;
    match sections.get(section) {
        Some(own) if section != DEFAULTS => section::policy(&source, section, own, defaults),
        _ => Err(ConfigFault::new(
            path,
            Place::WholeFile,
            format_args!(
                "there is no section [{section}]; add one, or name another with --section="
            ),
        )),
    }
}

/// As [`sections`], where the text of the file is known.
pub(crate) fn parse_all(
    path: &Path,
    text: &str,
    load: Load<'_>,
) -> Result<Vec<(String, Policy)>, ConfigFault> {
    let source = Source { path, text, load };
    let sections = tables(&source)?;
    let defaults = defaults(&source, &sections)?;
    let named = sections.iter().filter(|(name, _)| *name != DEFAULTS);
    named
        .map(|(name, own)| Ok((name.clone(), section::policy(&source, name, own, defaults)?)))
        .collect()
}

fn tables(source: &Source<'_>) -> Result<BTreeMap<String, Spanned<Section>>, ConfigFault> {
    toml::from_str(source.text).map_err(|error| {
        let place = error.span().map_or(Place::WholeFile, |span| source.place(&span));
        // The message alone: the error itself would print the line, whatever it holds.
        ConfigFault::new(source.path, place, error.message())
    })
}

/// The options of `[defaults]`, which are all that it can have.
fn defaults<'a>(
    source: &Source<'_>,
    sections: &'a BTreeMap<String, Spanned<Section>>,
) -> Result<Option<&'a Section>, ConfigFault> {
    let Some(defaults) = sections.get(DEFAULTS) else { return Ok(None) };
    let options = defaults.get_ref();
    let rules = [
        options.issuer.first().map(Spanned::span),
        options.introspection.as_ref().map(Spanned::span),
        options.require.first().map(Spanned::span),
        options.role.first().map(Spanned::span),
        options.tokeninfo.as_ref().map(Spanned::span),
        options.user.as_ref().map(Spanned::span),
    ];
    match rules.into_iter().flatten().next() {
        Some(span) => Err(source.wrong(
            &span,
            "[defaults] holds options alone; rules belong into the section that they are for",
        )),
        None => Ok(Some(options)),
    }
}

fn text(path: &Path) -> Result<String, ConfigFault> {
    let content = load(path).map_err(|fault| ConfigFault::file(path, &fault))?;
    source::utf8(path, content)
}

fn load(path: &Path) -> Result<Vec<u8>, files::FileFault> {
    files::read_trusted(path, FILE_LIMIT)
}

#[cfg(test)]
mod tests;
