//! `make bench`: what a login and a sync cost. As a whole process, from fork(2) to the end of `pam_end`,
//! above what `pam_permit` costs in the same run; beyond a deadline; and as logins per second of
//! a PostgreSQL. Prints Markdown for docs/benchmarks.md.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program whose output is its purpose"
)]

mod clusters;
mod deadlines;
mod logins;
mod processes;
mod roles;

use harness::World;
use harness::world::Plan;

fn main() {
    // One part alone, for whoever works on it.
    match std::env::args().nth(1).as_deref() {
        Some("roles") => return roles::print(number("SYNCS", 5) as usize),
        Some("clusters") => return operator(),
        _ => {}
    }
    let world = World::with(Plan { postgres: false, ..Plan::default() });
    processes::print(&world, number("RUNS", 300));
    deadlines::print(&world);
    drop(world);
    logins::print(number("SECONDS", 5));
    roles::print(number("SYNCS", 5) as usize);
    operator();
}

fn operator() {
    clusters::print(number("CLUSTERS", 1000) as usize, number("STARTS", 3) as usize);
}

/// From the environment.
fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() - 1) * percent / 100]
}
