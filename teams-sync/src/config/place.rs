//! Where in a file something is wrong. The line itself is not shown: it may hold a secret.

use std::ops::Range;

use super::ConfigError;

/// A text that is wrong, and where it stands.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) span: Option<Range<usize>>,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { span: None, message: message.into() }
    }

    pub(super) fn at<T>(spanned: &toml::Spanned<T>, message: impl Into<String>) -> Self {
        Self { span: Some(spanned.span()), message: message.into() }
    }
}

pub(super) fn of_toml(text: &str, name: &str, error: &toml::de::Error) -> ConfigError {
    let message = error
        .message()
        .escape_debug()
        .to_string()
        .replace("\\n", ", ")
        .replace("\\'", "'")
        .replace("\\\"", "\"");
    located(text, name, error.span(), message)
}

pub(super) fn of_fault(text: &str, name: &str, fault: Fault) -> ConfigError {
    located(text, name, fault.span, fault.message)
}

fn located(text: &str, name: &str, span: Option<Range<usize>>, message: String) -> ConfigError {
    let path = name.to_owned();
    let Some(span) = span else { return ConfigError::Whole { path, message } };
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    ConfigError::At { path, line, column, message }
}
