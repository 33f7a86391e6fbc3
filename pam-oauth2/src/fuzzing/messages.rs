//! What comes over the network beside tokens and their descriptions, and what goes into a log.

use super::{AccessToken, Foreign, Redactor, Zeroizing, assert_loggable};

/// Answers of DNS servers, /etc/hosts and /etc/resolv.conf; the first byte says which.
pub(super) fn dns(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    crate::resolver::fuzzing::read(*first, rest);
}

/// `Cache-Control`.
pub(super) fn headers(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(age) = crate::http::max_age(text) else { return };
    let lower = text.to_ascii_lowercase();
    assert!(lower.contains("max-age") || lower.contains("no-"), "{age:?} out of {text:?}");
}

/// The token on the first line, and behind it a text of which no log may show eight characters
/// in a row that are the token's, too.
pub(super) fn redact(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((secret, text)) = text.split_once('\n') else { return };
    let Ok(token) = AccessToken::parse(Zeroizing::new(secret.into())) else { return };
    let redactor = Redactor::new(&token);
    let foreign = Foreign::new(text.to_owned());
    let shown = [foreign.quoted(Some(&redactor)), foreign.plain(Some(&redactor))];
    shown.iter().for_each(|shown| assert_loggable(shown));
    // An escape sequence or our own words can look like part of a token without being one.
    let plain = text.bytes().all(|b| b == b' ' || b.is_ascii_graphic() && !b"\"\\".contains(&b));
    let ours = "[withheld: it repeats the token] [withheld] [not shown]";
    let runs: Vec<&[u8]> = secret.as_bytes().windows(8).collect();
    let holds = |text: &str, run: &[u8]| {
        text.as_bytes().windows(8).any(|part| part.eq_ignore_ascii_case(run))
    };
    if plain && !runs.iter().any(|run| holds(ours, run)) && !secret.contains(['[', ']', '"']) {
        for run in runs {
            for shown in &shown {
                assert!(!holds(shown, run), "{shown} shows {}", run.escape_ascii());
            }
        }
    }
}
