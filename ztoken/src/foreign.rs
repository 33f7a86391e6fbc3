//! Foreign text in messages.
//!
//! In: text that somebody else wrote. Out: the same, escaped and cut, or withheld where it repeats a
//! secret. Never: a line break, a terminal's escape sequence, a run of a token.

use crate::secret::Secret;

/// Characters that are shown.
const SHOWN: usize = 200;
/// No run of so many bytes of a secret is ever shown.
const SECRET_RUN: usize = 8;

/// Escaped, and cut.
pub(crate) fn shown(text: &str) -> String {
    let mut escaped = String::new();
    for (position, character) in text.chars().enumerate() {
        if position == SHOWN {
            return escaped + " ...";
        }
        match character {
            '\'' => escaped.push('\''),
            _ => escaped.extend(character.escape_debug()),
        }
    }
    escaped
}

/// As [`shown`], unless what is shown shares a run with one of the secrets. It looks at a run more, so
/// what is cut cannot be half a secret, and at no more, since a stranger says how much there is.
pub(crate) fn shown_without(text: &str, secrets: &[Secret]) -> String {
    let seen: String = text.chars().take(SHOWN + SECRET_RUN).collect();
    if secrets.iter().any(|secret| repeats(&seen, secret.expose())) {
        return "[withheld: it repeats a secret]".to_owned();
    }
    shown(text)
}

fn repeats(text: &str, secret: &str) -> bool {
    let run = SECRET_RUN.min(secret.len());
    let holds = |part: &[u8]| text.as_bytes().windows(run).any(|window| window == part);
    run > 0 && secret.as_bytes().windows(run).any(holds)
}

/// The chain of causes of an error, each said once.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        // Some levels say no more than that it failed, or repeat the text of the level below.
        let is_empty = text.starts_with("client error (") && cause.source().is_some();
        if !is_empty && texts.last().is_none_or(|above| !above.contains(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    shown(&texts.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_wrote_cannot_steer_a_terminal_or_fill_it() {
        assert_eq!(shown("it's\u{1b}[2J\n\u{202e}x"), "it's\\u{1b}[2J\\n\\u{202e}x");
        assert_eq!(shown(&"a".repeat(200)), "a".repeat(200));
        assert_eq!(shown(&"a".repeat(201)), "a".repeat(200) + " ...");
    }

    #[test]
    fn text_that_repeats_a_run_of_a_secret_is_withheld() {
        let secrets = [Secret::new("0123456789abcdef"), Secret::new("short")];
        assert_eq!(shown_without("not 0123456 alone", &secrets), "not 0123456 alone");
        for leak in ["token 456789ab?", "it is short"] {
            assert!(shown_without(leak, &secrets).starts_with("[withheld"), "{leak}");
        }
        let at_the_cut = "x".repeat(SHOWN - 1) + "0123456789abcdef";
        assert!(shown_without(&at_the_cut, &secrets).starts_with("[withheld"));
        // What is not shown is not looked at: this would take minutes.
        let endless = "x".repeat(10_000_000) + "0123456789abcdef";
        assert!(shown_without(&endless, &secrets).ends_with("x ..."));
    }
}
