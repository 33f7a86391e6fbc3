//! Why a configuration is refused: all reasons at once, each with its key, and no secret.

use std::fmt;

use serde_json::Value;

use super::keys::{Key, Slot};

/// More of a value than this is not shown.
const SHOWN: usize = 120;

/// One reason.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct ConfigError {
    /// As it is written: `timeouts.ready_wait_interval` in the CRD form.
    pub key: String,
    /// What was written, escaped and perhaps cut; `None` where that may be a secret.
    pub value: Option<String>,
    /// What is wrong with it, and what would be right.
    pub reason: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}: {value}: {}", self.key, self.reason),
            None => write!(f, "{}: {}", self.key, self.reason),
        }
    }
}

/// All of them; never empty.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let before = if index == 0 { "" } else { "; " };
            write!(f, "{before}{error}")?;
        }
        Ok(())
    }
}

/// `value` of `key` for an error, if it may be seen.
pub(super) fn shown(key: &Key, value: &Value) -> Option<String> {
    let structured = matches!(key.slot, Slot::Containers(_) | Slot::Probe(_) | Slot::Object(_));
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    // Credentials of a URL. The words of the PAM line are named by its own grammar.
    let credentials = text.contains("://") && text.contains('@');
    if key.is_secret() || structured || credentials || key.name == "pam_configuration" {
        return None;
    }
    Some(format!("\"{}\"", escaped(&text)))
}

/// Foreign text as part of a sentence.
pub(super) fn escaped(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short.escape_debug().to_string()
}
