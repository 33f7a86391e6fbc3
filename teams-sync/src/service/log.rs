//! What others wrote, made fit for a log.

use std::borrow::Cow;

/// Without anything that a terminal obeys or that cannot be seen: such characters are written as
/// `\u{..}`.
///
/// Quotes and backslashes stay, as each format of the log has its own way with them.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for part in text.chars() {
        if is_plain(part) {
            plain.push(part);
        } else {
            plain.extend(part.escape_debug());
        }
    }
    Cow::Owned(plain)
}

fn is_plain(part: char) -> bool {
    matches!(part, '"' | '\'' | '\\') || part.escape_debug().len() == 1
}

/// A panic is a line of the log like any other, and never breaks one.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.payload_as_str().unwrap_or("no words");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(error = &*clean(text), place, "panicked, which is a bug");
    }));
}
