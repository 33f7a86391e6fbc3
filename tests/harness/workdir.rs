//! A temporary folder, readable by `nobody`; kept and named when a test fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

static KEEP: AtomicBool = AtomicBool::new(true);

/// For a program that cleans up after itself whatever happens.
pub fn never_keep() {
    KEEP.store(false, Ordering::Relaxed);
}

/// Paths with mode, owner, number, length, and when their content last changed, in nanoseconds.
pub type Listing = BTreeMap<PathBuf, [i64; 5]>;

/// What differs between two of them.
pub fn changes(before: &Listing, after: &Listing) -> Vec<PathBuf> {
    let paths: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    paths.into_iter().filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
}

/// What is below a folder, and what would change if somebody wrote to it.
pub fn listing(folder: &Path) -> Listing {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            let numbers = [
                i64::from(metadata.mode()),
                i64::from(metadata.uid()),
                metadata.ino().cast_signed(),
                metadata.len().cast_signed(),
                metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec(),
            ];
            found.insert(entry.path(), numbers);
        }
    }
    found
}

#[derive(Debug)]
pub struct Workdir(PathBuf);

impl Workdir {
    pub fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("blue-elephant-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a temporary folder can be made");
        let this = Self(path);
        this.open_for_all(&this.0);
        this
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes a folder in it.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).expect("a folder can be made");
        self.open_for_all(&path);
        path
    }

    /// Writes a file in it, whole or not at all: servers may be reading it.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        let new = self.0.join(format!("{name}.new"));
        fs::write(&new, content).expect("a file can be written");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o644)).expect("its mode can be set");
        fs::rename(&new, &path).expect("a file can be renamed");
        path
    }

    fn open_for_all(&self, path: &Path) {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("the mode can be set");
    }
}

impl Default for Workdir {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Workdir {
    #[allow(clippy::print_stderr, reason = "the evidence of a failure has to be found")]
    fn drop(&mut self) {
        if std::thread::panicking() && KEEP.load(Ordering::Relaxed) {
            eprintln!("kept for inspection: {}", self.0.display());
        } else {
            let _best_effort = fs::remove_dir_all(&self.0);
        }
    }
}
