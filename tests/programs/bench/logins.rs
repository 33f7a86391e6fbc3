//! Logins per second: `pgbench -C`, each transaction a connection of its own, beside other ways
//! to authenticate on the same server.

use std::process::Command;

use harness::World;
use harness::identity_provider::IdentityProvider;
use harness::postgres;
use harness::secrets::random_text;
use harness::world::Plan;

const CLIENTS: [u32; 3] = [1, 16, 64];
/// Rounds in turn, of which the median counts.
const ROUNDS: usize = 3;

/// A database of each name, and how one gets in. TCP without TLS, so that what differs is the
/// authentication.
const HBA: [&str; 4] = [
    "hostnossl trust  all 127.0.0.1/32 trust",
    "hostnossl scram  all 127.0.0.1/32 scram-sha-256",
    "hostnossl permit all 127.0.0.1/32 pam pamservice=permit",
    "hostnossl jwt    all 127.0.0.1/32 pam pamservice=strict",
];

pub(crate) fn print(seconds: u32) {
    let world = World::with(Plan {
        encrypted: false,
        hba: HBA.to_vec(),
        settings: vec!["log_connections=off"],
        ..Plan::default()
    });
    let provider = IdentityProvider::plain().telling(&world.secrets);
    let cache = world.sandbox.writable_folder("bench").join("cache").display().to_string();
    world.strict(&format!(
        "{} uid realm=/employees --verify=jwt --audience=postgres --cache-dir={cache} --allow-http",
        provider.issuer()
    ));
    let token = provider.token("alice");
    let password = random_text(24);
    for database in ["trust", "scram", "jwt"] {
        world.postgres().sql(&format!("create database {database}"));
    }
    world.postgres().sql(&format!("alter role alice password '{password}'"));
    let script = world.sandbox.workdir.file("select.sql", "select 1;\n");
    let ways = [("trust", ""), ("permit", "x"), ("scram", &password), ("jwt", &token)];
    println!(
        "\nLogins per second, `pgbench -C`, the median of {ROUNDS} rounds of {seconds} s in turn:\n"
    );
    println!(
        "| clients | trust | `pam_permit` | `scram-sha-256` | JWT, warm | of `pam_permit` | of `scram-sha-256` |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    for clients in CLIENTS {
        let mut rates = [const { Vec::new() }; 4];
        for _ in 0..ROUNDS {
            for ((database, secret), own) in ways.iter().zip(&mut rates) {
                let mut command = Command::new(postgres::bin("pgbench"));
                command.args(["-n", "-C", "-h", "127.0.0.1", "-U", "alice", "-j", "2"]);
                command.arg("-c").arg(clients.to_string()).arg("-T").arg(seconds.to_string());
                command.arg("-f").arg(&script).arg(database);
                command.env_clear().env("PGPASSWORD", secret).env("PGSSLMODE", "disable");
                command.env("PGPORT", world.postgres().port().to_string());
                let output = command.output().expect("pgbench can be started");
                own.push(rate(&String::from_utf8_lossy(&output.stdout)).unwrap_or_else(|| {
                    panic!("{database}: {}", String::from_utf8_lossy(&output.stderr))
                }));
            }
        }
        let [trust, permit, scram, jwt] = rates.map(|mut own| {
            own.sort_by(f64::total_cmp);
            own[own.len() / 2]
        });
        println!(
            "| {clients} | {trust:.0} | {permit:.0} | {scram:.0} | {jwt:.0} | {:.2} | {:.2} |",
            jwt / permit,
            jwt / scram
        );
    }
}

/// `tps = 123.4 (including reconnection times)`
fn rate(output: &str) -> Option<f64> {
    let line = output.lines().find(|line| line.starts_with("tps = "))?;
    line.split(' ').nth(2)?.parse().ok()
}
