//! A private view of the machine for one world: its own /etc/pam.d, PAM modules, CA bundle,
//! /etc/hosts, /etc/resolv.conf and /dev/log, in a mount namespace (mount_namespaces(7)).
//! What runs inside is `nobody`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock};

use crate::secrets::random_text;
use crate::workdir::Workdir;

/// `nobody` and `nogroup` of Debian.
const UNPRIVILEGED: u32 = 65534;
/// Before the words of a command: runs it as `nobody`, until the thread ends that started it.
pub(crate) const AS_NOBODY: [&str; 7] =
    ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--pdeathsig", "INT", "--"];
/// Moves the clock of a process; Debian's package `libfaketime`.
pub(crate) const CLOCK_LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
/// More commands for [`ENTER`].
const MOUNTS: &str = "mounts";
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Binds the files of the sandbox over those of the machine, for this process and its
/// children only, and gives up root. `$1` is the folder, `$2` that of the PAM modules.
/// The file `mounts` there holds what a test wants beside that.
const ENTER: &str = r#"
set -e
own=$1 modules=$2
shift 2
mount --make-rprivate /
mount --bind "$own/pam.d" /etc/pam.d
mount --bind "$own/security" "$modules"
for file in /etc/ssl/certs/ca-certificates.crt /etc/hosts /etc/resolv.conf; do
    mount --bind "$own/etc/${file##*/}" "$file"
done
for node in full null random tty urandom zero; do
    [ -e "$own/dev/$node" ] || touch "$own/dev/$node"
    mount --bind "/dev/$node" "$own/dev/$node"
done
mkdir -p "$own/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$own/dev/shm"
mount --rbind "$own/dev" /dev
. "$own/mounts"
cd /
exec setpriv --reuid=65534 --regid=65534 --clear-groups --pdeathsig INT "$@"
"#;

#[derive(Debug)]
pub struct Sandbox {
    pub workdir: Workdir,
    modules: PathBuf,
}

impl Sandbox {
    /// With `module` installed as pam_oauth2.so, and `authority` (PEM) added to the system's
    /// CA bundle.
    pub fn new(module: &Path, authority: &str) -> Self {
        require_namespaces();
        let modules = system_modules();
        let workdir = Workdir::new();
        let security = workdir.folder("security");
        for entry in fs::read_dir(&modules).expect("PAM modules").flatten() {
            if entry.path().is_file() {
                fs::copy(entry.path(), security.join(entry.file_name())).expect("a copy");
            }
        }
        install(module, &security.join("pam_oauth2.so"));
        for folder in ["pam.d", "etc", "dev"] {
            workdir.folder(folder);
        }
        let bundle = fs::read_to_string(CA_BUNDLE).unwrap_or_default();
        workdir.file("etc/ca-certificates.crt", format!("{bundle}\n{authority}"));
        workdir.file("etc/hosts", "127.0.0.1 localhost info.example.com\n");
        workdir.file("etc/resolv.conf", "# no server\n");
        workdir.file(MOUNTS, "");
        workdir.file("pam.d/other", "auth required pam_deny.so\naccount required pam_deny.so\n");
        Self { workdir, modules }
    }

    /// Writes the PAM file of a service.
    pub fn pam_file(&self, service: &str, content: &str) {
        self.workdir.file(&format!("pam.d/{service}"), content);
    }

    /// A folder that `nobody` may write to.
    pub fn writable_folder(&self, name: &str) -> PathBuf {
        let path = self.workdir.folder(name);
        own(&path);
        path
    }

    /// From now on every process that enters finds a disk of its own at `folder`, empty and
    /// `nobody`'s, with so many pages and files. One more file is the folder itself.
    pub fn tiny_disk(&self, folder: &Path, pages: u32, files: u32) {
        let options = format!(
            "nr_blocks={pages},nr_inodes={},uid={UNPRIVILEGED},gid={UNPRIVILEGED},mode=0700",
            files + 1
        );
        self.workdir
            .file(MOUNTS, format!("mount -t tmpfs -o {options} tmpfs '{}'\n", folder.display()));
    }

    /// From now on every process that enters can read what is in `folder`, and change nothing.
    pub fn read_only(&self, folder: &Path) {
        let folder = folder.display();
        let mounts =
            format!("mount --bind '{folder}' '{folder}'\nmount -o remount,bind,ro '{folder}'\n");
        self.workdir.file(MOUNTS, mounts);
    }

    /// Processes that enter from now on find nothing of the kind.
    pub fn no_mounts(&self) {
        self.workdir.file(MOUNTS, "");
    }

    /// Installs one more PAM module, under this name.
    pub fn install_module(&self, module: &Path, name: &str) {
        install(module, &self.workdir.path().join("security").join(name));
    }

    /// A program of ours, where `nobody` can read it.
    pub fn program(&self, name: &str) -> PathBuf {
        self.installed(name, || crate::artifacts::program(name))
    }

    /// The same for `pam-oauth2-check`.
    pub fn check(&self) -> PathBuf {
        self.installed("pam-oauth2-check", crate::artifacts::check)
    }

    /// Once, although many threads may ask at a time: a program that is still being written
    /// somewhere cannot be started.
    fn installed(&self, name: &str, from: impl FnOnce() -> PathBuf) -> PathBuf {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _lock = ONE_AT_A_TIME.lock();
        let installed = self.workdir.folder("bin").join(name);
        if !installed.exists() {
            install(&from(), &installed);
        }
        installed
    }

    /// A command that runs inside.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--", "sh", "-c", ENTER, "sandbox"])
            .arg(self.workdir.path())
            .arg(&self.modules)
            .arg(program.as_ref())
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8");
        command
    }
}

/// Makes the clock of a program that runs inside go wrong by so many seconds. Deadlines are about time that passes, so the monotonic clock is left alone, and
/// so are the times of files, which the kernel writes.
pub fn with_clock_off_by(seconds: i64) -> [String; 5] {
    [
        "env".to_owned(),
        format!("LD_PRELOAD={CLOCK_LIBRARY}"),
        format!("FAKETIME={seconds:+}s"),
        "NO_FAKE_STAT=1".to_owned(),
        "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
    ]
}

/// Gives a path to `nobody`.
pub fn own(path: &Path) {
    chown(path, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).expect("root can give files away");
}

/// A copy under a new inode: a file that is mapped somewhere must not change.
fn install(from: &Path, to: &Path) {
    let new = to.with_extension(format!("new-{}", random_text(8)));
    fs::copy(from, &new).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("the mode can be set");
    fs::rename(&new, to).expect("a file can be renamed");
}

pub(crate) fn system_modules() -> PathBuf {
    let known =
        ["/lib/x86_64-linux-gnu/security", "/lib/aarch64-linux-gnu/security", "/lib64/security"];
    let found = known.iter().map(Path::new).find(|folder| folder.join("pam_permit.so").exists());
    found.expect("PAM modules of the system (Debian: libpam-modules)").to_owned()
}

/// Says plainly what is missing, before anything fails in an obscure way.
pub(crate) fn require_namespaces() {
    static ANSWER: OnceLock<Result<(), String>> = OnceLock::new();
    if let Err(reason) = ANSWER.get_or_init(namespaces) {
        panic!("{reason}");
    }
}

/// Why sandboxes cannot be made here, for people.
pub fn namespaces() -> Result<(), String> {
    // SAFETY: geteuid(2) cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return Err("this needs root: a private mount namespace replaces /etc/pam.d for the test \
                    servers alone. Run it as root, for example in a container."
            .to_owned());
    }
    let mut attempt = Command::new("unshare");
    attempt.args(["--mount", "--", "mount", "--make-rprivate", "/"]).process_group(0);
    let attempt = attempt.output();
    match attempt {
        Ok(Output { status, .. }) if status.success() => Ok(()),
        Ok(Output { stderr, .. }) => Err(format!(
            "this kernel or container forbids mount namespaces ({}). They keep /etc/pam.d and \
             PostgreSQL of the machine untouched, so there is no way around them: run this on a \
             machine, or in a container with CAP_SYS_ADMIN (docker run --cap-add SYS_ADMIN \
             --security-opt apparmor=unconfined).",
            String::from_utf8_lossy(&stderr).trim()
        )),
        Err(error) => Err(format!("unshare(1) of util-linux cannot be run: {error}")),
    }
}
