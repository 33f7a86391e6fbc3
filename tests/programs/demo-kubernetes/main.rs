//! `make demo-kubernetes`: a cluster from its manifest to a login by token, to a login after its
//! primary was killed, and to somebody who leaves.

#![allow(
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program whose output is its purpose"
)]

use std::process::ExitCode;

use harness::cloud::{CLUSTER, minimal};
use harness::{Cloud, eventually, sandbox, workdir};

fn main() -> ExitCode {
    if let Err(reason) = sandbox::namespaces() {
        eprintln!("demo-kubernetes: {reason}");
        return ExitCode::FAILURE;
    }
    workdir::never_keep();
    println!(
        "A Kubernetes API server, nodes that run Patroni and PostgreSQL 15, a token service and"
    );
    println!("a Teams API start in a network namespace, and the operator beside them.\n");
    let cloud = Cloud::new(&[]);
    let manifest = minimal(&cloud.platform.namespace);
    println!("kubectl apply -f minimal-postgres-manifest.yaml");
    cloud.platform.kube.try_apply(&manifest).expect("it is accepted");
    watch_until_it_runs(&cloud);
    cloud.service.know("token-of-alice", r#"{"uid":"alice","realm":"/employees"}"#);
    cloud.service.know("token-of-bob", r#"{"uid":"bob","realm":"/employees"}"#);

    println!("\nalice and bob are in team ACID. PGPASSWORD=$(ztoken) psql -h {CLUSTER} -U alice");
    cloud.logs_in("alice", "token-of-alice");
    cloud.logs_in("bob", "token-of-bob");
    println!("  alice is in, with her token; bob, too");

    let primary = cloud.primary();
    println!("\nkill -9: Patroni and PostgreSQL of the primary, {primary}");
    cloud.agent.kill(&cloud.platform.namespace, &primary);
    cloud.logs_in("alice", "token-of-alice");
    println!("  {} took over, and alice is in", cloud.primary());
    cloud.agent.revive(&cloud.platform.namespace, &primary);

    println!("\nbob leaves team ACID");
    cloud.teams.team("ACID", &["alice"]);
    cloud.is_out("bob", "token-of-bob");
    println!("  bob is out: no login, no membership, no session");
    let people = eventually("the status says so", || {
        let people = cloud.platform.status(CLUSTER)["people"].clone();
        if people["count"] == 1 { Ok(people) } else { Err(people) }
    });
    println!("\nWhat the status says of people: {people}");
    ExitCode::SUCCESS
}

/// Prints each word that the status goes through.
fn watch_until_it_runs(cloud: &Cloud) {
    let mut last = String::new();
    eventually("the cluster runs", || {
        let status = cloud.platform.status(CLUSTER);
        let word = status["PostgresClusterStatus"].as_str().unwrap_or_default().to_owned();
        if word != last && !word.is_empty() {
            println!("  status: {word}");
        }
        last.clone_from(&word);
        if word == "Running" { Ok(()) } else { Err(status) }
    });
}
