//! Everything that can go wrong, and what the exit code says of it.

use std::io;
use std::process::ExitCode;

use crate::provider::{self, Remedy};
use crate::{config, login, store};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Config(#[from] config::Fault),
    #[error(transparent)]
    Login(#[from] login::Fault),
    #[error("{why}, and nobody is here to log in: run `{command}` in a terminal")]
    LoginNeeded { why: String, command: String },
    #[error("{why}: run `{command}`")]
    NotLoggedIn { why: String, command: String },
    #[error("the token cannot be printed: {0}; is stdout closed, or the disk full?")]
    Output(io::Error),
    #[error(transparent)]
    Provider(#[from] provider::Fault),
    #[error("what was kept is deleted, but the provider may still honour the tokens: {0}")]
    Revocation(provider::Fault),
    #[error("{program} cannot be started: {error}")]
    Start { program: String, error: io::Error },
    #[error(transparent)]
    Store(#[from] store::Fault),
    #[error("the service account token {path} {what}")]
    ServiceAccount { path: String, what: String },
    /// Of another process, a moment ago.
    #[error("{0}")]
    Shared(String),
    #[error("signals cannot be passed on: {0}")]
    Signals(io::Error),
    #[error("flow = \"{0}\" needs no login: `ztoken` gets a token by itself")]
    Robot(&'static str),
}

/// What a script can tell apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    Fine,
    /// Arguments, configuration, files, clock: whoever set this up has to look.
    SetUp,
    /// A person has to log in.
    LogIn,
    /// The provider gave no good answer: try again later.
    Provider,
    /// env(1): the command of `exec` cannot be run, or is not there.
    CannotRun,
    NotThere,
}

impl Error {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Provider(fault) | Self::Revocation(fault) => of_provider(fault),
            Self::Login(login::Fault::Provider(fault)) => of_provider(fault),
            Self::Login(login::Fault::Late(_)) => Exit::LogIn,
            Self::Shared(_) | Self::Store(store::Fault::Busy { .. }) => Exit::Provider,
            Self::LoginNeeded { .. } | Self::NotLoggedIn { .. } => Exit::LogIn,
            Self::Start { error, .. } if error.kind() == io::ErrorKind::NotFound => Exit::NotThere,
            Self::Start { .. } => Exit::CannotRun,
            Self::Config(_)
            | Self::Login(_)
            | Self::Output(_)
            | Self::Robot(_)
            | Self::ServiceAccount { .. }
            | Self::Signals(_)
            | Self::Store(_) => Exit::SetUp,
        }
    }

    /// Whether it may be over in a minute.
    pub(crate) fn is_temporary(&self) -> bool {
        self.exit() == Exit::Provider
    }
}

fn of_provider(fault: &provider::Fault) -> Exit {
    match fault.remedy() {
        Remedy::LogIn => Exit::LogIn,
        Remedy::SetUp => Exit::SetUp,
        Remedy::Wait => Exit::Provider,
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::SetUp => 1,
            Exit::LogIn => 2,
            Exit::Provider => 3,
            Exit::CannotRun => 126,
            Exit::NotThere => 127,
        })
    }
}
