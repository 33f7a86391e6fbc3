//! Values that stand on the PAM line and in a configuration file alike.

use crate::duration::{STALE_RANGE, duration_within};
use crate::{DurationError, OnOutage, Typ};

/// Why the value of an option is refused, whatever the option is called where it stands.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ValueError {
    /// A duration cannot be read.
    #[error(transparent)]
    Duration(#[from] DurationError),
    /// A word that the option does not have.
    #[error("{value:?} is not known; there is: {known}")]
    Unknown {
        /// What was given.
        value: String,
        /// What it can be.
        known: String,
    },
}

impl OnOutage {
    /// Reads the value of `--on-outage`.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        match (text, text.strip_prefix("stale:")) {
            ("deny", _) => Ok(Self::Deny),
            (_, Some(duration)) => Ok(Self::Stale(duration_within(duration, STALE_RANGE)?)),
            _ => Err(ValueError::Unknown {
                value: text.to_owned(),
                known: "deny, stale:<duration>".to_owned(),
            }),
        }
    }
}

impl Typ {
    /// Reads the value of `--typ`.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        one_of(text, &[("at+jwt", Self::AccessToken), ("any", Self::Any)])
    }
}

/// One of a few words.
pub(crate) fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, ValueError> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| ValueError::Unknown {
        value: text.to_owned(),
        known: words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", "),
    })
}
