//! The cost of a login as a whole process. Runs are interleaved; the figures are medians.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::identity_provider::IdentityProvider;
use harness::{PamClient, World, artifacts};
use mint::{Algorithm, Key};

use crate::quantile;

/// A PAM service, the line of its module, and what it is called in the table.
type Service = (&'static str, String, &'static str);

/// What the cost above `pam_permit` is to be, by service: one part in so many of what a module in
/// C pays over https, or this many times what `pam_permit` itself costs.
const TARGETS: [(&str, f64, f64); 3] =
    [("https", 10.0, 3.2), ("jwt", 80.0, 0.4), ("verdict", 100.0, 0.32)];

pub(crate) fn print(world: &World, runs: u32) {
    let ca = world.sandbox.workdir.file("bench-ca.pem", world.authority.pem());
    let provider = IdentityProvider::encrypted(&world.authority.server()).telling(&world.secrets);
    let plain = IdentityProvider::plain().telling(&world.secrets);
    let cache = world.sandbox.writable_folder("bench").join("cache").display().to_string();
    let token = provider.token("alice");
    plain.know(&token, serde_json::json!({ "uid": "alice", "realm": "/employees" }));
    let ca = ca.display();
    let tokeninfo = format!("{} uid realm=/employees", provider.tokeninfo_url());
    let jwt = format!(
        "{} uid realm=/employees --verify=jwt --audience=postgres --ca-file={ca}",
        provider.issuer()
    );
    let mut services: Vec<Service> = vec![
        ("permit", "pam_permit.so".to_owned(), "`pam_permit` (the floor)"),
        ("http", ours(&format!("{} uid --allow-http", plain.tokeninfo_url())), "tokeninfo, http"),
        ("https", ours(&tokeninfo), "tokeninfo, https, system CA bundle"),
        ("https-ca", ours(&format!("{tokeninfo} --ca-file={ca}")), "tokeninfo, https, one CA file"),
        ("jwt", ours(&format!("{jwt} --cache-dir={cache}")), "JWT (ES256), warm keys"),
        ("jwt-cold", ours(&jwt), "JWT (ES256), cold: place and keys over https, one CA file"),
        (
            "verdict",
            ours(&format!("{tokeninfo} --cache-dir={cache} --cache-ttl=1h")),
            "tokeninfo, cached verdict",
        ),
        (
            "early",
            ours("https://localhost/?t= uid realm"),
            "refused before the network (a wrong line)",
        ),
    ];
    let title = match std::env::var_os("PEER_PAM_MODULE") {
        Some(peer) => {
            world.sandbox.install_module(Path::new(&peer), "peer.so");
            "`PEER_PAM_MODULE`, tokeninfo, https"
        }
        None => {
            world.sandbox.install_module(&compiled_peer(), "peer.so");
            "a module in C on libcurl, tokeninfo, https"
        }
    };
    services.push(("peer", format!("peer.so {tokeninfo}"), title));
    println!("Fork to the end of `pam_end`, milliseconds, {runs} interleaved runs:\n");
    println!("| login | median | p10 | p90 | above `pam_permit` | times `pam_permit` |");
    println!("|---|---:|---:|---:|---:|---:|");
    let times = table(world, &services, &token, runs);
    println!("\nCost above `pam_permit`, against the targets:\n");
    println!("| login | of the module in C | target | times `pam_permit` | target without it |");
    println!("|---|---:|---:|---:|---:|");
    let above = |name: &str| quantile(&times[name], 50) - quantile(&times["permit"], 50);
    for (name, share, times_permit) in TARGETS {
        println!(
            "| {name} | 1/{:.0} | 1/{share} | {:.2} | {times_permit} |",
            above("peer") / above(name),
            above(name) / quantile(&times["permit"], 50)
        );
    }
    println!("\nOther algorithms:\n");
    println!("| login | median | p10 | p90 | above `pam_permit` | times `pam_permit` |");
    println!("|---|---:|---:|---:|---:|---:|");
    let others = [
        ("JWT (RS256, 2048 bits), warm keys", Key::rsa_2048(), Algorithm::RS256),
        ("JWT (EdDSA), warm keys", Key::ed25519(), Algorithm::EdDSA),
    ];
    for (title, key, algorithm) in others {
        provider.rotate_to(key.with_kid(algorithm.name()), algorithm, 0);
        let other = format!("{cache}-{}", algorithm.name());
        let line = ours(&format!("{jwt} --cache-dir={other}"));
        let permit = ("permit", "pam_permit.so".to_owned(), "`pam_permit`, in turn with the next");
        table(world, &[permit, ("jwt", line, title)], &provider.token("alice"), runs);
    }
}

/// `peer.c`, by the C compiler of the machine.
fn compiled_peer() -> PathBuf {
    let source = artifacts::source().join("tests/programs/bench/peer.c");
    let object = artifacts::target().join("bench-peer.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-O2", "-shared", "-fPIC", "-o"]).arg(&object).arg(source);
    let status = compiler.args(["-lcurl", "-lpam"]).status().expect("a C compiler");
    assert!(status.success(), "the peer in C does not build: {status}");
    object
}

fn ours(arguments: &str) -> String {
    format!("pam_oauth2.so {arguments}")
}

/// Measures, and prints a row for each service.
fn table(
    world: &World,
    services: &[Service],
    token: &str,
    runs: u32,
) -> BTreeMap<String, Vec<f64>> {
    for (name, line, _) in services {
        let account = line.split(' ').next().expect("a module");
        let account = if account == "peer.so" { "pam_permit.so" } else { account };
        let file = format!("auth required {line}\naccount required {account}\n");
        world.sandbox.pam_file(name, &file);
    }
    let names: Vec<&str> = services.iter().map(|(name, ..)| *name).collect();
    let times = measure(world, &names, token, runs);
    let floor = quantile(&times["permit"], 50);
    for (name, _, title) in services {
        let own = &times[*name];
        let [median, low, high] = [50, 10, 90].map(|percent| quantile(own, percent));
        let above = median - floor;
        println!(
            "| {title} | {median:.3} | {low:.3} | {high:.3} | {above:.3} | {:.2} |",
            above / floor
        );
    }
    times
}

/// Milliseconds by service, sorted. The first run of each warms what it keeps.
fn measure(world: &World, names: &[&str], token: &str, runs: u32) -> BTreeMap<String, Vec<f64>> {
    let client = PamClient::new(&world.sandbox, &names.join(","), "alice").token(token);
    let report = client.option("--measure", (runs + 1).to_string()).run(&[]);
    let mut times: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (name, value) in report.lines.into_iter().skip(names.len()) {
        let (nanoseconds, code) = value.split_once(' ').expect("a time and a code");
        assert_eq!(code == "0", name != "early", "{name} ended with {code}");
        times.entry(name).or_default().push(nanoseconds.parse::<f64>().expect("a number") / 1e6);
    }
    for own in times.values_mut() {
        own.sort_by(f64::total_cmp);
    }
    times
}
