//! Names and attributes of roles, as PostgreSQL has them.
//!
//! Text goes in, and comes out as a [`RoleName`] that PostgreSQL would take as it stands. What a
//! stranger may be called is not decided here but in `names`.

mod flags;
mod parameter;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

pub use flags::{Attributes, Flag, FlagError, Flags};
pub use parameter::{Parameter, ParameterError, entry_matches, entry_name};

/// `NAMEDATALEN - 1`: PostgreSQL cuts longer identifiers, with nothing but a notice.
pub const LONGEST_NAME: usize = 63;

/// The name of a role, exactly as in `pg_authid`: 1 to 63 bytes, no NUL, and none that PostgreSQL
/// keeps for itself.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct RoleName(String);

/// Why a text cannot be the name of a role.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NameError {
    #[error("it is empty")]
    Empty,
    #[error("it is longer than {LONGEST_NAME} bytes, to which PostgreSQL would cut it")]
    TooLong,
    #[error("it holds a control character")]
    Control,
    #[error("PostgreSQL keeps that name for itself")]
    Reserved,
}

impl RoleName {
    /// From a configuration, a directory or a person.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > LONGEST_NAME {
            return Err(NameError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        // CREATE ROLE refuses these (IsReservedName and RoleSpec of the grammar). The others are
        // words that GRANT and ALTER ROLE take for something else where somebody forgets to
        // quote them, and nobody is called that.
        let reserved = ["public", "none", "current_user", "session_user", "current_role", "user"];
        if text.to_lowercase().starts_with("pg_")
            || reserved.contains(&text.to_lowercase().as_str())
        {
            return Err(NameError::Reserved);
        }
        Ok(Self(text.to_owned()))
    }

    /// PostgreSQL itself said so.
    pub fn from_catalog(text: String) -> Self {
        Self(text)
    }

    /// A role that may be granted: also one that PostgreSQL predefines, such as
    /// `pg_read_all_data`.
    pub fn parse_group(text: &str) -> Result<Self, NameError> {
        match Self::parse(text) {
            Err(NameError::Reserved) if text.starts_with("pg_") => Ok(Self(text.to_owned())),
            other => other,
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names from the catalog can be anything; ours have no control characters.
        for part in self.0.chars() {
            if part.is_control() {
                write!(f, "{}", part.escape_default())?;
            } else {
                write!(f, "{part}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for RoleName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse_group(text)
    }
}

/// From a local file; predefined roles included.
impl<'de> Deserialize<'de> for RoleName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| {
            serde::de::Error::custom(format!("{text:?} cannot be the name of a role: {error}"))
        })
    }
}

/// The role whose members are ours: whom it does not have is never changed.
pub fn marker() -> RoleName {
    RoleName("teams_sync_managed".to_owned())
}

#[cfg(test)]
mod tests;
