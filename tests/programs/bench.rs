//! `make bench`: what a login costs, from fork(2) to the end of `pam_end`, above what
//! `pam_permit` costs in the same run. Runs are interleaved; the figures are medians.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program whose output is its purpose"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use harness::wire::{self, BlackHole};
use harness::world::Plan;
use harness::{PamClient, TokenService, World};

const DEADLINE: Duration = Duration::from_millis(500);
const DEADLINE_RUNS: u32 = 9;

fn main() {
    let world = World::with(Plan { postgres: false, ..Plan::default() });
    let token = world.grant("alice");
    let plain = TokenService::plain();
    plain.know(&token, r#"{"uid":"alice","realm":"/employees"}"#);
    let ca = world.sandbox.workdir.file("ca.pem", world.authority.pem());
    let https = world.rule("");
    let mut services = vec![
        ("permit", "pam_permit.so".to_owned(), "pam_permit (the floor)"),
        ("https", format!("pam_oauth2.so {https}"), "https, system CA bundle"),
        (
            "https-ca",
            format!("pam_oauth2.so {https} --ca-file={}", ca.display()),
            "https, one CA file",
        ),
        ("http", format!("pam_oauth2.so {} uid --allow-http", plain.url()), "http"),
        (
            "early",
            "pam_oauth2.so https://localhost/?t= uid realm".to_owned(),
            "refused before the network",
        ),
    ];
    if let Some(peer) = std::env::var_os("PEER_PAM_MODULE") {
        world.sandbox.install_module(Path::new(&peer), "peer.so");
        services.push((
            "peer",
            format!("peer.so {https}"),
            "PEER_PAM_MODULE, https, system CA bundle",
        ));
    }
    for (name, line, _) in &services {
        let file = format!("auth required {line}\naccount required pam_permit.so\n");
        world.sandbox.pam_file(name, &file);
    }
    let runs = std::env::var("RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(300);
    let names: Vec<&str> = services.iter().map(|(name, ..)| *name).collect();
    let times = measure(&world, &names, &token, runs);
    println!("fork to pam_end, milliseconds, {runs} interleaved runs");
    println!("{:<42} {:>8} {:>8} {:>8} {:>14}", "", "median", "p10", "p90", "above permit");
    let floor = quantile(&times["permit"], 50);
    for (name, _, title) in &services {
        let own = &times[*name];
        let [median, low, high] = [50, 10, 90].map(|percent| quantile(own, percent));
        println!("{title:<42} {median:>8.2} {low:>8.2} {high:>8.2} {:>14.2}", median - floor);
    }
    if let Some(peer) = times.get("peer") {
        for name in ["https", "https-ca", "http"] {
            let ratio = (quantile(&times[name], 50) - floor) / (quantile(peer, 50) - floor);
            println!("{name} above permit, against the peer above permit: 1/{:.1}", 1.0 / ratio);
        }
    }
    deadlines(&world, &token);
}

/// Milliseconds by service, sorted.
fn measure(world: &World, names: &[&str], token: &str, runs: u32) -> BTreeMap<String, Vec<f64>> {
    let client = PamClient::new(&world.sandbox, &names.join(","), "alice").token(token);
    let report = client.option("--measure", runs.to_string()).run(&[]);
    let mut times: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (name, value) in report.lines {
        let (nanoseconds, code) = value.split_once(' ').expect("a time and a code");
        assert_eq!(code == "0", name != "early", "{name} ended with {code}");
        times.entry(name).or_default().push(nanoseconds.parse::<f64>().expect("a number") / 1e6);
    }
    for own in times.values_mut() {
        own.sort_by(f64::total_cmp);
    }
    times
}

fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() - 1) * percent / 100]
}

/// How much later than its deadline a login comes back.
fn deadlines(world: &World, token: &str) {
    println!("\nbeyond a deadline of {DEADLINE:?}, milliseconds, {DEADLINE_RUNS} runs");
    println!("{:<42} {:>8} {:>8}", "", "median", "worst");
    let hole = BlackHole::at(([127, 0, 0, 1], 0).into());
    let silent = TokenService::plain();
    silent.on_accept(|mut stream| drop(wire::hold(&mut stream)));
    let busy = TokenService::plain();
    busy.on_request(|connection, _| {
        loop {
            connection.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
    });
    let cases = [
        ("a host that drops packets", format!("http://{}/?t=", hole.address())),
        ("a service that is silent", silent.url()),
        ("a service that floods", busy.url()),
    ];
    for (title, url) in cases {
        let timeout = DEADLINE.as_millis();
        world.strict(&format!("{url} uid --allow-http --timeout={timeout}ms"));
        let mut beyond: Vec<f64> = (0..DEADLINE_RUNS)
            .map(|_| {
                let client = world.client("strict", "alice").token(token);
                let report = client.option("--measure", "1").run(&[]);
                let (nanoseconds, _) = report.value("strict").split_once(' ').expect("a time");
                nanoseconds.parse::<f64>().expect("a number") / 1e6 - DEADLINE.as_secs_f64() * 1e3
            })
            .collect();
        beyond.sort_by(f64::total_cmp);
        println!("{title:<42} {:>8.2} {:>8.2}", quantile(&beyond, 50), quantile(&beyond, 100));
    }
}
