//! `make demo`: a login by token, and what refusals look like.

#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program whose output is its purpose"
)]

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use harness::postgres::psql;
use harness::{World, sandbox};
use signal_hook::consts::{SIGINT, SIGTERM};

const QUERY: &str = "select current_user, pg_has_role('users', 'member') as \"in users\", \
                     (select version from pg_stat_ssl where pid = pg_backend_pid()) as tls";

fn main() -> ExitCode {
    if let Err(reason) = sandbox::namespaces() {
        eprintln!("demo: {reason}");
        return ExitCode::FAILURE;
    }
    // Ctrl-C ends the demo after the step that is running; leaving `run` cleans up.
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).expect("a signal handler");
    }
    match run(&interrupted) {
        Some(()) => ExitCode::SUCCESS,
        None => {
            println!("\nInterrupted; everything is stopped and removed.");
            ExitCode::from(130)
        }
    }
}

/// The demo; `None` when it was interrupted.
fn run(interrupted: &AtomicBool) -> Option<()> {
    let go_on = || (!interrupted.load(Ordering::Relaxed)).then_some(());
    say("Starting a token service and PostgreSQL 15 with pam_oauth2.so, on loopback, in a private");
    say("mount namespace: /etc/pam.d and PostgreSQL of this machine stay as they are.\n");
    let world = World::new();
    go_on()?;
    show_file(&world, "pam.d/postgresql", "/etc/pam.d/postgresql");
    show_file(&world, "data/pg_hba.conf", "pg_hba.conf (its last line)");
    say("\nAlice logs in with her access token:\n");
    let good = world.grant("alice");
    login(&world, "$(ztoken)", &good);
    go_on()?;

    say(
        "\nWho should not come in does not. The client learns nothing; the server's log tells why.",
    );
    let claims = |realm: &str, expires_in: i64| {
        format!(r#"{{"uid":"alice","realm":"{realm}","expires_in":{expires_in}}}"#)
    };
    let refusals = [
        ("A token of alice, but of a customer", world.grant_claims(&claims("/customers", 3600))),
        ("A token that has ended", world.grant_claims(&claims("/employees", -60))),
        ("A token of bob", world.grant("bob")),
    ];
    for (what, token) in refusals {
        say(&format!("\n{what}:\n"));
        login(&world, "...", &token);
        go_on()?;
    }
    say("\nA good token, while the token service is stopped:\n");
    world.service.stop();
    login(&world, "$(ztoken)", &good);
    go_on()?;
    say("\nDone; everything is stopped and removed.");
    Some(())
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

/// Runs psql as the talk does, and shows what comes out and what the server logs.
fn login(world: &World, source: &str, token: &str) {
    let port = world.postgres().port().to_string();
    println!("    $ export PGPASSWORD={source}");
    println!("    $ export PGSSLMODE=require");
    println!("    $ psql -h 127.0.0.1 -p {port} -U alice -d postgres");
    let before = world.postgres().log().len();
    let mut command = psql();
    // With its frame, as a person sees it.
    command.args(["-P", "format=aligned", "-P", "tuples_only=off"]);
    command.args(["-h", "127.0.0.1", "-p", &port, "-U", "alice", "-d", "postgres", "-c", QUERY]);
    command.env("PGPASSWORD", token).env("PGSSLMODE", "require");
    let output = command.process_group(0).output().expect("psql can be started");
    if output.status.success() {
        println!("    postgres=> {QUERY};");
    }
    for line in String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).lines() {
        println!("    {line}");
    }
    let log = world.postgres().log();
    let news = log.get(before..).unwrap_or_default();
    for line in news.lines().filter(|line| line.contains("pam_oauth2: ")) {
        println!("  server log:\n    {line}");
    }
}
