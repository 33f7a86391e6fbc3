//! A server with Debian 12 and Debian's PostgreSQL, as somebody has who installs our packages.
//!
//! The root that tests/install.sh keeps in the cache folder lies below a layer in memory, where
//! everything is that a test changes. All of it is in namespaces: no network but loopback, and when
//! the test ends, however it ends, the kernel ends what runs there and forgets the layer.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::cache;
use crate::network::Network;
use crate::process::Process;
use crate::sandbox::require_namespaces;
use crate::teams_sync::Running;
use crate::workdir::Workdir;

/// Makes the root of the new namespaces and waits in it. `$1` is the root below, `$2` a folder, `$3`
/// the mark. It says which process that is, outside, only once the root of this machine is behind it:
/// whoever entered earlier would change this machine. Where nobody wants to hear of children that
/// end, the kernel forgets them.
const HOLD: &str = r#"
set -e
below=$1 own=$2
read -r process rest </proc/self/stat
mount --make-rprivate /
ip link set lo up
mount -t tmpfs -o mode=755 server "$own"
mkdir "$own/upper" "$own/work" "$own/root"
mount -t overlay -o "lowerdir=$below,upperdir=$own/upper,workdir=$own/work" server "$own/root"
mount -t proc proc "$own/root/proc"
for node in full null random tty urandom zero; do
    mount --bind "/dev/$node" "$own/root/dev/$node"
done
mount -t tmpfs -o mode=1777 tmpfs "$own/root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$own/root/dev/pts"
touch "$own/root$3"
trap '' CHLD
exec chroot "$own/root" sh -c 'echo "$0"; exec sleep infinity' "$process"
"#;

/// Is in the root of such a server, and in no other.
pub const MARK: &str = "/.blue-elephant-test-server";
/// Before each script: nothing is done in any other root. `$0` is the script, `$1` the mark.
const GUARD: &str = r#"[ -e "$1" ] || { echo "this is no root of a test" >&2; exit 125; }
exec sh -euc "$0""#;

/// Of a script that goes on beside a test: far beyond what one takes.
const LIMIT: Duration = Duration::from_secs(120);

/// A command inside, as root with an environment that says nothing of this machine.
const WORDS: [&str; 6] = [
    "env",
    "-i",
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LC_ALL=C.UTF-8",
    "TERM=dumb",
];

#[derive(Debug)]
pub struct Debian {
    /// Who keeps the namespaces, as it is known outside.
    inside: String,
    _network: Option<Arc<Network>>,
    // Goes before the folder that it has mounted on.
    _holder: Process,
    _workdir: Workdir,
}

/// How a command inside ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    /// What it printed, and what it complained about.
    pub output: String,
    pub complaint: String,
}

impl Debian {
    pub fn new() -> Self {
        Self::with(None)
    }

    /// Somebody else is in its network.
    pub fn within(network: &Arc<Network>) -> Self {
        Self::with(Some(Arc::clone(network)))
    }

    fn with(network: Option<Arc<Network>>) -> Self {
        require_namespaces();
        let workdir = Workdir::new();
        let mut command = Command::new("unshare");
        command
            .args(network.is_none().then_some("--net"))
            .args(["--mount", "--pid", "--fork", "--kill-child", "--"])
            .args(["sh", "-c", HOLD, "server"])
            .args([&cache::debian(), workdir.path()])
            .arg(MARK)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(network) = &network {
            network.confine(&mut command);
        }
        let mut holder = Process::spawn(&mut command, libc::SIGKILL);
        let (output, mut errors) = holder.pipes();
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).expect("a pipe can be read");
        if line.is_empty() {
            let mut complaint = String::new();
            let _best_effort = errors.read_to_string(&mut complaint);
            panic!("no root of Debian could be made: {complaint}");
        }
        let inside = line.trim().to_owned();
        Self { inside, _network: network, _holder: holder, _workdir: workdir }
    }

    /// A script of sh(1) that runs inside, as root.
    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.inside, "--mount", "--net", "--pid", "--root", "--wd", "--"])
            .args(WORDS)
            .args(["sh", "-euc", GUARD, script, MARK]);
        command
    }

    /// A path inside as it is called outside, as long as this value is there.
    pub fn outside(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.inside))
    }

    /// Starts such a script, without input.
    pub fn spawn(&self, script: &str) -> Running {
        Running::start(&mut self.command(script), script.to_owned(), LIMIT)
    }

    /// Runs a script of sh(1) inside, as root, with this input.
    pub fn try_with(&self, script: &str, input: &[u8]) -> Ended {
        let mut command = self.command(script);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().expect("nsenter of util-linux can be started");
        let mut stdin = child.stdin.take().expect("a pipe");
        let _nobody_reads = stdin.write_all(input);
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ended {
            code: output.status.code(),
            output: text(&output.stdout),
            complaint: text(&output.stderr),
        }
    }

    pub fn try_to(&self, script: &str) -> Ended {
        self.try_with(script, b"")
    }

    /// The same, which has to succeed. Returns what it printed.
    #[track_caller]
    pub fn run(&self, script: &str) -> String {
        let ended = self.try_to(script);
        assert_eq!(ended.code, Some(0), "{script}: {}{}", ended.output, ended.complaint);
        ended.output
    }

    /// Writes a file inside, readable by all.
    #[track_caller]
    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        let ended = self.try_with(
            &format!("mkdir -p \"$(dirname '{path}')\"; cat >'{path}'"),
            content.as_ref(),
        );
        assert_eq!(ended.code, Some(0), "{path}: {}", ended.complaint);
    }

    /// Installs packages with apt, which finds no mirror.
    #[track_caller]
    pub fn install(&self, packages: &[PathBuf]) {
        let files = packages.iter().map(|package| {
            let name = package.file_name().and_then(|name| name.to_str()).expect("a file name");
            let inside = format!("/var/tmp/{name}");
            self.file(&inside, std::fs::read(package).expect("a package"));
            inside
        });
        let files: Vec<String> = files.collect();
        let words = files.join(" ");
        self.run(&format!(
            "export DEBIAN_FRONTEND=noninteractive
             apt-get install --yes --no-install-recommends {words}
             rm {words}"
        ));
    }

    /// Every file with its kind, mode and owner, but for those that belong to dpkg and to logs, and
    /// what the files below /etc say.
    pub fn listing(&self) -> Vec<String> {
        let listing = self.run(
            r"find / -xdev \( -path /proc -o -path /dev -o -path /tmp -o -path /var/tmp \
                  -o -path /var/log -o -path /var/lib/dpkg -o -path /var/lib/apt \
                  -o -path /var/cache/apt -o -path /var/cache/debconf -o -path /var/cache/man \
                  -o -path '/etc/*-' -o -path /etc/.pwd.lock \) \
                  -prune -o -printf '%p %y %m %u %g\n'
              find /etc -type f ! -path '/etc/*-' ! -path /etc/ld.so.cache -exec sha256sum {} +",
        );
        let mut lines: Vec<String> = listing.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

impl Default for Debian {
    fn default() -> Self {
        Self::new()
    }
}
