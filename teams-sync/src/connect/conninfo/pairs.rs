//! A connection string of the form `key=value key='other value'`, taken apart.
//!
//! In: the text. Out: its keys and values in order. It knows no key, and its errors quote
//! nothing of the text: what does not parse may well be the rest of a password.
//! Rules: PostgreSQL documentation, section 34.1.1.1.

use super::error::DsnError;
use std::iter::Peekable;
use std::str::CharIndices;

/// The keys and values of `text`, quotes and backslashes resolved.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, DsnError> {
    let mut rest = text.char_indices().peekable();
    let mut pairs = Vec::new();
    loop {
        skip_blanks(&mut rest);
        let Some(&(start, _)) = rest.peek() else { return Ok(pairs) };
        let mut key = String::new();
        while let Some((_, c)) = rest.next_if(|(_, c)| *c != '=' && !is_blank(*c)) {
            key.push(c);
        }
        skip_blanks(&mut rest);
        if rest.next_if(|(_, c)| *c == '=').is_none() {
            return Err(DsnError::syntax(format!(
                "lacks a \"=\" after the word at byte {start}; write key=value, and a value with \
                 blanks in single quotes"
            )));
        }
        skip_blanks(&mut rest);
        let value = match rest.next_if(|(_, c)| *c == '\'') {
            Some((start, _)) => quoted(&mut rest, start)?,
            None => bare(&mut rest),
        };
        pairs.push((key, value));
    }
}

fn bare(rest: &mut Peekable<CharIndices<'_>>) -> String {
    let mut value = String::new();
    while let Some((_, c)) = rest.next_if(|(_, c)| !is_blank(*c)) {
        match c {
            '\\' => value.extend(rest.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    value
}

fn quoted(rest: &mut Peekable<CharIndices<'_>>, start: usize) -> Result<String, DsnError> {
    let mut value = String::new();
    while let Some((_, c)) = rest.next() {
        match c {
            '\'' => return Ok(value),
            '\\' => value.extend(rest.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    Err(DsnError::syntax(format!("does not end the quote that starts at byte {start}")))
}

fn skip_blanks(rest: &mut Peekable<CharIndices<'_>>) {
    while rest.next_if(|(_, c)| is_blank(*c)).is_some() {}
}

/// What C's `isspace` takes for a blank, as libpq uses it.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}
