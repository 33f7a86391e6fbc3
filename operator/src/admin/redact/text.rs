//! Secrets in running text: passwords in URLs and connection strings, verifiers, tokens, keys.
//!
//! Text goes in, the same text comes out with what looks like a secret replaced. Nothing is read
//! twice, as anybody may write a long text.

use std::borrow::Cow;
use std::ops::Range;

use super::{REDACTED, is_secret_name};

/// Shorter words after `Bearer` are prose.
const SHORTEST_TOKEN: usize = 16;

/// The text without what looks like a secret.
pub fn scrub(text: &str) -> Cow<'_, str> {
    let mut found: Vec<Range<usize>> = Vec::new();
    userinfo(text, &mut found);
    assignments(text, &mut found);
    shapes(text, &mut found);
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    found.sort_by_key(|range| range.start);
    let mut scrubbed = String::with_capacity(text.len());
    let mut end = 0;
    for range in found {
        if range.start >= end {
            scrubbed.push_str(&text[end..range.start]);
            scrubbed.push_str(REDACTED);
        }
        end = end.max(range.end);
    }
    scrubbed.push_str(&text[end..]);
    Cow::Owned(scrubbed)
}

/// `://user:password@`. A password that is not encoded may hold a slash.
fn userinfo(text: &str, found: &mut Vec<Range<usize>>) {
    let mut done = 0;
    for (place, scheme) in text.match_indices("://") {
        if place < done {
            continue;
        }
        let start = place + scheme.len();
        let rest = upto(text, start, |c| c.is_whitespace() || matches!(c, '"' | '\''));
        done = start + rest.len();
        if let Some(at) = rest.rfind('@')
            && let Some(colon) = rest[..at].find(':')
            && colon + 1 < at
        {
            found.push(start + colon + 1..start + at);
        }
    }
}

/// `password=..`, `"password": ".."` and `PASSWORD '..'`, whatever the name of the secret.
fn assignments(text: &str, found: &mut Vec<Range<usize>>) {
    let mut done = 0;
    for (place, sign) in text.match_indices(['=', ':', '\'']) {
        if place < done {
            continue;
        }
        let before = text[..place].trim_end();
        let (is_set, name, start) = match sign {
            "=" => (true, before.trim_end_matches(['"', '\'']), place + 1),
            ":" => (before.ends_with(['"', '\'']), before.trim_end_matches(['"', '\'']), place + 1),
            _ => (before.len() < place, before, place),
        };
        let name = name.rsplit(|c: char| !is_of_name(c)).next().unwrap_or_default();
        if !is_set || !is_secret_name(name) {
            continue;
        }
        // In `?access_token= uid` there is none.
        let may_be_spaced = sign != "=" || before.len() < place;
        let spaces = text[start..].len() - text[start..].trim_start().len();
        let start = if may_be_spaced { start + spaces } else { start };
        let (start, value) = match text[start..].chars().next() {
            Some(quote @ ('"' | '\'')) => (start + 1, upto(text, start + 1, |c| c == quote)),
            _ => (start, upto(text, start, is_end)),
        };
        done = start + value.len();
        if !value.is_empty() {
            found.push(start..done);
        }
    }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn is_end(c: char) -> bool {
    c.is_whitespace() || matches!(c, '&' | ',' | ';' | '"' | '\'' | ')' | '}')
}

/// What can only be a verifier, a token or a private key.
fn shapes(text: &str, found: &mut Vec<Range<usize>>) {
    let mut each = |start: &str, skip: usize, is_secret: fn(&str) -> bool| {
        let mut done = 0;
        for (place, _) in text.match_indices(start) {
            if place < done {
                continue;
            }
            let word = upto(text, place + skip, is_end);
            done = place + skip + word.len();
            if is_secret(word) {
                found.push(place + skip..done);
            }
        }
    };
    each("SCRAM-SHA-256$", 0, |_| true);
    each("md5", 0, |word| word.len() == 35 && word[3..].chars().all(|c| c.is_ascii_hexdigit()));
    each("eyJ", 0, |word| word.len() > SHORTEST_TOKEN && word.contains('.'));
    for scheme in ["Bearer ", "bearer ", "Basic ", "basic "] {
        each(scheme, scheme.len(), |word| word.len() >= SHORTEST_TOKEN);
    }
    let mut done = 0;
    for (place, head) in text.match_indices("PRIVATE KEY-----") {
        let start = place + head.len();
        if start < done {
            continue;
        }
        done = text[start..].find("-----END").map_or(text.len(), |length| start + length);
        if start < done {
            found.push(start..done);
        }
    }
}

fn upto(text: &str, start: usize, is_end: impl Fn(char) -> bool) -> &str {
    let rest = &text[start..];
    rest.find(is_end).map_or(rest, |end| &rest[..end])
}
