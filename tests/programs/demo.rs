//! `make demo`: a login by token, and what refusals look like.

#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program whose output is its purpose"
)]

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use harness::postgres::psql;
use harness::{World, sandbox, workdir};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

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
    say(&format!("\nAlice logs in with her access token. QUERY is\n\n    {QUERY}\n"));
    let good = world.grant("alice");
    if !login(&world, "$(ztoken)", &good) {
        go_on()?;
        return Err(End::Wrong("alice did not get in"));
    }
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
        if login(&world, "...", &token) {
            return Err(End::Wrong("a bad token got in"));
        }
        go_on()?;
    }
    say("\nA good token, while the token service is stopped:\n");
    world.service.stop();
    if login(&world, "$(ztoken)", &good) {
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
fn login(world: &World, source: &str, token: &str) -> bool {
    let port = world.postgres().port().to_string();
    println!("    $ export PGPASSWORD={source}");
    println!("    $ export PGSSLMODE=require");
    println!("    $ psql -h 127.0.0.1 -p {port} -U alice -d postgres -c \"$QUERY\"");
    let before = world.postgres().log().len();
    let mut command = psql();
    // With its frame, as a person sees it.
    command.args(["-P", "format=aligned", "-P", "tuples_only=off"]);
    command.args(["-h", "127.0.0.1", "-p", &port, "-U", "alice", "-d", "postgres", "-c", QUERY]);
    command.env("PGPASSWORD", token).env("PGSSLMODE", "require");
    let output = command.output().expect("psql can be started");
    for line in
        String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).lines()
    {
        println!("    {line}");
    }
    let log = world.postgres().log();
    let news = log.get(before..).unwrap_or_default();
    for line in news.lines().filter(|line| line.contains("pam_oauth2: ")) {
        println!("  server log:\n    {line}");
    }
    output.status.success()
}
