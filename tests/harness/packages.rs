//! Our Debian packages, built by the script behind `make packages`.
//!
//! The module in them is the one that ships. The programs come from the debug build that other tests
//! have anyway, as their release builds take minutes, or where [`are_shipped`] are the packages those
//! of `make packages`.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::artifacts::{are_shipped, check, module, source, target, teams_sync, ztoken};
use crate::bills::bills;

/// A time in the past, so that nothing that differs from run to run is in a package.
const DATE: [&str; 2] = ["1767225600", "2026-01-01"];

/// A folder with what packages are made of, and packages.
#[derive(Debug)]
pub struct Packages(PathBuf);

impl Packages {
    /// For all tests, in the build folder.
    pub fn shared() -> &'static Self {
        static ONCE: OnceLock<Packages> = OnceLock::new();
        ONCE.get_or_init(|| {
            let this = Self(target().join("test-packages"));
            let _none_yet = fs::remove_dir_all(&this.0);
            let programs = this.0.join("programs");
            fs::create_dir_all(&programs).expect("a folder can be made");
            for program in [module(), check(), teams_sync(), ztoken()] {
                let name = program.file_name().expect("a program has a name");
                symlink(&program, programs.join(name)).expect("a link can be made");
            }
            manuals::write(&this.manuals(), DATE[1]).expect("pages can be written");
            this
        })
    }

    /// Man pages and completions, as `manuals` wrote them: a folder for each command.
    pub fn manuals(&self) -> PathBuf {
        self.0.join("manuals")
    }

    /// Those of the version that the sources have; sorted.
    pub fn current(&self) -> Vec<PathBuf> {
        if are_shipped() {
            return files(&target().join("packages"));
        }
        self.built()
    }

    /// The same, built by a test for sure.
    pub fn built(&self) -> Vec<PathBuf> {
        static ONCE: OnceLock<Vec<PathBuf>> = OnceLock::new();
        ONCE.get_or_init(|| self.build("current", &[])).clone()
    }

    /// Those that an upgrade starts from.
    pub fn former(&self) -> Vec<PathBuf> {
        static ONCE: OnceLock<Vec<PathBuf>> = OnceLock::new();
        ONCE.get_or_init(|| self.build("former", &["0.0.9~"])).clone()
    }

    /// Built once more, into a folder of this name; sorted.
    pub fn build(&self, folder: &str, version: &[&str]) -> Vec<PathBuf> {
        self.build_with(folder, version, &[])
    }

    /// The same in another environment, and with a umask that lets nobody else read.
    pub fn build_with(
        &self,
        folder: &str,
        version: &[&str],
        environment: &[(&str, &str)],
    ) -> Vec<PathBuf> {
        let output = self.0.join(folder);
        let script = source().join("packaging/deb/build.sh");
        let mut command = Command::new("sh");
        let umask = if environment.is_empty() { "022" } else { "077" };
        command.args(["-c", "umask \"$0\"; exec \"$@\"", umask]).arg(script);
        command.args([&self.0.join("programs"), &self.manuals(), &output]);
        command.args(version).env("SOURCE_DATE_EPOCH", DATE[0]).env("NOTICES", bills());
        run(command.envs(environment.iter().copied()));
        files(&output)
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}

fn run(command: &mut Command) {
    let output = command.process_group(0).output().expect("it can be started");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
