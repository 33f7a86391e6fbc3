//! Files on their way to their names.
//!
//! A name is made up for each and never used again, so nobody can take somebody else's file for
//! his own. Process ids would not do: containers that share a directory count them apart.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{CAREFULLY, Directory, FILE_MODE, MOST_ENTRIES};
use crate::cache::random;

/// Only these files are ever swept, and no other file may be called so.
pub(super) const PREFIX: &str = "temp-";
/// A writer needs milliseconds. One that is stopped for longer finds its file gone and fails.
const ABANDONED: Duration = Duration::from_secs(10 * 60);
/// One name that is taken is an accident; more are something else.
const MOST_NAMES: usize = 8;

/// A file without its final name; removed when dropped before it has one.
pub(super) struct Temporary {
    file: File,
    path: PathBuf,
    renamed: bool,
}

impl Temporary {
    pub(super) fn write(directory: &Directory, content: &[u8]) -> io::Result<Self> {
        let mut temporary = Self::create(directory)?;
        // The umask is the server's, and may take anything away.
        temporary.file.set_permissions(Permissions::from_mode(FILE_MODE))?;
        temporary.file.write_all(content)?;
        Ok(temporary)
    }

    /// Nothing is synchronized: fsync(2) has no deadline, and a file that a crash of the machine
    /// cut short has another checksum than it says, so it is absent.
    pub(super) fn rename(&mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.renamed = true;
        Ok(())
    }

    /// Removes what killed processes left behind. What is old is measured against the file that
    /// was just written, by the clock that stamped them both.
    pub(super) fn sweep(&self, directory: &Directory) {
        let Ok(now) = self.file.metadata().and_then(|metadata| metadata.modified()) else { return };
        let Ok(entries) = fs::read_dir(directory.path()) else { return };
        for entry in entries.take(MOST_ENTRIES).flatten() {
            if !entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
                continue;
            }
            let written = entry.metadata().and_then(|metadata| metadata.modified());
            let age = written.ok().and_then(|written| now.duration_since(written).ok());
            if age.is_some_and(|age| age > ABANDONED) {
                let _another_may_sweep_too = fs::remove_file(entry.path());
            }
        }
    }

    fn create(directory: &Directory) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(FILE_MODE).custom_flags(CAREFULLY);
        let mut names = (0..MOST_NAMES).map(|_| format!("{PREFIX}{:016x}", random()));
        loop {
            let Some(name) = names.next() else { return Err(ErrorKind::AlreadyExists.into()) };
            let path = directory.path().join(name);
            match options.open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                opened => return Ok(Self { file: opened?, path, renamed: false }),
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            let _swept_later = fs::remove_file(&self.path);
        }
    }
}
