//! What is under test, as cargo builds it for users.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

const MODULE: &str = "libpam_oauth2.so";

/// The PAM module as it ships, freshly built.
pub fn module() -> PathBuf {
    shipped("pam-oauth2", MODULE)
}

/// `teams-sync` as it ships, for measurements.
pub fn teams_sync_release() -> PathBuf {
    shipped("teams-sync", "teams-sync")
}

/// The same of `operator`.
pub fn operator_release() -> PathBuf {
    shipped("operator", "operator")
}

/// Whether tests try what users get (`SHIPPED=yes`, as `make test-shipped` has it) in place of debug
/// builds.
pub fn are_shipped() -> bool {
    std::env::var_os("SHIPPED").is_some()
}

/// The debug build of `pam-oauth2-check`, freshly built.
pub fn check() -> PathBuf {
    tested("pam-oauth2-check")
}

/// The same of `teams-sync`.
pub fn teams_sync() -> PathBuf {
    tested("teams-sync")
}

/// The same of `operator`.
pub fn operator() -> PathBuf {
    tested("operator")
}

/// The same of `ztoken`.
pub fn ztoken() -> PathBuf {
    tested("ztoken")
}

/// The program behind `make sbom`, which does not ship itself.
pub fn sbom() -> PathBuf {
    debug("sbom")
}

/// A build of the module whose hooks panic on `--inject-panic`.
pub fn module_with_panic_injection() -> PathBuf {
    static ONCE: OnceLock<PathBuf> = OnceLock::new();
    ONCE.get_or_init(|| {
        let folder = target().join("panic-injection");
        let mut cargo = cargo(&["-p", "pam-oauth2", "--features", "panic-injection"]);
        build(cargo.arg("--target-dir").arg(&folder));
        folder.join("debug").join(MODULE)
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

fn tested(program: &str) -> PathBuf {
    if are_shipped() { shipped(program, program) } else { debug(program) }
}

/// All programs at once: what each shares with the others and with the tests is built once.
fn debug(program: &str) -> PathBuf {
    static ONCE: OnceLock<()> = OnceLock::new();
    ONCE.get_or_init(|| build(&mut cargo(&["--workspace", "--bins"])));
    target().join("debug").join(program)
}

/// By the build that packages and images are made with.
fn shipped(package: &str, file: &str) -> PathBuf {
    static BUILT: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut built = BUILT.lock().expect("no build panicked");
    if !built.contains(package) {
        let mut script = Command::new(source().join("packaging/build.sh"));
        build(script.args(["-p", package, "--quiet"]));
        built.insert(package.to_owned());
    }
    target().join("release").join(file)
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--locked"]).args(arguments);
    command
}

/// Without what cargo has told this program about its own package: a build that hears of it builds ring
/// anew, and with it all that is above, and the next one from a shell does so again.
pub fn of_its_own(command: &mut Command) -> &mut Command {
    let told = std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|own| name.starts_with(own))
    });
    told.for_each(|name| {
        command.env_remove(name);
    });
    command
}

fn build(command: &mut Command) {
    // Ctrl-C is for the program that the person started; it cleans up in order.
    let status = of_its_own(command).current_dir(source()).process_group(0).status();
    let status = status.expect("a build can be started");
    assert!(status.success(), "what is under test does not build: {status}");
}
