//! `make demo`: from a team to a login by token, what refusals look like, and how somebody leaves.

#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program whose output is its purpose"
)]

mod team;

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use harness::postgres::psql;
use harness::{World, sandbox, workdir};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use team::{Team, busy, farewell};

const QUERY: &str = "select current_user, pg_has_role('users', 'member') as \"in users\", \
                     (select version from pg_stat_ssl where pid = pg_backend_pid()) as tls";

/// Why the demo ends before its end.
enum End {
    Interrupted,
    /// Somebody was let in or kept out who should not have been.
    Wrong(&'static str),
}

fn main() -> ExitCode {
    if let Err(reason) = sandbox::namespaces() {
        eprintln!("demo: {reason}");
        return ExitCode::FAILURE;
    }
    // A signal ends the demo after the step that is running; leaving `run` cleans up.
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).expect("a signal handler");
    }
    workdir::never_keep();
    // Ctrl-C may also hit a child that is just being started, whose failure is no news then.
    let quiet = Arc::clone(&interrupted);
    let loud = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !quiet.load(Ordering::Relaxed) {
            loud(info);
        }
    }));
    let result = panic::catch_unwind(AssertUnwindSafe(|| run(&interrupted)));
    if interrupted.load(Ordering::Relaxed) {
        println!("\nInterrupted; everything is stopped and removed.");
        return ExitCode::from(130);
    }
    match result {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(End::Wrong(what))) => {
            eprintln!("demo: {what}, which is a bug; everything is stopped and removed");
            ExitCode::FAILURE
        }
        Ok(Err(End::Interrupted)) | Err(_) => ExitCode::FAILURE,
    }
}

fn run(interrupted: &AtomicBool) -> Result<(), End> {
    let go_on = || match interrupted.load(Ordering::Relaxed) {
        false => Ok(()),
        true => Err(End::Interrupted),
    };
    say("Starting a token service and PostgreSQL 15 with pam_oauth2.so, on loopback, in a private");
    say("mount namespace: /etc/pam.d and PostgreSQL of this machine stay as they are.\n");
    let world = World::new();
    go_on()?;
    show_file(&world, "pam.d/postgresql", "/etc/pam.d/postgresql");
    show_file(&world, "data/pg_hba.conf", "pg_hba.conf (its last line)");

    say("\nDora and Emil are in team acid, which owns this server. teams-sync makes their roles.");
    let mut team = Team::start(&world, "dora,emil");
    team.show();
    team.apply()?;
    go_on()?;

    say(&format!("\nDora logs in with her access token. QUERY is\n\n    {QUERY}\n"));
    let good = world.grant("dora");
    if !login(&world, "dora", "$(ztoken)", &good) {
        go_on()?;
        return Err(End::Wrong("dora did not get in"));
    }
    go_on()?;

    say(
        "\nWho should not come in does not. The client learns nothing; the server's log tells why.",
    );
    let claims = |realm: &str, expires_in: i64| {
        format!(r#"{{"uid":"dora","realm":"{realm}","expires_in":{expires_in}}}"#)
    };
    let refusals = [
        ("A token of dora, but of a customer", world.grant_claims(&claims("/customers", 3600))),
        ("A token that has ended", world.grant_claims(&claims("/employees", -60))),
        ("A token of emil", world.grant("emil")),
    ];
    for (what, token) in refusals {
        say(&format!("\n{what}:\n"));
        if login(&world, "dora", "...", &token) {
            return Err(End::Wrong("a bad token got in"));
        }
        go_on()?;
    }

    say("\nDora is in the middle of something when she leaves the team:");
    let session = busy(&world, "dora", &good);
    go_on()?;
    team.becomes(r#"["emil"]"#);
    team.apply()?;
    say("\nHer session:\n");
    for line in farewell(session).lines() {
        println!("    {line}");
    }
    go_on()?;
    say("\nAnd she cannot come back, although her token is as good as before:\n");
    if login(&world, "dora", "$(ztoken)", &good) {
        return Err(End::Wrong("somebody who left got in"));
    }
    go_on()?;

    say("\nA good token of emil, while the token service is stopped:\n");
    let good = world.grant("emil");
    world.service.stop();
    if login(&world, "emil", "$(ztoken)", &good) {
        return Err(End::Wrong("a token got in that nobody checked"));
    }
    go_on()?;
    say("\nDone; everything is stopped and removed.");
    Ok(())
}

fn say(line: &str) {
    println!("{line}");
}

fn show_file(world: &World, path: &str, name: &str) {
    let content = fs::read_to_string(world.sandbox.workdir.path().join(path)).expect("a file");
    let skipped = content.lines().count().saturating_sub(2);
    println!("{name}:");
    let last = if path.ends_with("hba.conf") { skipped + 1 } else { 0 };
    for line in content.lines().skip(last) {
        println!("    {line}");
    }
}

/// Runs psql as the talk does, and shows what comes out and what the server logs. Returns
/// whether the login succeeded.
fn login(world: &World, user: &str, source: &str, token: &str) -> bool {
    let port = world.postgres().port().to_string();
    println!("    $ export PGPASSWORD={source}");
    println!("    $ export PGSSLMODE=require");
    println!("    $ psql -h 127.0.0.1 -p {port} -U {user} -d postgres -c \"$QUERY\"");
    let before = world.postgres().log().len();
    let mut command = psql();
    // With its frame, as a person sees it.
    command.args(["-P", "format=aligned", "-P", "tuples_only=off"]);
    command.args(["-h", "127.0.0.1", "-p", &port, "-U", user, "-d", "postgres", "-c", QUERY]);
    command.env("PGPASSWORD", token).env("PGSSLMODE", "require");
    let output = command.output().expect("psql can be started");
    for line in
        String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).lines()
    {
        println!("    {line}");
    }
    let log = world.postgres().log();
    let news = log.get(before..).unwrap_or_default();
    let telling =
        |line: &&str| line.contains("pam_oauth2: ") || line.contains("no pg_hba.conf entry");
    for line in news.lines().filter(telling) {
        println!("  server log:\n    {line}");
    }
    output.status.success()
}
