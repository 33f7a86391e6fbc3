//! Foreign text in messages.
//!
//! In: text that somebody else wrote. Out: the same, escaped, cut, and withheld where it repeats
//! a secret. Never: a line break, a terminal's escape sequence, a run of a token.

/// Characters that are shown.
const SHOWN: usize = 200;
/// No run of this many bytes of a secret is ever shown.
const SECRET_RUN: usize = 8;
const WITHHELD: &str = "[withheld: it repeats the token]";

/// Escaped, and cut to 200 characters.
pub(crate) fn shown(text: &str) -> String {
    // One character more than is shown tells that something is cut.
    let head = text.chars().take(SHOWN.saturating_add(1));
    let escaped: String = head
        .map(|character| match character {
            // Messages quote with double quotes alone.
            '\'' => character.to_string(),
            _ => character.escape_debug().to_string(),
        })
        .collect();
    let mut characters = escaped.chars();
    let mut short: String = characters.by_ref().take(SHOWN).collect();
    if characters.next().is_some() {
        short.push_str(" ...");
    }
    short
}

/// As [`shown`], unless the text shares a run with the secret. Looks at the whole text, so what
/// is cut cannot be half a secret.
pub(crate) fn shown_without(text: &str, secret: Option<&str>) -> String {
    match secret {
        Some(secret) if repeats(text, secret) => WITHHELD.to_owned(),
        Some(_) | None => shown(text),
    }
}

fn repeats(text: &str, secret: &str) -> bool {
    let run = SECRET_RUN.min(secret.len());
    // A token is visible ASCII, so every run of its bytes is text.
    run > 0 && secret.as_bytes().windows(run).any(|part| contains(text.as_bytes(), part))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The chain of causes of an error, each said once.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        // Some levels say no more than that it failed, or repeat the text of the level below.
        let empty = text.starts_with("client error (") && cause.source().is_some();
        if !empty && texts.last().is_none_or(|above| !above.contains(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    texts.join(": ")
}
