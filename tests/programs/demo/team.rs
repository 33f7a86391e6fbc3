//! The team of the demo: a Teams API that knows it, and `teams-sync`, which makes roles of it.

use std::io::Read;
use std::process::Stdio;

use harness::postgres::psql;
use harness::process::Process;
use harness::teams_sync::Running;
use harness::{TeamsSync, World, artifacts, wire};

use crate::{End, say};

pub(crate) struct Team {
    sync: TeamsSync,
    api: Running,
    url: String,
}

impl Team {
    /// Team `acid` with these members.
    pub(crate) fn start(world: &World, members: &str) -> Self {
        // It goes with the demo, even when that is killed.
        let program = artifacts::teams_sync().display().to_string();
        let bound = TeamsSync::of("/usr/bin/setpriv".into(), "");
        let team = format!("acid={members}");
        let fake = ["--pdeathsig", "TERM", &program, "fake-api", "--listen", "127.0.0.1:0"];
        let mut api = bound.spawn(&[&fake[..], &["--team", &team]].concat());
        let line = api.line().expect("the fake API says where it listens");
        let url = line.trim_start_matches("listening on ").to_owned();
        let dsn = world.postgres().dsn("postgres");
        let sync = TeamsSync::new(&format!(
            "[source.teams_api]\nurl = {url:?}\nanonymous = true\n\n\
             [humans]\npam_role = \"users\"\n\n\
             [[server]]\nname = \"orders\"\nteam = \"acid\"\ndsn = {dsn:?}\n"
        ));
        Self { sync, api, url }
    }

    pub(crate) fn show(&mut self) {
        println!("\n    $ teams-sync fake-api --team acid=dora,emil");
        for line in self.api.stdout().lines() {
            println!("    {line}");
        }
        println!("\nteams-sync.toml:");
        let path = self.sync.folder().join("teams-sync.toml");
        for line in std::fs::read_to_string(path).expect("a file").lines() {
            println!("    {line}");
        }
    }

    /// `teams-sync apply`, and what it says.
    pub(crate) fn apply(&self) -> Result<(), End> {
        println!("\n    $ teams-sync --config teams-sync.toml apply");
        let output = self.sync.run(&["--config", "teams-sync.toml", "apply"]);
        for line in output.stdout.lines() {
            println!("    {line}");
        }
        match output.code {
            Some(0) => Ok(()),
            _ => {
                say(&output.stderr);
                Err(End::Wrong("the roles could not be made"))
            }
        }
    }

    /// From now on the team has these members alone.
    pub(crate) fn becomes(&self, members: &str) {
        println!("\n    $ curl -X PUT {}/control/teams/acid -d '{members}'", self.url);
        wire::http_request(&self.url, "PUT", "/control/teams/acid", members);
    }
}

/// A psql of somebody who is in the middle of something.
pub(crate) fn busy(world: &World, user: &str, token: &str) -> Process {
    let port = world.postgres().port().to_string();
    let mut command = psql();
    command.args(["-h", "127.0.0.1", "-p", &port, "-U", user, "-d", "postgres"]);
    command.args(["-c", "select pg_sleep(600)"]);
    command.env("PGPASSWORD", token).env("PGSSLMODE", "require");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let session = Process::spawn(&mut command, libc::SIGINT);
    harness::eventually("the session is there", || {
        let sessions = format!(
            "select count(*) from pg_stat_activity where usename = '{user}' and wait_event = 'PgSleep'"
        );
        let sessions = world.postgres().sql(&sessions);
        if sessions == "1" { Ok(()) } else { Err(sessions) }
    });
    session
}

/// What psql says when the server has ended its session.
pub(crate) fn farewell(mut session: Process) -> String {
    harness::eventually("the session ends", || session.exited().ok_or("still there"));
    let (_, mut errors) = session.pipes();
    let mut text = String::new();
    errors.read_to_string(&mut text).expect("psql writes UTF-8");
    text
}
