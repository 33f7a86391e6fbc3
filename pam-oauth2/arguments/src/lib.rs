//! The grammar of the words that follow `pam_oauth2.so` in a PAM service file.
//!
//! ```text
//! auth     sufficient  pam_oauth2.so  https://host/tokeninfo?access_token= uid realm=/employees
//! account  sufficient  pam_oauth2.so
//! ```
//!
//! In: the words. Out: an [`AuthLine`] or an [`AccountLine`] that needs no further check,
//! or an [`Error`] that names the word. Never: files, network, environment or FFI, so that
//! whoever *writes* such a line can refuse a broken one before a login ever sees it.
//!
//! Nothing is ignored. The C module of the same name dropped a check without `=`, which
//! opened the database to everybody; here it is an error, and an error denies.

#![forbid(unsafe_code)]

mod duration;
mod endpoint;
mod options;

use std::path::PathBuf;
use std::time::Duration;

pub use duration::DurationError;
pub use endpoint::{Endpoint, EndpointError};
use options::{Options, Word};

/// The default of `--timeout`.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// The default of `--leeway`.
pub const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);

/// An `auth` line: where to ask, which field names the user, what else must hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthLine {
    /// The token service: a URL to which the token is appended.
    pub endpoint: Endpoint,
    /// The member of the answer that must equal the PAM user.
    pub login_field: String,
    /// All of these must hold; a key may occur more than once.
    pub checks: Vec<Check>,
    /// Time for everything between having the token and having the answer.
    pub timeout: Duration,
    /// By how much `exp` may be past, for clocks that disagree.
    pub leeway: Duration,
    /// The only certificate authorities to trust; the system's bundle where absent.
    pub ca_file: Option<PathBuf>,
    /// Where the reason of a refusal is told.
    pub notices: Notices,
}

/// One `key=value` word: a member of the answer and the text that it must have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// The name of a top-level member, after JSON unescaping.
    pub key: String,
    /// The text to compare with. May be empty, may contain `=`.
    pub value: String,
}

/// An `account` line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AccountLine {
    /// `--always`: succeed for everybody, as the C module did. For stacks in which another
    /// module may have authenticated the user.
    pub always: bool,
    /// Where the reason of a refusal is told.
    pub notices: Notices,
}

/// Where the module may talk, from the bare words that PAM modules share.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Notices {
    /// Through the conversation, which PostgreSQL writes to its log. `no_warn` forbids it.
    pub conversation: bool,
}

/// Why a line is refused. The message is for the administrator who wrote it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Error {
    /// `--always` on an auth line.
    #[error("--always belongs on the account line, not on the auth line")]
    AlwaysOnAuth,
    /// Two answers to one question.
    #[error("option {0} is given twice")]
    Duplicate(String),
    /// `--timeout=` or `--leeway=` cannot be read.
    #[error("option {option}: {fault}")]
    Duration {
        /// Which option.
        option: &'static str,
        /// What is wrong with its value.
        fault: DurationError,
    },
    /// The URL cannot be used.
    #[error("the URL of the token service {0}")]
    Endpoint(EndpointError),
    /// No words at all, on a line that needs them.
    #[error(
        "no arguments: write the URL of the token service, the login field and key=value checks"
    )]
    Missing,
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
    #[error("option --ca-file: {0:?} is not an absolute path")]
    RelativePath(String),
    /// An option that does not exist.
    #[error("unknown option {0}")]
    UnknownOption(String),
    /// `--verify=` with a way that this version does not have.
    #[error("option --verify: {0:?} is not known; there is tokeninfo, which is the default")]
    UnknownVerifier(String),
    /// `--allow-http=x`.
    #[error("option {0} takes no value")]
    UnwantedValue(String),
    /// `--timeout` without value.
    #[error("option {0} needs a value: {0}=...")]
    ValueMissing(String),
}

impl AuthLine {
    /// Reads the words of an `auth` line. The first is the URL, always: whoever generates
    /// PAM files looks for it there.
    pub fn parse(words: &[&str]) -> Result<Self, Error> {
        let (url, rest) = words.split_first().ok_or(Error::Missing)?;
        if !url.contains("://") {
            // Before a later word is blamed.
            return Err(Error::Endpoint(EndpointError::Scheme));
        }
        let mut options = Options::default();
        let mut login_field = None;
        let mut checks = Vec::new();
        for word in rest {
            match Word::read(word)? {
                Word::Option(option) => options.set(option)?,
                // A login field may have the name of a bare word, as with the C module.
                _ if login_field.is_none() => {
                    if word.contains('=') {
                        return Err(Error::NotALoginField((*word).to_owned()));
                    }
                    if word.is_empty() {
                        return Err(Error::NoLoginField);
                    }
                    login_field = Some((*word).to_owned());
                }
                Word::Bare(bare) => options.note(bare),
                Word::Check(check) => checks.push(check),
                Word::Other => return Err(Error::NotACheck((*word).to_owned())),
            }
        }
        if options.always {
            return Err(Error::AlwaysOnAuth);
        }
        Ok(Self {
            endpoint: Endpoint::parse(url, options.allow_http).map_err(Error::Endpoint)?,
            login_field: login_field.ok_or(Error::NoLoginField)?,
            checks,
            timeout: options.timeout.unwrap_or(DEFAULT_TIMEOUT),
            leeway: options.leeway.unwrap_or(DEFAULT_LEEWAY),
            notices: options.notices(),
            ca_file: options.ca_file,
        })
    }
}

impl AccountLine {
    /// Reads the words of an `account` line: none, `--always`, the bare words; or a whole
    /// auth line, because many people write the same words on both.
    pub fn parse(words: &[&str]) -> Result<Self, Error> {
        let mut own = Options::default();
        let mut others = Vec::new();
        for word in words {
            match Word::read(word)? {
                Word::Option(option) if option.name == "--always" => own.set(option)?,
                Word::Bare(bare) if others.is_empty() => own.note(bare),
                _ => others.push(*word),
            }
        }
        let mut notices = own.notices();
        if !others.is_empty() {
            let auth = AuthLine::parse(&others)?.notices;
            notices.conversation &= auth.conversation;
        }
        Ok(Self { always: own.always, notices })
    }
}

#[cfg(test)]
mod tests;
