//! A real PostgreSQL with TLS, as `nobody`, inside a [`Sandbox`].

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::certificates::Identity;
use crate::postmaster::{Postmaster, copy, secret_file, template};
pub use crate::postmaster::{bin, free_port, psql};
use crate::sandbox::{CLOCK_LIBRARY, Sandbox};
use crate::versions::Version;
use crate::world::Plan;

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
pub struct Postgres(Postmaster);

impl Postgres {
    pub fn start(sandbox: &Sandbox, identity: &Identity, plan: &Plan) -> Self {
        sandbox.writable_folder("socket");
        let settings = [&["ssl=on"][..], &plan.settings].concat();
        let this = Self(Postmaster::new(&sandbox.workdir, &settings));
        let data = &this.0.data;
        copy(&template(Version::V15, SETUP), data);
        secret_file(&data.join("server.key"), &identity.key_pem);
        secret_file(&data.join("server.crt"), &identity.certificate_pem);
        let hba = [&plan.hba.join("\n"), "\n", HBA].concat();
        secret_file(&data.join("pg_hba.conf"), &hba);
        let mut command = match plan.movable_clock {
            false => sandbox.command(bin("postgres")),
            true => with_movable_clock(sandbox),
        };
        for (name, value) in &plan.environment {
            command.env(name, value);
        }
        this.0.launch(command);
        this
    }

    pub fn port(&self) -> u16 {
        self.0.port
    }

    pub fn process_id(&self) -> u32 {
        self.0.process_id()
    }

    /// A libpq string over the Unix socket.
    pub fn dsn(&self, user: &str) -> String {
        self.0.dsn(user, "postgres")
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        self.0.log()
    }

    /// psql as the superuser, over the Unix socket.
    #[track_caller]
    pub fn sql(&self, statement: &str) -> String {
        self.0.sql(statement)
    }

    /// The process ids of backends that are still being authenticated.
    pub fn authenticating(&self) -> Vec<u32> {
        self.0
            .children()
            .into_iter()
            .filter(|id| {
                let title = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&title).contains("authentication")
            })
            .collect()
    }

    /// `pg_ctl stop -m fast`, by its signal; returns how long the server took.
    pub fn stop_fast(&self) -> Duration {
        self.0.stop()
    }
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
