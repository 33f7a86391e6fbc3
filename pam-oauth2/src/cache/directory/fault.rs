//! Why a directory is not used, for the one line that says so.

use std::io;
use std::path::{Path, PathBuf};

/// Why a directory is not used: what is wrong with it, and what to do. The path is foreign to a
/// log line until somebody escapes it.
#[derive(Debug, thiserror::Error)]
#[error("the cache directory {path} is not used: {problem}")]
pub(crate) struct DirectoryFault {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("it belongs to user {owner}, and we are user {us}; give it to us with chown")]
    Foreign { owner: u32, us: u32 },
    #[error("it does not exist; the first login that may write to it makes it")]
    Missing,
    #[error("the folder that it would be in cannot be looked at: {0}; make that folder first")]
    NoParent(io::Error),
    #[error("the path leads to something else than a directory; a link to one is not followed")]
    NotADirectory,
    #[error("it cannot be made: {0}; make it as the user of the server, with mode 0700")]
    NotMade(io::Error),
    #[error("it is open to others (mode {mode:04o}); take their permissions away with chmod 0700")]
    OpenToOthers { mode: u32 },
    #[error("it cannot be opened: {0}")]
    Unreadable(io::Error),
    #[error(
        "it does not exist, and the folder that it would be in is not safe: others than root and \
         the user of the server can change it; make the directory yourself, with mode 0700"
    )]
    UnsafeParent,
}

impl Problem {
    pub(super) fn at(self, path: &Path) -> DirectoryFault {
        DirectoryFault { path: path.to_owned(), problem: self }
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        // O_NOFOLLOW and O_DIRECTORY; which of them speaks of a link depends on the kernel.
        match error.raw_os_error() {
            Some(libc::ELOOP | libc::ENOTDIR) => Self::NotADirectory,
            _ => Self::Unreadable(error),
        }
    }
}
