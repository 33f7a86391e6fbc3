//! A real PostgreSQL with TLS, as `nobody`, inside a [`Sandbox`].

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use crate::certificates::Identity;
use crate::process::Process;
use crate::sandbox::{CLOCK_LIBRARY, Sandbox, own, unprivileged};
use crate::workdir::Workdir;
use crate::world::Plan;
use crate::{artifacts, eventually};

/// The last rule is the one that Spilo writes; those above it are for cases that need
/// another PAM service or a user without role. A database's name is that of its PAM service.
const HBA: &str = "\
local   all      all                trust
hostssl strict   all     127.0.0.1/32  pam pamservice=strict
hostssl permit   all     127.0.0.1/32  pam pamservice=permit
hostssl anyone   all     127.0.0.1/32  pam
hostnossl raw    all     127.0.0.1/32  pam pamservice=strict
hostssl all      +users  all           pam
";

/// Holds by how much, in the folder of a world.
pub(crate) const CLOCK_FILE: &str = "clock";
/// The library looks into it once a second, and a backend may begin with what the server knew.
pub(crate) const CLOCK_LAG: Duration = Duration::from_millis(2500);

const SETUP: &str = "\
create role users;
create role alice login in role users;
create role bob login in role users;
create database strict;
create database permit;
create database anyone;
";

#[derive(Debug)]
pub struct Postgres {
    process: Mutex<Process>,
    port: u16,
    data: PathBuf,
    socket: PathBuf,
    log: PathBuf,
}

impl Postgres {
    pub fn start(sandbox: &Sandbox, identity: &Identity, plan: &Plan) -> Self {
        let workdir = &sandbox.workdir;
        let data = workdir.path().join("data");
        copy(&template(), &data);
        let socket = sandbox.writable_folder("socket");
        secret_file(&data.join("server.key"), &identity.key_pem);
        secret_file(&data.join("server.crt"), &identity.certificate_pem);
        let hba = [&plan.hba.join("\n"), "\n", HBA].concat();
        secret_file(&data.join("pg_hba.conf"), &hba);
        let log = workdir.path().join("postgres.log");
        let port = free_port();
        let mut command = match plan.movable_clock {
            false => sandbox.command(bin("postgres")),
            true => with_movable_clock(sandbox),
        };
        command.arg("-D").arg(&data);
        let own_settings = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", socket.display()),
            "ssl=on".to_owned(),
            "fsync=off".to_owned(),
            "lc_messages=C".to_owned(),
            "log_connections=on".to_owned(),
            "log_line_prefix=%m [%p] %q%u@%d ".to_owned(),
            "shared_buffers=16MB".to_owned(),
        ];
        for setting in own_settings.iter().map(String::as_str).chain(plan.settings.iter().copied())
        {
            command.args(["-c", setting]);
        }
        for (name, value) in &plan.environment {
            command.env(name, value);
        }
        let output = File::create(&log).expect("a log file");
        command.stdin(Stdio::null());
        command.stdout(output.try_clone().expect("a descriptor")).stderr(output);
        let process = Mutex::new(Process::spawn(&mut command, libc::SIGINT));
        let this = Self { process, port, data, socket, log };
        this.wait_until_ready();
        this
    }

    fn wait_until_ready(&self) {
        eventually("PostgreSQL is ready", || {
            if let Some(status) = self.process.lock().unwrap().exited() {
                panic!("PostgreSQL ended with {status}:\n{}", self.log());
            }
            // The eighth line of postmaster.pid is the state (storage/pidfile.h).
            let state = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
            match state.lines().nth(7).map(str::trim) {
                Some("ready") => Ok(()),
                other => Err(other.map(str::to_owned)),
            }
        });
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn process_id(&self) -> u32 {
        self.process.lock().unwrap().id()
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// psql as the superuser, over the Unix socket.
    pub fn sql(&self, statement: &str) -> String {
        let output = psql()
            .args(["-U", "postgres", "-d", "postgres", "-c", statement])
            .env("PGHOST", &self.socket)
            .env("PGPORT", self.port.to_string())
            .output()
            .expect("psql can be started");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{statement}: {error}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The process ids of backends that are still being authenticated.
    pub fn authenticating(&self) -> Vec<u32> {
        let postmaster = self.process_id();
        children(postmaster)
            .into_iter()
            .filter(|id| {
                let title = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&title).contains("authentication")
            })
            .collect()
    }

    /// `pg_ctl stop -m fast`, by its signal; returns how long the server took.
    pub fn stop_fast(&self) -> Duration {
        self.process.lock().unwrap().stop()
    }
}

fn children(parent: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    list.unwrap_or_default().split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// PostgreSQL that gets the time from [`CLOCK_LIBRARY`]. The library is loaded behind the change
/// of user, because it shares memory under the user who loads it first.
fn with_movable_clock(sandbox: &Sandbox) -> Command {
    let offset = sandbox.workdir.file(CLOCK_FILE, "+0s");
    let mut command = sandbox.command("env");
    command.arg(format!("LD_PRELOAD={CLOCK_LIBRARY}"));
    command.arg(format!("FAKETIME_TIMESTAMP_FILE={}", offset.display()));
    command.args(["FAKETIME_CACHE_DURATION=1", "NO_FAKE_STAT=1"]);
    // Deadlines are about time that passes.
    command.arg("FAKETIME_DONT_FAKE_MONOTONIC=1").arg(bin("postgres"));
    command
}

/// psql that reads nothing of the machine's and prints bare values.
pub fn psql() -> Command {
    let mut command = Command::new(bin("psql"));
    command.args(["-X", "-A", "-t", "-q", "-w"]);
    command.env_clear().env("PGPASSFILE", "/dev/null").env("HOME", "/nonexistent");
    command.env("PGCONNECT_TIMEOUT", "60").stdin(Stdio::null()).process_group(0);
    command
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

fn secret_file(path: &Path, content: &str) {
    fs::write(path, content).expect("a file can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("the mode can be set");
    own(path);
}

/// A data directory with the roles and databases of [`SETUP`], made once and kept.
fn template() -> PathBuf {
    static LOCK: Mutex<()> = Mutex::new(());
    let _one_at_a_time = LOCK.lock();
    let mut hasher = DefaultHasher::new();
    (SETUP, bin("postgres")).hash(&mut hasher);
    let kept = artifacts::target().join(format!("e2e/postgres-{:x}", hasher.finish()));
    if !kept.exists() {
        let workdir = Workdir::new();
        own(workdir.path());
        let data = workdir.path().join("data");
        run(unprivileged(bin("initdb")).arg("-D").arg(&data).args([
            "--username=postgres",
            "--auth=trust",
            "--no-locale",
            "--encoding=UTF8",
            "--no-sync",
        ]));
        let setup = workdir.file("setup.sql", SETUP);
        run(unprivileged(bin("postgres"))
            .args(["--single", "-F", "-D"])
            .arg(&data)
            .arg("postgres")
            .stdin(File::open(setup).expect("the setup")));
        fs::create_dir_all(kept.parent().expect("a parent")).expect("a folder");
        let new = kept.with_extension(crate::secrets::random_text(8));
        copy(&data, &new);
        fs::rename(new, &kept).expect("a folder can be renamed");
    }
    kept
}

fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").args(["-a", "--reflink=auto", "--"]).arg(from).arg(to));
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.process_group(0).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}
