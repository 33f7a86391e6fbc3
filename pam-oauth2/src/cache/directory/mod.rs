//! The cache directory and its files: nothing is believed that somebody else could have written,
//! nothing is ever seen half written.
//!
//! Whoever can write to the directory can log in as anybody, so it has to be ours and closed to
//! others, and so has each file; there are no links. A file that is not as it should be counts
//! as absent, and the next write puts a good one in its place.
//!
//! A directory is looked at once and held open. All its files are reached through the
//! descriptor, so what was looked at is what is used, even if somebody who may write to a folder
//! above moves another directory to its path: openat(2) for what every login does, and
//! `/proc/self/fd/N/name` for the rest.

mod fault;
mod temporary;

use std::cell::Cell;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub(crate) use fault::DirectoryFault;
use fault::Problem;
use temporary::Temporary;

use super::container::{self, HEADER, LARGEST};
use super::random;
use crate::system;

/// No link is followed, and open(2) of a FIFO does not wait for somebody at its other end.
const CAREFULLY: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK;
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Permissions of everybody but the owner.
const OTHERS: u32 = 0o077;
const STICKY: u32 = 0o1000;
const LONGEST_NAME: usize = 100;
/// The most entries that are looked at when the directory is listed. We make some 8000 names.
const MOST_ENTRIES: usize = 20_000;
/// One in so many writes looks for what killed processes left behind.
const SWEEP_ONE_IN: u64 = 256;

/// What may be done to a directory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Access {
    /// Nothing is made or changed, locks included. Writing succeeds without effect, so that a
    /// diagnosis takes the same way as a login.
    ReadOnly,
    ReadWrite,
}

/// A directory that is ours alone.
#[derive(Debug)]
pub(crate) struct Directory {
    handle: File,
    access: Access,
    owner: u32,
    unusable: Cell<u32>,
    unwritten: Cell<bool>,
}

impl Directory {
    /// Opens the directory at `path`, and makes it first where it is missing and `access` allows.
    pub(crate) fn open(path: &Path, access: Access) -> Result<Self, DirectoryFault> {
        Self::open_as(system::effective_user(), path, access)
    }

    fn open_as(us: u32, path: &Path, access: Access) -> Result<Self, DirectoryFault> {
        // Without a slash or a dot at the end, behind which O_NOFOLLOW lets a link pass.
        let path: PathBuf = path.components().collect();
        Self::try_open(us, &path, access).map_err(|problem| problem.at(&path))
    }

    fn try_open(us: u32, path: &Path, access: Access) -> Result<Self, Problem> {
        let open = || {
            let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
            OpenOptions::new().read(true).custom_flags(flags).open(path)
        };
        let handle = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => match access {
                Access::ReadOnly => return Err(Problem::Missing),
                Access::ReadWrite => make(us, path).and_then(|()| Ok(open()?))?,
            },
            opened => opened?,
        };
        let metadata = handle.metadata()?;
        let mode = metadata.mode() & 0o7777;
        if metadata.uid() != us {
            return Err(Problem::Foreign { owner: metadata.uid(), us });
        }
        if mode & OTHERS != 0 {
            return Err(Problem::OpenToOthers { mode });
        }
        Ok(Self { handle, access, owner: us, unusable: Cell::new(0), unwritten: Cell::new(false) })
    }

    /// The payload of a file, at most `limit` bytes. A file that cannot be used is absent, and
    /// is counted.
    pub(crate) fn read(&self, name: &str, limit: usize) -> Option<Vec<u8>> {
        check_name(name).ok()?;
        let payload = self.read_payload(name, limit);
        payload.unwrap_or_else(|Unusable| {
            self.count_unusable();
            None
        })
    }

    /// Replaces a file as a whole: whoever reads it sees the old payload or the new one, also if
    /// this process is killed or the disk is full, which is an error and nothing else.
    pub(crate) fn write(&self, name: &str, payload: &[u8]) -> io::Result<()> {
        let written = self.try_write(name, payload);
        self.unwritten.set(self.unwritten.get() || written.is_err());
        written
    }

    fn try_write(&self, name: &str, payload: &[u8]) -> io::Result<()> {
        let path = self.path_of(name)?;
        if payload.len() > LARGEST {
            return Err(ErrorKind::FileTooLarge.into());
        }
        if self.access == Access::ReadOnly {
            return Ok(());
        }
        let mut file = Temporary::write(self, &container::seal(payload))?;
        file.rename(&path)?;
        if random().is_multiple_of(SWEEP_ONE_IN) {
            file.sweep(self);
        }
        Ok(())
    }

    /// Removes a file, where there is one.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path_of(name)?;
        match self.access {
            Access::ReadOnly => Ok(()),
            Access::ReadWrite => match fs::remove_file(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
                removed => removed,
            },
        }
    }

    /// How many times a file was there and could not be used.
    pub(crate) fn unusable(&self) -> u32 {
        self.unusable.get()
    }

    /// Whether something could not be written.
    pub(crate) fn unwritten(&self) -> bool {
        self.unwritten.get()
    }

    /// The names that begin with `prefix`, sorted.
    pub(super) fn names(&self, prefix: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path()) else { return Vec::new() };
        let names = entries.take(MOST_ENTRIES).flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> = names.filter(|name| name.starts_with(prefix)).collect();
        names.sort_unstable();
        names
    }

    /// Opens a file that stays in its place, and makes it where it is missing. One that cannot be
    /// used is removed, so that there is a good one the next time: then two processes may hold
    /// locks on two files of one name for once.
    pub(super) fn open_to_lock(&self, name: &str) -> io::Result<File> {
        check_name(name)?;
        if self.access == Access::ReadOnly {
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        let flags = libc::O_RDWR | libc::O_CREAT | CAREFULLY;
        match system::open_at(&self.handle, name, flags, FILE_MODE) {
            Ok(file) => {
                let metadata = file.metadata()?;
                if is_ours(&metadata, self.owner) {
                    // What the umask took away would be missed the next time.
                    if metadata.mode() & 0o777 != FILE_MODE {
                        file.set_permissions(Permissions::from_mode(FILE_MODE))?;
                    }
                    return Ok(file);
                }
            }
            Err(error) if !is_about_the_file(&error) => return Err(error),
            Err(_) => {}
        }
        fs::remove_file(self.path_of(name)?)?;
        self.count_unusable();
        Err(ErrorKind::InvalidData.into())
    }

    /// The directory itself. It is valid while this is.
    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.handle.as_raw_fd()))
    }

    fn path_of(&self, name: &str) -> io::Result<PathBuf> {
        check_name(name)?;
        Ok(self.path().join(name))
    }

    fn read_payload(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, Unusable> {
        let opened = system::open_at(&self.handle, name, libc::O_RDONLY | CAREFULLY, 0);
        let mut file = match opened {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let metadata = file.metadata()?;
        let size = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
        if !is_ours(&metadata, self.owner) || size > limit.min(LARGEST).saturating_add(HEADER) {
            return Err(Unusable);
        }
        let mut content = vec![0; size];
        file.read_exact(&mut content)?;
        container::unseal(content).map(Some).ok_or(Unusable)
    }

    fn count_unusable(&self) {
        self.unusable.set(self.unusable.get().saturating_add(1));
    }
}

/// Makes the directory, with exactly the mode that it needs.
fn make(us: u32, path: &Path) -> Result<(), Problem> {
    let parent = path.parent().unwrap_or(path);
    let metadata = fs::metadata(parent).map_err(Problem::NoParent)?;
    if !is_safe_parent(metadata.uid(), metadata.mode(), us) {
        return Err(Problem::UnsafeParent);
    }
    match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
        // mkdir(2) takes away what the umask has, and adds what the parent hands on. Nobody else
        // can have put something in its place: the parent is safe.
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE))
            .map_err(Problem::NotMade),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Problem::NotMade(error)),
    }
}

/// Whether nobody but root and us can rename or remove what we make in a folder.
fn is_safe_parent(owner: u32, mode: u32, us: u32) -> bool {
    let written_by_others = mode & 0o022 != 0 && mode & STICKY == 0;
    (owner == 0 || owner == us) && !written_by_others
}

/// Whether open(2) failed for what is at the path (a link, a FIFO, a closed file), and not for the
/// disk or for want of descriptors.
fn is_about_the_file(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EACCES | libc::ELOOP | libc::ENXIO))
}

/// A file is there, and is not what we write.
struct Unusable;

impl From<io::Error> for Unusable {
    fn from(_: io::Error) -> Self {
        Self
    }
}

fn check_name(name: &str) -> io::Result<()> {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    let reserved = name.starts_with('.') || name.starts_with(temporary::PREFIX);
    if name.is_empty() || name.len() > LONGEST_NAME || reserved || !name.bytes().all(known) {
        return Err(ErrorKind::InvalidFilename.into());
    }
    Ok(())
}

/// Whether nobody else can have written to a file or can reach it by another name. A file that
/// was replaced since it was opened has no name at all.
fn is_ours(metadata: &Metadata, owner: u32) -> bool {
    let closed = metadata.mode() & OTHERS == 0;
    metadata.is_file() && metadata.uid() == owner && closed && metadata.nlink() <= 1
}

#[cfg(test)]
mod tests;
