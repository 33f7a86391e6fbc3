//! Debian's PgBouncer in a [`Sandbox`], on a port of its own on loopback.

use std::fs::{self, File};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Stdio;

use crate::eventually;
use crate::postgres::{free_port, psql};
use crate::process::Process;
use crate::sandbox::Sandbox;

#[derive(Debug)]
pub struct PgBouncer {
    process: Process,
    port: u16,
    log: PathBuf,
}

impl PgBouncer {
    /// Waits until it listens. `config`: its configuration, for this port; files of its own belong
    /// in the folder `pgbouncer` of the sandbox.
    pub fn start(sandbox: &Sandbox, config: impl FnOnce(u16) -> String) -> Self {
        let port = free_port();
        let log = sandbox.writable_folder("pgbouncer").join("log");
        let config = sandbox.workdir.file("pgbouncer/pgbouncer.ini", config(port));
        let output = File::create(&log).expect("a log");
        let mut command = sandbox.command("/usr/sbin/pgbouncer");
        command.arg(config).stdin(Stdio::null());
        command.stdout(output.try_clone().expect("a descriptor")).stderr(output);
        let process = Process::spawn(&mut command, libc::SIGINT);
        let mut this = Self { process, port, log };
        eventually("PgBouncer listens", || {
            assert!(this.is_alive(), "{}", this.said());
            TcpStream::connect(("127.0.0.1", port)).map(drop)
        });
        this
    }

    /// Its log.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Who somebody is, or what psql complains of.
    pub fn login(&self, user: &str, password: &str, database: &str) -> Result<String, String> {
        let output = psql()
            .args(["-h", "127.0.0.1", "-U", user, "-d", database, "-c", "select current_user"])
            .env("PGPORT", self.port.to_string())
            .env("PGPASSWORD", password)
            .output()
            .expect("psql can be started");
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    pub fn is_alive(&mut self) -> bool {
        self.process.exited().is_none()
    }

    /// Asks it to end, and waits.
    pub fn stop(&mut self) {
        self.process.stop();
    }
}
