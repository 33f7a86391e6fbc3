//! What is under test, as cargo builds it for users.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

const MODULE: &str = "libpam_oauth2.so";

/// The release build of the PAM module, freshly built.
pub fn module() -> PathBuf {
    static ONCE: OnceLock<PathBuf> = OnceLock::new();
    ONCE.get_or_init(|| {
        build(&["-p", "pam-oauth2", "--release"]);
        target().join("release").join(MODULE)
    })
    .clone()
}

/// The release build of `pam-oauth2-check`, freshly built.
pub fn check() -> PathBuf {
    static ONCE: OnceLock<PathBuf> = OnceLock::new();
    ONCE.get_or_init(|| {
        build(&["-p", "pam-oauth2-check", "--release"]);
        target().join("release").join("pam-oauth2-check")
    })
    .clone()
}

/// The debug build of `teams-sync`, freshly built.
pub fn teams_sync() -> PathBuf {
    static ONCE: OnceLock<PathBuf> = OnceLock::new();
    ONCE.get_or_init(|| {
        build(&["-p", "teams-sync"]);
        target().join("debug").join("teams-sync")
    })
    .clone()
}

/// The debug build of `operator`, freshly built.
pub fn operator() -> PathBuf {
    static ONCE: OnceLock<PathBuf> = OnceLock::new();
    ONCE.get_or_init(|| {
        build(&["-p", "operator"]);
        target().join("debug").join("operator")
    })
    .clone()
}

/// The debug build of `ztoken`, freshly built.
pub fn ztoken() -> PathBuf {
    static ONCE: OnceLock<PathBuf> = OnceLock::new();
    ONCE.get_or_init(|| {
        build(&["-p", "ztoken"]);
        target().join("debug").join("ztoken")
    })
    .clone()
}

/// The release build, for measurements.
pub fn teams_sync_release() -> PathBuf {
    static ONCE: OnceLock<PathBuf> = OnceLock::new();
    ONCE.get_or_init(|| {
        build(&["-p", "teams-sync", "--release"]);
        target().join("release").join("teams-sync")
    })
    .clone()
}

/// The same of `operator`.
pub fn operator_release() -> PathBuf {
    static ONCE: OnceLock<PathBuf> = OnceLock::new();
    ONCE.get_or_init(|| {
        build(&["-p", "operator", "--release"]);
        target().join("release").join("operator")
    })
    .clone()
}

/// A build whose hooks panic on `--inject-panic`.
pub fn module_with_panic_injection() -> PathBuf {
    static ONCE: OnceLock<PathBuf> = OnceLock::new();
    ONCE.get_or_init(|| {
        let folder = target().join("panic-injection");
        let folder_text = folder.display().to_string();
        build(&[
            "-p",
            "pam-oauth2",
            "--release",
            "--features",
            "panic-injection",
            "--target-dir",
            &folder_text,
        ]);
        folder.join("release").join(MODULE)
    })
    .clone()
}

/// A program of this package, next to the one that runs.
pub fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    let found = own.ancestors().skip(1).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not built: run cargo build -p e2e --bins"))
}

/// The root of the sources.
pub fn source() -> PathBuf {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the package lies in the workspace").to_owned()
}

/// The build folder.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => source().join(folder),
        None => source().join("target"),
    }
}

fn build(arguments: &[&str]) {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked"])
        .args(arguments)
        .current_dir(source())
        // Ctrl-C is for the program that the person started; it cleans up in order.
        .process_group(0)
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "what is under test does not build: {status}");
}
