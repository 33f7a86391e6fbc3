//! A temporary folder, readable by `nobody`; kept and named when a test fails.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

static KEEP: AtomicBool = AtomicBool::new(true);

/// For a program that cleans up after itself whatever happens.
pub fn never_keep() {
    KEEP.store(false, Ordering::Relaxed);
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
