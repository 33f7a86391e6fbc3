//! Somebody who is connected and stays so.

use std::io::Read;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::eventually;
use crate::postmaster::psql;
use crate::process::Process;
use crate::servers::Server;

/// A psql that sleeps in the server, for ten minutes at most. It ends on drop.
#[derive(Debug)]
pub struct Session {
    process: Mutex<Process>,
    backend: u32,
}

impl Session {
    pub(crate) fn start(server: &Server, user: &str, database: &str, first: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("session-{}-{number}", std::process::id());
        let mut command = psql();
        let dsn = server.dsn_of(user, database);
        command.args(["-d", &dsn, "-c", first, "-c", "select pg_sleep(600)"]);
        command.env("PGAPPNAME", &name).stdout(Stdio::piped()).stderr(Stdio::piped());
        // psql then asks the server to cancel.
        let mut process = Process::spawn(&mut command, libc::SIGINT);
        let backend = eventually("the session sleeps", || {
            if process.exited().is_some() {
                panic!("{user} has no session: {}", complaint(&mut process));
            }
            // Its query is there before it sleeps.
            let row = server.sql(&format!(
                "select pid from pg_stat_activity \
                 where application_name = '{name}' and wait_event = 'PgSleep'"
            ));
            row.parse().map_err(|_| row)
        });
        Self { process: Mutex::new(process), backend }
    }

    /// The process id of its backend.
    pub fn backend(&self) -> u32 {
        self.backend
    }

    pub fn is_alive(&self) -> bool {
        self.process.lock().expect("nobody panics with it").exited().is_none()
    }

    /// Waits until the server has ended it; what psql complains about then.
    #[track_caller]
    pub fn ended(self) -> String {
        eventually("the session ends", || if self.is_alive() { Err(()) } else { Ok(()) });
        complaint(&mut self.process.lock().expect("nobody panics with it"))
    }
}

/// Of a psql that has ended.
fn complaint(process: &mut Process) -> String {
    let (_, mut errors) = process.pipes();
    let mut text = String::new();
    errors.read_to_string(&mut text).expect("psql writes UTF-8");
    text.trim().to_owned()
}
