//! A folder that is ours alone.
//!
//! Never: a symbolic link, a file or folder of another owner or open to others, half a file.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Fault, refused};
use crate::foreign::shown;
use crate::system;

/// Two tokens of 16 KiB each, and what is said of them.
const LONGEST: u64 = 256 * 1024;

#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Files are reached through it, so that nobody can put another folder in its place meanwhile.
    opened: File,
}

/// A file that has its place, and not yet its content.
#[derive(Debug)]
#[must_use]
pub(crate) struct Room<'a> {
    folder: &'a Folder,
    name: String,
    file: File,
}

impl Folder {
    /// Makes it, and what is above it, where it is missing.
    pub(crate) fn open(path: PathBuf) -> Result<Self, Fault> {
        let fault = |error| Fault::Io { path: shown(&path.to_string_lossy()), error };
        // A link at its place is neither followed nor replaced.
        match DirBuilder::new().recursive(true).mode(0o700).create(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(fault(error)),
            Ok(()) | Err(_) => {}
        }
        let metadata = fs::symlink_metadata(&path).map_err(fault)?;
        let named = path.to_string_lossy().into_owned();
        if !metadata.is_dir() {
            return Err(refused(&named, "is not a folder: remove it, and log in again"));
        }
        let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let opened =
            OpenOptions::new().read(true).custom_flags(flags).open(&path).map_err(fault)?;
        check(&named, &opened.metadata().map_err(fault)?, "700")?;
        Ok(Self { path, opened })
    }

    /// For messages.
    pub(crate) fn shown(&self, name: &str) -> String {
        shown(&self.path_of(name).to_string_lossy())
    }

    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// `None` where there is none.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        let mut options = OpenOptions::new();
        let file = match self.checked(name, options.read(true)) {
            Err(Fault::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            file => file?,
        };
        let mut content = Zeroizing::new(Vec::with_capacity(40 * 1024));
        let read = file.take(LONGEST).read_to_end(&mut content);
        read.map(|_| Some(content)).map_err(|error| self.io(name, error))
    }

    /// Takes so much room for a file. It has its present content until the new one is whole. Two at a
    /// time are kept apart by whoever calls.
    pub(crate) fn room(&self, name: &str, bytes: usize) -> Result<Room<'_>, Fault> {
        // Of somebody who was killed.
        self.remove(&new(name))?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let opened = options.open(self.reached(&new(name)));
        let file = opened.map_err(|error| self.io(name, error))?;
        let room = Room { folder: self, name: name.to_owned(), file };
        // Blanks, which JSON may end with. Some systems find out at the sync that there is no room.
        let taken = room.file.write_all_at(&vec![b' '; bytes], 0);
        taken.and_then(|()| room.file.sync_all()).map_err(|error| self.io(name, error))?;
        Ok(room)
    }

    pub(crate) fn replace(&self, name: &str, content: &[u8]) -> Result<(), Fault> {
        self.room(name, 0)?.fill(content)
    }

    /// What somebody wrote who was killed gets its name if it is whole, and goes otherwise.
    pub(super) fn settle(&self, name: &str, is_whole: fn(&[u8]) -> bool) -> Result<(), Fault> {
        match self.read(&new(name))? {
            Some(content) if is_whole(&content) => {
                let renamed = fs::rename(self.reached(&new(name)), self.reached(name));
                renamed.map_err(|error| self.io(name, error))
            }
            Some(_) => self.remove(&new(name)),
            None => Ok(()),
        }
    }

    /// What is in it, as far as the names are text.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.reached(".")).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), Fault> {
        match fs::remove_file(self.reached(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.io(name, error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// An empty file to lock; it stays.
    pub(crate) fn lock_file(&self, name: &str) -> Result<File, Fault> {
        let mut options = OpenOptions::new();
        self.checked(name, options.read(true).write(true).create(true).truncate(false))
    }

    fn checked(&self, name: &str, options: &mut OpenOptions) -> Result<File, Fault> {
        // O_NONBLOCK: open(2) of a FIFO does not wait for a writer.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = options.mode(0o600).custom_flags(flags).open(self.reached(name));
        let named = self.path_of(name).to_string_lossy().into_owned();
        let file = match file {
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
                return Err(refused(&named, "is a symbolic link: remove it, and log in again"));
            }
            file => file.map_err(|error| self.io(name, error))?,
        };
        let metadata = file.metadata().map_err(|error| self.io(name, error))?;
        if !metadata.is_file() || metadata.len() > LONGEST {
            return Err(refused(&named, "is no file of ztoken's: remove it, and log in again"));
        }
        check(&named, &metadata, "600")?;
        Ok(file)
    }

    /// proc(5): the way through a descriptor.
    fn reached(&self, name: &str) -> PathBuf {
        Path::new("/proc/self/fd").join(self.opened.as_raw_fd().to_string()).join(name)
    }

    fn io(&self, name: &str, error: io::Error) -> Fault {
        Fault::Io { path: self.shown(name), error }
    }
}

impl Room<'_> {
    /// Now the file has this content.
    pub(crate) fn fill(self, content: &[u8]) -> Result<(), Fault> {
        let Self { folder, name, file } = &self;
        let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let filled = file
            .write_all_at(content, 0)
            .and_then(|()| file.set_len(length))
            // A crash of the machine must leave neither an empty file under the name nor the one of
            // before: that would be a login that is lost, where the provider takes each refresh token
            // once.
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(folder.reached(&new(name)), folder.reached(name)))
            .and_then(|()| folder.opened.sync_all());
        filled.map_err(|error| folder.io(name, error))
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        // It is not there where it was filled.
        let _best_effort = self.folder.remove(&new(&self.name));
    }
}

/// Of a file that is not whole yet.
fn new(name: &str) -> String {
    format!("{name}.new")
}

fn check(path: &str, metadata: &Metadata, mode: &str) -> Result<(), Fault> {
    let user = system::effective_user();
    if metadata.uid() != user {
        let what = format!(
            "belongs to user {} and not to user {user}, as whom ztoken runs: run it as the owner \
             (without sudo), or remove it",
            metadata.uid()
        );
        return Err(refused(path, &what));
    }
    if metadata.mode() & 0o077 != 0 {
        let what = format!(
            "is open to others (mode {:o}), who may have read or changed it: log out, remove it and \
             log in again, or chmod {mode} it",
            metadata.mode() & 0o7777
        );
        return Err(refused(path, &what));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A folder of one test, in one that others may enter.
    fn place(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("ztoken-folder-{name}-{}", std::process::id()));
        let _from_before = fs::remove_dir_all(&path);
        path
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn what_is_written_is_read_again_and_is_ours_alone() {
        let path = place("roundtrip");
        let folder = Folder::open(path.join("state/ztoken")).unwrap();
        assert_eq!(folder.read("a.json").unwrap(), None);
        folder.replace("a.json", b"one").unwrap();
        folder.replace("a.json", b"two").unwrap();
        assert_eq!(folder.read("a.json").unwrap().unwrap().as_slice(), b"two");
        assert_eq!(mode(&folder.path), 0o700);
        assert_eq!(mode(&folder.path_of("a.json")), 0o600);
        folder.remove("a.json").unwrap();
        folder.remove("a.json").unwrap();
        assert_eq!(folder.read("a.json").unwrap(), None);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn links_and_what_is_open_to_others_are_refused() {
        let path = place("refused");
        let folder = Folder::open(path.clone()).unwrap();
        let refusal = |name: &str| folder.read(name).unwrap_err().to_string();
        folder.replace("real", b"x").unwrap();
        symlink("real", folder.path_of("link")).unwrap();
        assert!(refusal("link").contains("is a symbolic link"), "{}", refusal("link"));
        for open in [0o640, 0o604, 0o620] {
            fs::set_permissions(folder.path_of("real"), Permissions::from_mode(open)).unwrap();
            assert!(refusal("real").contains("is open to others"), "{open:o}");
        }
        fs::create_dir(folder.path_of("folder")).unwrap();
        assert!(refusal("folder").contains("is no file of ztoken's"), "{}", refusal("folder"));
        fs::set_permissions(&path, Permissions::from_mode(0o750)).unwrap();
        assert!(Folder::open(path.clone()).unwrap_err().to_string().contains("chmod 700"));
        fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
        symlink(&path, path.join("itself")).unwrap();
        assert!(
            Folder::open(path.join("itself")).unwrap_err().to_string().contains("not a folder")
        );
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn who_was_killed_leaves_what_is_whole_and_nothing_else() {
        let path = place("killed");
        let folder = Folder::open(path.clone()).unwrap();
        let is_whole = |content: &[u8]| content.starts_with(b"{}");
        folder.replace("a.json", b"old").unwrap();
        for (left, expected) in [("{", "old"), ("{}   ", "{}   ")] {
            folder.replace("a.json.new", left.as_bytes()).unwrap();
            folder.settle("a.json", is_whole).unwrap();
            let content = folder.read("a.json").unwrap().unwrap();
            assert_eq!(content.as_slice(), expected.as_bytes());
            assert_eq!(folder.names(), ["a.json"]);
        }
        // Room that nobody needed is given back.
        drop(folder.room("a.json", 100_000).unwrap());
        assert_eq!(folder.names(), ["a.json"]);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_link_at_the_place_of_a_new_file_is_not_followed() {
        let path = place("new");
        let folder = Folder::open(path.clone()).unwrap();
        fs::write(path.join("victim"), "precious").unwrap();
        symlink("victim", folder.path_of("a.json.new")).unwrap();
        folder.replace("a.json", b"token").unwrap();
        assert_eq!(fs::read_to_string(path.join("victim")).unwrap(), "precious");
        fs::remove_dir_all(path).unwrap();
    }
}
