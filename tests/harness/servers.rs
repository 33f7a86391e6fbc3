//! PostgreSQL of any version without TLS and PAM: what roles are kept in.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::postmaster::{Postmaster, connection, copy, query, secret_file, template};
use crate::sandbox::own;
use crate::session::Session;
use crate::versions::Version;
use crate::workdir::Workdir;

/// The harness gets in whatever a test forbids.
const FIRST_RULE: &str = "local all,replication postgres trust\n";
const LAST_RULES: &str = "\
local all         all              trust
host  all         all 127.0.0.1/32 trust
host  replication all 127.0.0.1/32 trust
";
const SETTINGS: [&str; 2] = ["max_connections=50", "wal_keep_size=64MB"];
/// Words that no log of a healthy server holds.
const DISASTERS: [&str; 2] = ["PANIC:", "was terminated by signal"];

/// A running server, stopped on drop. Its superuser is `postgres`.
#[derive(Debug)]
pub struct Server {
    // The server goes first, then its files.
    pub(crate) postmaster: Postmaster,
    version: Version,
    pub(crate) settings: Vec<String>,
    killed: AtomicBool,
    workdir: Workdir,
}

impl Server {
    pub fn start(version: Version) -> Self {
        Self::with(version, &[], &[])
    }

    /// With `name=value` settings, and lines of pg_hba.conf that come before those which trust
    /// everybody, but behind the one that lets the superuser in over the Unix socket.
    pub fn with(version: Version, settings: &[&str], hba: &[&str]) -> Self {
        let this = Self::prepare(version, settings);
        copy(&template(version, ""), this.data());
        let hba = [FIRST_RULE, &hba.join("\n"), "\n", LAST_RULES].concat();
        secret_file(&this.data().join("pg_hba.conf"), &hba);
        this.launch();
        this
    }

    /// Without a data folder.
    pub(crate) fn prepare(version: Version, settings: &[&str]) -> Self {
        let workdir = Workdir::new();
        own(&workdir.folder("socket"));
        let postmaster = Postmaster::new(&workdir, &[&SETTINGS[..], settings].concat());
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        Self { postmaster, version, settings, killed: AtomicBool::new(false), workdir }
    }

    pub(crate) fn launch(&self) {
        self.postmaster.launch(self.version.command("postgres", &self.workdir));
    }

    pub fn version(&self) -> Version {
        self.version
    }

    pub fn port(&self) -> u16 {
        self.postmaster.port
    }

    /// The folder of the Unix socket.
    pub fn socket(&self) -> &Path {
        &self.postmaster.socket
    }

    pub fn data(&self) -> &Path {
        &self.postmaster.data
    }

    /// A libpq string over the Unix socket.
    pub fn dsn(&self, user: &str) -> String {
        self.dsn_of(user, "postgres")
    }

    /// The same for another database.
    pub fn dsn_of(&self, user: &str, database: &str) -> String {
        self.postmaster.dsn(user, database)
    }

    /// A libpq string over TCP.
    pub fn tcp_dsn(&self, user: &str) -> String {
        connection("127.0.0.1", self.port(), user, "postgres")
    }

    /// psql as the superuser. More statements than one are one transaction.
    #[track_caller]
    pub fn sql(&self, statement: &str) -> String {
        self.postmaster.sql(statement)
    }

    /// psql as somebody, over the Unix socket; the error is what it complains about.
    pub fn try_sql(&self, user: &str, statement: &str) -> Result<String, String> {
        query(&self.dsn(user), statement)
    }

    /// Somebody who stays, until the server ends the session.
    pub fn session(&self, user: &str) -> Session {
        self.session_after(user, "select 1")
    }

    /// The same, of somebody who has asked this first.
    pub fn session_after(&self, user: &str, first: &str) -> Session {
        Session::start(self, user, "postgres", first)
    }

    /// The same, in another database.
    pub fn session_of(&self, user: &str, database: &str, first: &str) -> Session {
        Session::start(self, user, database, first)
    }

    /// Everything logged so far, also before restarts.
    pub fn log(&self) -> String {
        self.postmaster.log()
    }

    /// Where the log ends now.
    pub fn mark(&self) -> usize {
        self.postmaster.log_length()
    }

    pub fn log_since(&self, mark: usize) -> String {
        self.postmaster.log_since(mark)
    }

    /// `pg_ctl stop -m fast`; how long it took.
    pub fn stop(&self) -> Duration {
        self.postmaster.stop()
    }

    /// Stops it where it runs, and starts it at the same port with the same files.
    pub fn restart(&self) {
        self.stop();
        self.launch();
    }

    /// Stops it, runs a statement in single-user mode, where nobody logs in, and starts it again.
    #[track_caller]
    pub fn single_user(&self, statement: &str) {
        self.stop();
        let mut command = self.version.command("postgres", &self.workdir);
        command.args(["--single", "-D"]).arg(self.data()).arg("postgres");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("postgres can be started");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(format!("{statement}\n").as_bytes()).expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("ERROR"), "{statement}: {said}");
        self.launch();
    }

    /// Kills all of its processes at once: nobody says goodbye, nothing is written down. Behind
    /// [`Self::restart`] it is there again, with what was committed.
    pub fn kill_hard(&self) {
        self.killed.store(true, Ordering::Relaxed);
        self.postmaster.kill();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() || self.killed.load(Ordering::Relaxed) {
            return;
        }
        let log = self.log();
        for disaster in DISASTERS {
            assert!(!log.contains(disaster), "{disaster:?} in the log of the server:\n{log}");
        }
    }
}
