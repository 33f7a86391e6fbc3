//! One run of a container: Patroni and the PostgreSQL that it starts, with a root, a host name and
//! process ids of their own (namespaces(7)), in the network of the cluster.
//!
//! dumb-init(1) has process id 1 there, as in Spilo's image: when it goes with Patroni, the kernel ends
//! PostgreSQL. Patroni alone would hang for good now and then: before 4.1 it logs in a handler of
//! signals where it is the first process, and that waits for itself where it was just logging.

use std::fs::{self, OpenOptions};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::spilo::Environment;
use crate::eventually::pause;
use crate::network::Network;
use crate::process::{Process, send_signal};

/// `$1` is an empty folder for the new root, `$2` the host name, `$3` a file of mounts (source and
/// target, separated by a tab), `$4` the data directory. The rest is the command. What the machine
/// has is seen and cannot be changed; /home, /run, /tmp and /var are new.
const ENTER: &str = r#"
set -e
root=$1 name=$2 mounts=$3 data=$4
shift 4
hostname "$name"
mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs "$root"
for entry in bin etc lib lib32 lib64 libx32 opt sbin usr; do
    if [ -L "/$entry" ]; then
        cp -P "/$entry" "$root/$entry"
    elif [ -d "/$entry" ]; then
        mkdir "$root/$entry"
        mount --rbind "/$entry" "$root/$entry"
        mount -o remount,bind,ro "$root/$entry"
    fi
done
cd "$root"
mkdir proc dev dev/shm tmp run run/postgresql var home home/postgres
mount -t proc proc proc
for node in full null random tty urandom zero; do
    touch "dev/$node"
    mount --bind "/dev/$node" "dev/$node"
done
ln -s /proc/self/fd dev/fd
ln -s /run var/run
chmod 1777 tmp dev/shm
chown 65534:65534 run/postgresql home/postgres
while IFS="$(printf '\t')" read -r source target; do
    if [ -d "$source" ]; then
        [ -d "$root$target" ] || mkdir -p "$root$target"
    elif [ ! -e "$root$target" ]; then
        mkdir -p "$root${target%/*}"
        touch "$root$target"
    fi
    mount --bind "$source" "$root$target"
done <"$mounts"
mkdir -p "$root$data" "$root${data%/*}/pg_log"
chown 65534:65534 "$root${data%/*}" "$root${data%/*}/pg_log" "$root$data"
chmod 0700 "$root$data"
exec chroot "$root" setpriv --reuid=65534 --regid=65534 --clear-groups --pdeathsig KILL -- "$@"
"#;

/// What a container is started from.
#[derive(Debug)]
pub(crate) struct Recipe<'a> {
    /// Belongs to this container alone.
    pub(crate) folder: &'a Path,
    pub(crate) hostname: &'a str,
    /// Sources on the machine, targets in the container.
    pub(crate) mounts: Vec<(PathBuf, PathBuf)>,
    pub(crate) data: &'a str,
    /// Of the pod; whoever runs a command in the container has it as well.
    pub(crate) environment: &'a Environment,
    /// What the service script leaves of it.
    pub(crate) visible: &'a Environment,
    pub(crate) command: Vec<PathBuf>,
}

#[derive(Debug)]
pub(crate) struct Container(Process);

impl Container {
    /// In a network.
    pub(crate) fn start(network: &Network, recipe: &Recipe<'_>) -> Self {
        let root = recipe.folder.join("root");
        fs::create_dir_all(&root).expect("a folder");
        let lines = recipe.mounts.iter();
        let lines: String = lines
            .map(|(source, target)| format!("{}\t{}\n", source.display(), target.display()))
            .collect();
        let mounts = recipe.folder.join("mounts");
        fs::write(&mounts, lines).expect("a file");
        let log = OpenOptions::new().create(true).append(true).open(log_file(recipe.folder));
        let log = log.expect("a log file");
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .args(["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child"])
            .args(["--", "sh", "-c", ENTER, "enter"])
            .arg(&root)
            .arg(recipe.hostname)
            .arg(&mounts)
            .arg(recipe.data)
            .args(["env", "-i"])
            .args(recipe.visible.iter().map(|(name, value)| format!("{name}={value}")))
            .args(["dumb-init", "--single-child", "--"])
            .args(&recipe.command)
            .env_clear()
            .envs(recipe.environment)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log);
        network.confine(&mut command);
        Self(Process::spawn(&mut command, libc::SIGKILL))
    }

    /// The exit code, as soon as there is one.
    pub(crate) fn exited(&mut self) -> Option<i32> {
        let status = self.0.exited()?;
        Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
    }

    /// Asks Patroni to stop PostgreSQL and itself.
    pub(crate) fn terminate(&self) {
        self.signal(libc::SIGTERM);
    }

    /// Ends all of its processes at once, and waits for that.
    pub(crate) fn kill(&mut self) {
        // unshare(1) ends when the kernel has ended everything below its child.
        self.signal(libc::SIGKILL);
        let start = Instant::now();
        while self.0.exited().is_none() && start.elapsed() < Duration::from_secs(5) {
            pause(Duration::from_millis(2));
        }
        // It may have had no child yet.
        self.0.stop();
    }

    /// Who has the environment that it began with, and who has its namespaces and its root: unshare(1),
    /// and its first process, as soon as that is its child.
    pub(crate) fn processes(&self) -> Option<(u32, u32)> {
        let parent = self.0.id();
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
        Some((parent, children.ok()?.split_whitespace().next()?.parse().ok()?))
    }

    /// unshare(1) passes nothing on.
    fn signal(&self, signal: i32) {
        self.processes().into_iter().for_each(|(_, child)| send_signal(child, signal));
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What Patroni says.
pub(crate) fn log_file(folder: &Path) -> PathBuf {
    folder.join("patroni.log")
}
