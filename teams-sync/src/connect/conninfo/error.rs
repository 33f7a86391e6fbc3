//! What is wrong with a connection string: where, and what to write instead; never a password.

/// Why a connection string cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DsnError {
    /// It does not parse. The text is not quoted: it may be the rest of a password.
    #[error("the connection string {0}")]
    Syntax(String),
    /// libpq has no such key either.
    #[error(
        "the connection string has the key {0:?}, which is unknown; see section 34.1.2 of the \
         PostgreSQL documentation for the keys"
    )]
    UnknownKey(String),
    /// libpq has it, teams-sync does not, and silence would mean something else.
    #[error("{name} is not supported by teams-sync{except}; leave it out")]
    Unsupported {
        /// The key, or the environment variable.
        name: String,
        /// Values that would do, as half a sentence, or nothing.
        except: String,
    },
    /// A value that the key does not take.
    #[error("{name} {reason}")]
    Value {
        /// The key, or the environment variable.
        name: String,
        /// What is wrong with it and what would do.
        reason: String,
    },
    /// Two settings that exclude each other.
    #[error("{0}")]
    Conflict(String),
}

impl DsnError {
    pub(super) fn syntax(text: String) -> Self {
        Self::Syntax(text)
    }
}
