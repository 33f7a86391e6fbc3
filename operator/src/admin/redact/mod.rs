//! Passwords, keys and tokens taken out of JSON before anybody can read it.
//!
//! A manifest, an object or a configuration goes in, the same without secrets comes out: by the
//! names of fields and environment variables, and by what texts look like. Names of Secrets and
//! of their keys stay, since they say where to look.

mod differences;
mod text;

use serde_json::{Map, Value};

pub use differences::differences;
pub use text::scrub;

/// What stands where a secret was.
pub const REDACTED: &str = "[redacted]";

/// Parts of names of fields that hold a secret, without separators.
const SECRET: [&str; 16] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "privatekey",
    "accesskey",
    "accountkey",
    "encryptionkey",
    "signingkey",
    "masterkey",
    "sshkey",
    "licensekey",
    "sharedkey",
];
/// Endings of names of fields that only say something about a secret.
const ABOUT: [&str; 14] = [
    "name",
    "names",
    "template",
    "path",
    "file",
    "interval",
    "retention",
    "ref",
    "mount",
    "format",
    "rotation",
    "encryption",
    "days",
    "users",
];
/// Names of a Secret or of a key in one, whatever they sound like.
const REFERENCES: [&str; 2] = ["passwordkey", "podenvironmentsecret"];
/// Parts of names of environment variables that hold a secret.
const VARIABLE: [&str; 7] = ["PASS", "PWD", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "DSN"];
/// Their keys are names of roles and databases, which may sound like anything.
const IDENTIFIERS: [&str; 3] = ["users", "databases", "preparedDatabases"];
/// Deeper JSON in texts is not looked into, but not shown either.
const DEEPEST: usize = 4;

/// Takes all secrets out.
pub fn redact(value: &mut Value) {
    walk(value, 0);
}

fn walk(value: &mut Value, depth: usize) {
    match value {
        Value::String(text) => of_text(text, depth),
        Value::Array(items) => of_list(items, depth),
        Value::Object(fields) => of_object(fields, depth),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn of_text(text: &mut String, depth: usize) {
    if text.trim_start().starts_with(['{', '['])
        && let Ok(nested) = serde_json::from_str::<Value>(text)
    {
        if depth >= DEEPEST {
            *text = REDACTED.to_owned();
            return;
        }
        let mut redacted = nested.clone();
        walk(&mut redacted, depth + 1);
        if redacted != nested {
            *text = redacted.to_string();
        }
    } else if let std::borrow::Cow::Owned(scrubbed) = scrub(text) {
        *text = scrubbed;
    }
}

/// Arguments of a command may be `--password` and, after it, the password.
fn of_list(items: &mut [Value], depth: usize) {
    let mut is_next_secret = false;
    for item in items {
        let is_secret = std::mem::take(&mut is_next_secret);
        if let Value::String(text) = &*item {
            is_next_secret = text.starts_with('-') && !text.contains('=') && is_secret_name(text);
        }
        if is_secret && item.is_string() && !is_next_secret {
            *item = REDACTED.into();
        } else {
            walk(item, depth);
        }
    }
}

fn of_object(fields: &mut Map<String, Value>, depth: usize) {
    if fields.get("kind").is_some_and(|kind| kind == "Secret") {
        for content in ["data", "stringData"] {
            fields.remove(content);
        }
    }
    let name = ["name", "Name"].iter().find_map(|key| fields.get(*key)?.as_str());
    let is_secret_variable = name.is_some_and(|name| {
        let name = name.to_ascii_uppercase();
        VARIABLE.iter().any(|part| name.contains(part))
    });
    for (key, value) in fields {
        let is_value = is_secret_variable && key.eq_ignore_ascii_case("value");
        if is_value || is_secret_name(key) {
            hide(value, depth);
        } else if IDENTIFIERS.contains(&key.as_str())
            && let Value::Object(named) = value
        {
            named.values_mut().for_each(|value| walk(value, depth));
        } else {
            walk(value, depth);
        }
    }
}

/// What stands directly under the name of a secret.
fn hide(value: &mut Value, depth: usize) {
    match value {
        Value::String(text) if text.is_empty() => {}
        Value::String(_) | Value::Number(_) => *value = REDACTED.into(),
        Value::Array(items) => {
            for item in items {
                match item {
                    Value::Object(_) => walk(item, depth),
                    _ => hide(item, depth),
                }
            }
        }
        // Such as a reference to a Secret.
        Value::Object(_) => walk(value, depth),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Whether a field of this name holds a secret, and not only says something about one.
pub(super) fn is_secret_name(name: &str) -> bool {
    let joined: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let joined = joined.to_ascii_lowercase();
    let is_about =
        ABOUT.iter().any(|end| joined.ends_with(end)) || REFERENCES.contains(&joined.as_str());
    !is_about && SECRET.iter().any(|part| joined.contains(part))
}
