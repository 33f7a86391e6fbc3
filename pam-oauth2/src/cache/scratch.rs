//! Folders for tests, and tests in processes of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Access, Directory, random};

/// Says to a test that runs in a process of its own where it works.
const WORKPLACE: &str = "CACHE_TEST_WORKPLACE";

/// A folder with a cache in it, removed when a test ends well.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("pam-oauth2-cache-{}-{number}-{:x}", std::process::id(), random());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// Where the cache is.
    pub(crate) fn cache(&self) -> PathBuf {
        self.0.join("cache")
    }

    /// Where a file of the cache is.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.cache().join(name)
    }

    pub(crate) fn directory(&self) -> Directory {
        Directory::open(&self.cache(), Access::ReadWrite).unwrap()
    }

    pub(crate) fn read_only(&self) -> Directory {
        Directory::open(&self.cache(), Access::ReadOnly).unwrap()
    }

    /// A directory that is ours and closed, in which not even root can make a file.
    pub(crate) fn unwritable() -> Directory {
        Directory::open(Path::new("/proc/self/fd"), Access::ReadWrite).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.cache()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _left_for_the_system = fs::remove_dir_all(&self.0);
        }
    }
}

/// Where this test has to work, if it runs in a process of its own.
pub(crate) fn workplace() -> Option<PathBuf> {
    std::env::var_os(WORKPLACE).map(PathBuf::from)
}

/// The test of this name once more in a process of its own, behind shell commands that prepare it.
#[allow(clippy::disallowed_methods, reason = "a test needs a process that can be killed")]
pub(crate) fn in_a_process(test: &str, workplace: &Path, shell: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{shell}\nexec \"$0\" \"$@\"")]);
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", &format!("cache::{test}")]);
    command.env(WORKPLACE, workplace);
    command
}

/// Runs a program on a path.
#[allow(clippy::disallowed_methods, reason = "a test needs files that the library cannot make")]
pub(crate) fn run(program: &str, path: &Path) {
    assert!(Command::new(program).arg(path).status().unwrap().success());
}
