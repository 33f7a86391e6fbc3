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
    #[error("the token cannot be printed: {0}; does nobody read it, or is the disk full?")]
    Output(io::Error),
    #[error(transparent)]
    Provider(#[from] provider::Fault),
    #[error("what was kept is deleted, but the provider may still honour the tokens: {0}")]
    Revocation(provider::Fault),
    #[error("{program} cannot be started: {error}")]
    Start { program: String, error: io::Error },
    #[error(transparent)]
    Store(#[from] store::Fault),
    #[error("what was kept is deleted, but not revoked: {0}")]
    Unrevoked(String),
    #[error("the service account token {path} {what}")]
    ServiceAccount { path: String, what: String },
    /// Of another process, a moment ago.
    #[error("{what}")]
    Shared { exit: Exit, what: String },
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
    /// env(1): it was not the command of `exec` that failed; or it cannot be run, or is not there.
    Exec,
    CannotRun,
    NotThere,
}

impl Error {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Provider(fault) | Self::Revocation(fault) => of_provider(fault),
            Self::Login(login::Fault::Provider(fault)) => of_provider(fault),
            Self::Login(login::Fault::Late(_)) => Exit::LogIn,
            Self::Shared { exit, .. } => *exit,
            Self::Store(store::Fault::Busy { .. }) => Exit::Provider,
            Self::LoginNeeded { .. }
            | Self::NotLoggedIn { .. }
            | Self::Store(store::Fault::Person) => Exit::LogIn,
            Self::Start { error, .. } if error.kind() == io::ErrorKind::NotFound => Exit::NotThere,
            Self::Start { .. } => Exit::CannotRun,
            Self::Config(_)
            | Self::Login(_)
            | Self::Output(_)
            | Self::Robot(_)
            | Self::ServiceAccount { .. }
            | Self::Signals(_)
            | Self::Store(_)
            | Self::Unrevoked(_) => Exit::SetUp,
        }
    }

    /// Whether it may be over in a while, so that the present token does until then.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Store(fault) => fault.is_lack_of_place() || matches!(fault, store::Fault::Person),
            error => error.exit() == Exit::Provider,
        }
    }

    /// Whether it is the same for all who ask at the same time.
    pub(crate) fn is_for_others(&self) -> bool {
        !matches!(self, Self::LoginNeeded { .. } | Self::Store(_))
    }
}

fn of_provider(fault: &provider::Fault) -> Exit {
    match fault.remedy() {
        Remedy::LogIn => Exit::LogIn,
        Remedy::SetUp => Exit::SetUp,
        Remedy::Wait => Exit::Provider,
    }
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::SetUp => 1,
            Self::LogIn => 2,
            Self::Provider => 3,
            Self::Exec => 125,
            Self::CannotRun => 126,
            Self::NotThere => 127,
        }
    }

    /// Of another ztoken.
    pub(crate) fn of(code: u8) -> Self {
        let all = [Self::SetUp, Self::LogIn, Self::Provider];
        all.into_iter().find(|exit| exit.code() == code).unwrap_or(Self::SetUp)
    }

    /// What `exec` makes of it: the small codes are those of its command, as with env(1).
    pub(crate) fn in_exec(self) -> Self {
        match self {
            Self::SetUp | Self::LogIn | Self::Provider => Self::Exec,
            Self::Fine | Self::Exec | Self::CannotRun | Self::NotThere => self,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
