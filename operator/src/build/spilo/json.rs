//! JSON as the reference writes it: compact, and with some characters as numbers. It is compared
//! as text, so an `&` that is not `\u0026` would look like a change.

use serde::Serialize;

/// Keys in the order of fields, or sorted in maps.
pub(in crate::build) fn compact<T: Serialize>(value: &T) -> String {
    // Keys are text and values are plain: there is nothing that cannot be written.
    let text = serde_json::to_string(value).unwrap_or_default();
    // None of these is part of JSON itself: they only occur within strings.
    text.replace('&', "\\u0026")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}
