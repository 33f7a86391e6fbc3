//! Why a line is refused.

use crate::{EndpointError, ValueError};

/// Why a line is refused. The message is for the administrator who wrote it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// `--always` on an auth line.
    #[error("--always belongs on the account line, not on the auth line")]
    AlwaysOnAuth,
    /// Something that the file should say.
    #[error("{0} stands beside --config, and with a file all rules are in the file")]
    BesideConfig(String),
    /// Two answers to one question.
    #[error("option {0} is given twice")]
    Duplicate(String),
    /// The URL cannot be used.
    #[error("the URL of the token service {0}")]
    Endpoint(EndpointError),
    /// The issuer cannot be used.
    #[error("the URL of the issuer {0}")]
    Issuer(EndpointError),
    /// `--jwks` is neither a path nor a URL that can be used.
    #[error("option --jwks: it is no absolute path, and as a URL it {0}")]
    KeySet(EndpointError),
    /// No words at all, on a line that needs them.
    #[error(
        "no arguments: write the URL of the token service, the login field and key=value checks"
    )]
    Missing,
    /// An option is missing that another one needs.
    #[error("option {by} needs {option}=...")]
    Needed {
        /// What is missing.
        option: &'static str,
        /// Who needs it.
        by: &'static str,
    },
    /// An option that changes nothing.
    #[error("option {0} has no effect with this way to verify; nothing is ignored here")]
    NoEffect(&'static str),
    /// The URL stands alone.
    #[error(
        "no login field after the URL: name the member of the answer that holds the user, such as uid"
    )]
    NoLoginField,
    /// A login field that looks like a check.
    #[error("the login field {0:?} contains '=': the login field comes before the checks")]
    NotALoginField(String),
    /// A check without key or without `=`.
    #[error("{0:?} is neither a key=value check nor a known word; nothing is ignored here")]
    NotACheck(String),
    /// A path that depends on the working directory.
    #[error("option {option}: {path:?} is not an absolute path")]
    RelativePath {
        /// Which option.
        option: String,
        /// Its value.
        path: String,
    },
    /// An option that does not exist.
    #[error("unknown option {0}")]
    UnknownOption(String),
    /// `--allow-http=x`.
    #[error("option {0} takes no value")]
    UnwantedValue(String),
    /// A value that the option cannot have.
    #[error("option {option}: {fault}")]
    Value {
        /// Which option.
        option: String,
        /// What is wrong with its value.
        fault: ValueError,
    },
    /// `--timeout` without value.
    #[error("option {0} needs a value: {0}=...")]
    ValueMissing(String),
}
