//! Tokens that are out before their time: a text file, one rule a line.
//!
//! ```text
//! # lost laptop
//! jti 9f3c2a
//! sub "alice@example.org"
//! issued-before 2026-11-25T10:00:00Z
//! sub bob issued-before 1764064800
//! ```
//!
//! In: the text, and a few facts about a token. Out: the rule that takes it back, if any. A line
//! that is not understood refuses everybody: it was meant to refuse somebody. Read at every
//! login, so each line is read once, rules are parts of the text and nothing is copied.

mod time;

use std::path::{Path, PathBuf};

use crate::clock::Timestamp;
use crate::facts::Facts;
use crate::files;
use crate::policy::{ConfigFault, Place};

/// Bytes of a revocation file.
const FILE_LIMIT: usize = 4 * 1024 * 1024;

/// What a file says of a token.
#[derive(Debug)]
pub(crate) struct Searched {
    /// How many rules there are, all of them understood.
    pub(crate) rules: usize,
    /// The first that takes the token back.
    pub(crate) by: Option<RevokedBy>,
}

/// The line that takes a token back. Its text is foreign to the token and not repeated.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the token is revoked: line {line} of {} {cause}", path.display())]
pub(crate) struct RevokedBy {
    path: PathBuf,
    line: usize,
    cause: Cause,
}

/// What it is about a token that a line names.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
enum Cause {
    #[error("names its jti; get a new one")]
    Id,
    #[error("takes back what was issued before a time; get a new one")]
    Issued,
    #[error("names its subject; ask whoever keeps that file")]
    Subject,
    #[error("takes back what was issued before a time, and it does not say when it was (iat)")]
    Undated,
}

/// Why a line is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
enum RuleFault {
    #[error("it holds a control character")]
    Control,
    #[error("a quotation mark is not closed, or something touches it; write \"...\"")]
    Quotation,
    #[error(
        "it is none of: jti VALUE, sub VALUE, issued-before TIME, sub VALUE issued-before TIME; \
         a value with blanks needs \"quotes\""
    )]
    Shape,
    #[error(
        "the time is neither like 2026-11-25T10:00:00Z nor seconds since 1970 (not milliseconds)"
    )]
    Time,
}

/// One line.
#[derive(Debug, PartialEq)]
enum Rule<'a> {
    Id(Value<'a>),
    Issued { before: Timestamp },
    Subject(Value<'a>),
    SubjectIssued { subject: Value<'a>, before: Timestamp },
}

/// A value as it stands in the file; between quotation marks, two are one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Value<'a> {
    Bare(&'a str),
    Quoted(&'a str),
}

/// Reads the file. Everything that is wrong with it refuses, also that it is missing.
pub(crate) fn read(path: &Path, token: &Facts) -> Result<Searched, ConfigFault> {
    let content =
        files::read_trusted(path, FILE_LIMIT).map_err(|fault| ConfigFault::file(path, &fault))?;
    match str::from_utf8(&content) {
        Ok(text) => search(path, text, token),
        Err(error) => {
            let good = content.get(..error.valid_up_to()).unwrap_or_default();
            let newlines = good.iter().filter(|byte| **byte == b'\n');
            Err(ConfigFault::encoding(path, Place::Line(newlines.count().saturating_add(1))))
        }
    }
}

/// As [`read`], where the text of the file is known. It is read to its end, whatever is found: a
/// line that is not understood comes before all rules.
pub(crate) fn search(path: &Path, text: &str, token: &Facts) -> Result<Searched, ConfigFault> {
    let mut searched = Searched { rules: 0, by: None };
    for (line, rule) in lines(text) {
        let rule = rule.map_err(|fault| ConfigFault::new(path, Place::Line(line), fault))?;
        searched.rules = searched.rules.saturating_add(1);
        if searched.by.is_none() {
            let by = |cause| RevokedBy { path: path.to_owned(), line, cause };
            searched.by = rule.refuses(token).map(by);
        }
    }
    Ok(searched)
}

impl Rule<'_> {
    fn refuses(&self, token: &Facts) -> Option<Cause> {
        let is = |value: &Value<'_>, fact: &Option<String>| {
            fact.as_ref().is_some_and(|fact| value.is(fact))
        };
        match self {
            Self::Id(id) => is(id, &token.id).then_some(Cause::Id),
            Self::Issued { before } => too_old(token.issued.map(Timestamp::from_seconds), *before),
            Self::Subject(subject) => is(subject, &token.subject).then_some(Cause::Subject),
            Self::SubjectIssued { subject, before } if is(subject, &token.subject) => {
                too_old(token.issued.map(Timestamp::from_seconds), *before)
            }
            Self::SubjectIssued { .. } => None,
        }
    }
}

/// A token without a date may be as old as any.
fn too_old(issued: Option<Timestamp>, before: Timestamp) -> Option<Cause> {
    match issued {
        Some(issued) => (issued < before).then_some(Cause::Issued),
        None => Some(Cause::Undated),
    }
}

impl Value<'_> {
    fn is(self, text: &str) -> bool {
        match self {
            Self::Bare(own) => own == text,
            // Two marks part the text like one, with nothing between them.
            Self::Quoted(own) => own.split('"').step_by(2).eq(text.split('"')),
        }
    }
}

/// Every line that says something, with its number.
fn lines(text: &str) -> impl Iterator<Item = (usize, Result<Rule<'_>, RuleFault>)> {
    text.lines().zip(1..).filter_map(|(line, number)| Some((number, rule(line).transpose()?)))
}

fn rule(line: &str) -> Result<Option<Rule<'_>>, RuleFault> {
    let mut rest = line;
    let mut next = || word(&mut rest);
    let Some(key) = next()? else { return Ok(None) };
    let (value, second, third, end) = (next()?, next()?, next()?, next()?);
    if end.is_some() {
        return Err(RuleFault::Shape);
    }
    match (key, value, second, third) {
        (Value::Bare("jti"), Some(id), None, None) => Ok(Some(Rule::Id(id))),
        (Value::Bare("sub"), Some(subject), None, None) => Ok(Some(Rule::Subject(subject))),
        (Value::Bare("issued-before"), Some(Value::Bare(time)), None, None) => {
            Ok(Some(Rule::Issued { before: before(time)? }))
        }
        (
            Value::Bare("sub"),
            Some(subject),
            Some(Value::Bare("issued-before")),
            Some(Value::Bare(time)),
        ) => Ok(Some(Rule::SubjectIssued { subject, before: before(time)? })),
        _ => Err(RuleFault::Shape),
    }
}

fn before(time: &str) -> Result<Timestamp, RuleFault> {
    time::parse(time).ok_or(RuleFault::Time)
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// Takes the next word. A `#` at its beginning ends the line.
fn word<'a>(line: &mut &'a str) -> Result<Option<Value<'a>>, RuleFault> {
    let rest = line.trim_start_matches(is_blank);
    if rest.is_empty() || rest.starts_with('#') {
        *line = "";
        return Ok(None);
    }
    let (value, behind) = match rest.strip_prefix('"') {
        Some(quoted) => {
            let end = end_of_quotation(quoted).ok_or(RuleFault::Quotation)?;
            let (value, behind) = quoted.split_at(end);
            (Value::Quoted(value), behind.get(1..).unwrap_or_default())
        }
        None => {
            let (value, behind) = rest.split_at(rest.find(is_blank).unwrap_or(rest.len()));
            (Value::Bare(value), behind)
        }
    };
    let (Value::Bare(text) | Value::Quoted(text)) = value;
    // Bytes first, which is several times faster where all of them are ASCII.
    let plain = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    if !text.bytes().all(plain) && text.chars().any(char::is_control) {
        return Err(RuleFault::Control);
    }
    match value {
        Value::Bare(text) if text.contains('"') => return Err(RuleFault::Quotation),
        Value::Quoted(_) if !behind.is_empty() && !behind.starts_with(is_blank) => {
            return Err(RuleFault::Quotation);
        }
        Value::Quoted("") => return Err(RuleFault::Shape),
        Value::Bare(_) | Value::Quoted(_) => {}
    }
    *line = behind;
    Ok(Some(value))
}

/// Where the first quotation mark stands that is not one of two.
fn end_of_quotation(text: &str) -> Option<usize> {
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((index, byte)) = bytes.next() {
        if byte == b'"' && bytes.next_if(|(_, next)| *next == b'"').is_none() {
            return Some(index);
        }
    }
    None
}

#[cfg(test)]
impl RevokedBy {
    /// For the tests of those who tell it.
    pub(crate) fn for_test(path: &str) -> Self {
        Self { path: path.into(), line: 1, cause: Cause::Id }
    }
}

#[cfg(test)]
mod tests;
