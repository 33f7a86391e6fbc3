//! A running PostgreSQL, whichever: what [`crate::postgres`] and [`crate::servers`] share.

use std::fs::{self, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::process::{Process, send_signal};
use crate::sandbox::own;
use crate::secrets::random_text;
use crate::versions::Version;
use crate::workdir::Workdir;
use crate::{artifacts, eventually};

const INITDB: [&str; 6] = [
    "--username=postgres",
    "--auth=trust",
    "--no-locale",
    "--encoding=UTF8",
    "--no-sync",
    // In megabytes, and copied for every server.
    "--wal-segsize=1",
];

#[derive(Debug)]
pub(crate) struct Postmaster {
    process: Mutex<Option<Process>>,
    pub(crate) port: u16,
    pub(crate) data: PathBuf,
    pub(crate) socket: PathBuf,
    log: PathBuf,
    settings: Vec<String>,
}

impl Postmaster {
    /// For the files `data`, `socket` and `postgres.log` of a folder; the first two are `nobody`'s
    /// already. `settings` win over those that every server has.
    pub(crate) fn new(workdir: &Workdir, settings: &[&str]) -> Self {
        let port = free_port();
        let socket = workdir.path().join("socket");
        let mut all = vec![
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", socket.display()),
            "fsync=off".to_owned(),
            "lc_messages=C".to_owned(),
            "log_connections=on".to_owned(),
            "log_line_prefix=%m [%p] %q%u@%d ".to_owned(),
            "shared_buffers=16MB".to_owned(),
        ];
        all.extend(settings.iter().map(|&setting| setting.to_owned()));
        Self {
            process: Mutex::new(None),
            port,
            data: workdir.path().join("data"),
            socket,
            log: workdir.path().join("postgres.log"),
            settings: all,
        }
    }

    /// One more `name=value`.
    pub(crate) fn set(&mut self, setting: String) {
        self.settings.push(setting);
    }

    /// Runs `command`, which ends in the name of the program, until the server takes connections.
    pub(crate) fn launch(&self, mut command: Command) {
        command.arg("-D").arg(&self.data);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let output = OpenOptions::new().create(true).append(true).open(&self.log);
        let output = output.expect("a log file");
        command.stdin(Stdio::null());
        command.stdout(output.try_clone().expect("a descriptor")).stderr(output);
        *self.process() = Some(Process::spawn(&mut command, libc::SIGINT));
        eventually("PostgreSQL is ready", || {
            let exited = self.process().as_mut().expect("a process").exited();
            if let Some(status) = exited {
                panic!("PostgreSQL ended with {status}:\n{}", self.log());
            }
            // The eighth line of postmaster.pid is the state (storage/pidfile.h). A server that
            // was killed leaves its file, with its process id in the first.
            let file = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
            let lines: Vec<_> = file.lines().map(str::trim).collect();
            let own = lines.first().is_some_and(|id| *id == self.process_id().to_string());
            if own && lines.get(7) == Some(&"ready") { Ok(()) } else { Err(file) }
        });
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        // A second panic would end all tests, and servers are stopped while one fails.
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process().as_ref().expect("the server was started").id()
    }

    pub(crate) fn children(&self) -> Vec<u32> {
        let parent = self.process_id();
        let list = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
        list.unwrap_or_default().split_whitespace().filter_map(|id| id.parse().ok()).collect()
    }

    /// Everything logged so far.
    pub(crate) fn log(&self) -> String {
        self.log_since(0)
    }

    pub(crate) fn log_length(&self) -> usize {
        fs::read(&self.log).unwrap_or_default().len()
    }

    /// What was logged behind so many bytes.
    pub(crate) fn log_since(&self, mark: usize) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(log.get(mark..).unwrap_or_default()).into_owned()
    }

    /// A libpq string over the Unix socket.
    pub(crate) fn dsn(&self, user: &str, database: &str) -> String {
        let host = self.socket.display().to_string();
        connection(&host, self.port, user, database)
    }

    /// psql as the superuser, over the Unix socket.
    #[track_caller]
    pub(crate) fn sql(&self, statement: &str) -> String {
        query(&self.dsn("postgres", "postgres"), statement)
            .unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    /// `pg_ctl stop -m fast`, by its signal; returns how long the server took.
    pub(crate) fn stop(&self) -> Duration {
        self.process().as_mut().map(Process::stop).unwrap_or_default()
    }

    /// All of its processes at once. What they have written to files stays.
    pub(crate) fn kill(&self) {
        if self.process().as_mut().is_none_or(|process| process.exited().is_some()) {
            return;
        }
        let postmaster = self.process_id();
        // It must not start, stop or mourn anybody meanwhile.
        send_signal(postmaster, libc::SIGSTOP);
        eventually("the server is held", || match state(postmaster) {
            Some('T') => Ok(()),
            other => Err(other),
        });
        let children = self.children();
        for &id in [postmaster].iter().chain(&children) {
            send_signal(id, libc::SIGKILL);
        }
        // As long as one of them holds the shared memory, the next server does not start.
        eventually("the server is gone", || {
            let gone = self.process().as_mut().is_none_or(|process| process.exited().is_some());
            let there = |id: &&u32| !matches!(state(**id), None | Some('X' | 'Z'));
            let there: Vec<_> = children.iter().filter(there).collect();
            if gone && there.is_empty() { Ok(()) } else { Err(format!("{there:?}")) }
        });
    }
}

/// Of a process (proc_pid_stat(5)); it follows the name, which may hold anything.
fn state(id: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// psql that reads nothing of the machine's and prints bare values.
pub fn psql() -> Command {
    let mut command = Command::new(bin("psql"));
    command.args(["-X", "-A", "-t", "-q", "-w"]);
    command.env_clear().env("PGPASSFILE", "/dev/null").env("HOME", "/nonexistent");
    command.env("PGCONNECT_TIMEOUT", "60").stdin(Stdio::null()).process_group(0);
    command
}

/// A libpq string.
pub fn connection(host: &str, port: u16, user: &str, database: &str) -> String {
    let quoted = |value: &str| value.replace('\\', r"\\").replace('\'', r"\'");
    let [host, user, database] = [host, user, database].map(quoted);
    format!("host='{host}' port={port} user='{user}' dbname='{database}'")
}

/// What psql prints of one statement, or complains.
pub fn query(dsn: &str, statement: &str) -> Result<String, String> {
    let output = psql().args(["-d", dsn, "-c", statement]).output();
    let output = output.expect("psql can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// A program of PostgreSQL 15.
pub fn bin(program: &str) -> PathBuf {
    let folder = std::env::var_os("PG_BIN").unwrap_or_else(|| "/usr/lib/postgresql/15/bin".into());
    PathBuf::from(folder).join(program)
}

/// A port that is free, and below those that the kernel gives to clients (ip_local_port_range
/// begins at 32768), so that it stays free until its server takes it.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 400).unwrap_or(0) * 25;
    for _ in 0..10_000 {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between 20000 and 30000");
}

/// For `nobody` alone.
pub(crate) fn secret_file(path: &Path, content: &str) {
    fs::write(path, content).expect("a file can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("the mode can be set");
    own(path);
}

/// A data directory where `setup` has run (one statement a line), made once and kept.
pub(crate) fn template(version: Version, setup: &str) -> PathBuf {
    static LOCK: Mutex<()> = Mutex::new(());
    let _one_at_a_time = LOCK.lock();
    let mut hasher = DefaultHasher::new();
    (setup, version.origin(), INITDB).hash(&mut hasher);
    let kept = artifacts::target().join(format!("e2e/postgres-{:x}", hasher.finish()));
    if !kept.exists() {
        let workdir = Workdir::new();
        own(workdir.path());
        let data = workdir.path().join("data");
        run(version.command("initdb", &workdir).arg("-D").arg(&data).args(INITDB));
        let setup = workdir.file("setup.sql", setup);
        run(version
            .command("postgres", &workdir)
            .args(["--single", "-F", "-D"])
            .arg(&data)
            .arg("postgres")
            .stdin(fs::File::open(setup).expect("the setup")));
        fs::create_dir_all(kept.parent().expect("a parent")).expect("a folder");
        let new = kept.with_extension(random_text(8));
        copy(&data, &new);
        if let Err(error) = fs::rename(&new, &kept) {
            // Another run of the tests may have been quicker.
            assert!(kept.exists(), "{}: {error}", kept.display());
            let _best_effort = fs::remove_dir_all(&new);
        }
    }
    kept
}

pub(crate) fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").args(["-a", "--reflink=auto", "--"]).arg(from).arg(to));
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.process_group(0).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}
