//! What `teams-sync` costs: the first sync of many roles against psql with the same statements, a
//! server in steady state, and a thousand of them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::company::HUMANS;
use harness::postgres::psql;
use harness::{Company, Relay, Server, TeamsSync, Version, artifacts};

use crate::quantile;

const PEOPLE: usize = 10_000;
const SERVERS: usize = 1000;
/// So many real servers play them.
const REAL: usize = 4;

pub(crate) fn print(runs: usize) {
    first_sync(runs);
    steady_state();
    thousand(runs);
}

fn company(dsns: &[(String, String)]) -> Company {
    let humans = HUMANS.replace("superuser_teams = [\"dba\"]", "");
    let servers: Vec<_> = dsns.iter().map(|(name, dsn)| (name.as_str(), dsn.as_str())).collect();
    let company = Company { sync: slow(TeamsSync::of(artifacts::teams_sync_release(), "")) };
    company.configure(&humans, &servers);
    company
}

fn slow(mut sync: TeamsSync) -> TeamsSync {
    sync.limit(Duration::from_secs(300));
    sync
}

fn everybody() -> Vec<String> {
    (0..PEOPLE).map(|number| format!("person{number:05}")).collect()
}

/// In turn, on a server without any of the roles each time.
fn first_sync(runs: usize) {
    let server = Server::with(Version::V15, &["shared_buffers=128MB", "max_connections=100"], &[]);
    let company = company(&[("orders".to_owned(), server.dsn("postgres"))]);
    let people = everybody();
    let people: Vec<&str> = people.iter().map(String::as_str).collect();
    company.teams(&[("acid", &people)]);
    let output = company.run(&["plan", "--output", "sql"]);
    assert_eq!(output.code, Some(2), "{}", output.stderr);
    // Comments say why, and cost psql nothing to speak of.
    let script: String = output
        .stdout
        .lines()
        .map(|line| line.split("; -- ").next().unwrap())
        .fold(String::new(), |mut script, line| {
            let end = if line.ends_with(';') || line.starts_with("--") { "" } else { ";" };
            writeln!(script, "{line}{end}").unwrap();
            script
        });
    let (mut own, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        forget(&server);
        let start = Instant::now();
        feed(&server, &script);
        theirs.push(start.elapsed().as_secs_f64());
        forget(&server);
        let start = Instant::now();
        let output = company.run(&["apply"]);
        own.push(start.elapsed().as_secs_f64());
        assert_eq!(output.code, Some(0), "{}", output.stderr);
    }
    let statements = script.lines().count();
    let (own, theirs) = (sorted(own), sorted(theirs));
    println!(
        "\n{PEOPLE} roles at first sync, {statements} statements in one transaction, {runs} runs in turn:\n"
    );
    println!("| by | median, s | p10 | p90 |\n|---|---:|---:|---:|");
    for (name, times) in
        [("psql, fed the same statements", &theirs), ("`teams-sync apply`, all of it", &own)]
    {
        let at = |percent| quantile(times, percent);
        println!("| {name} | {:.2} | {:.2} | {:.2} |", at(50), at(10), at(90));
    }
    let ratio = quantile(&own, 50) / quantile(&theirs, 50);
    println!("\nThat is {ratio:.2} times what psql needs; the target is 1.3.");
}

fn feed(server: &Server, script: &str) {
    let mut command = psql();
    command.args(["-d", &server.dsn("postgres"), "-v", "ON_ERROR_STOP=1"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("psql");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(script.as_bytes()).expect("psql reads");
    drop(input);
    assert!(child.wait().expect("psql ends").success());
}

fn forget(server: &Server) {
    // So many locks fit into one transaction.
    loop {
        let left = server.sql(
            "do $$ declare r name; begin for r in select rolname from pg_roles where oid >= 16384 \
             limit 1000 loop execute format('drop role %I', r); end loop; end $$; \
             select count(*) from pg_roles where oid >= 16384",
        );
        if left == "0" {
            break;
        }
    }
    server.sql("vacuum full pg_authid");
    server.sql("vacuum full pg_auth_members");
    server.sql("vacuum full pg_shdescription");
    server.sql("vacuum full pg_db_role_setting");
    server.sql("checkpoint");
}

fn steady_state() {
    let server = Server::start(Version::V15);
    let relay = Relay::start(server.port());
    let dsn = format!("host=127.0.0.1 port={} user=postgres sslmode=disable", relay.port());
    let company = company(&[("orders".to_owned(), dsn)]);
    let people = everybody();
    let people: Vec<&str> = people.iter().take(200).map(String::as_str).collect();
    company.teams(&[("acid", &people)]);
    company.applies();
    let next = "select pg_snapshot_xmax(pg_current_snapshot())";
    let before = server.sql(next);
    company.applies();
    let written = if server.sql(next) == before { "no write" } else { "writes" };
    println!(
        "\nA server of 200 people in steady state: {} round trips and {written}; the target is at most 3 and none.",
        relay.messages()
    );
}

/// A thousand names for a few servers.
fn thousand(runs: usize) {
    let servers: Vec<Server> =
        (0..REAL).map(|_| Server::with(Version::V15, &["max_connections=200"], &[])).collect();
    let names: Vec<_> = (0..SERVERS)
        .map(|number| (format!("server{number:04}"), servers[number % REAL].dsn("postgres")))
        .collect();
    let company = company(&names);
    let people = everybody();
    let people: Vec<&str> = people.iter().take(50).map(String::as_str).collect();
    company.teams(&[("acid", &people)]);
    company.applies();
    let (mut times, mut memory) = (Vec::new(), 0.0_f64);
    for _ in 0..runs.max(3) {
        let start = Instant::now();
        let mut command = Command::new(artifacts::teams_sync_release());
        command.args(["--config", "teams-sync.toml", "apply"]).current_dir(company.sync.folder());
        command.stdout(Stdio::null());
        let mut child = command.spawn().expect("teams-sync");
        let status = format!("/proc/{}/status", child.id());
        loop {
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let peak =
                peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<f64>().ok());
            memory = memory.max(peak.unwrap_or(0.0) / 1024.0);
            if let Some(status) = child.try_wait().expect("a child") {
                assert!(status.success());
                break;
            }
            harness::eventually::pause(Duration::from_millis(5));
        }
        times.push(start.elapsed().as_secs_f64());
    }
    let times = sorted(times);
    println!(
        "\n{SERVERS} servers in steady state (names for {REAL} real ones, 50 people each), one `apply`: \
         {:.1} s (median of {}), {:.1} ms a server, at most {memory:.0} MiB.",
        quantile(&times, 50),
        times.len(),
        quantile(&times, 50) * 1000.0 / SERVERS as f64
    );
}

fn sorted(mut times: Vec<f64>) -> Vec<f64> {
    times.sort_by(f64::total_cmp);
    times
}
