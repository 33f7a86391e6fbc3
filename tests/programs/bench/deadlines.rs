//! How much later than its deadline a login comes back.

use std::time::Duration;

use harness::wire::{self, BlackHole};
use harness::{TokenService, World};

use crate::quantile;

const DEADLINE: Duration = Duration::from_millis(500);
const RUNS: u32 = 9;

pub(crate) fn print(world: &World) {
    let token = world.grant("alice");
    println!("\nBeyond a deadline of {DEADLINE:?}, milliseconds, {RUNS} runs:\n");
    println!("| what | median | worst |\n|---|---:|---:|");
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
        let mut beyond: Vec<f64> = (0..RUNS)
            .map(|_| {
                let client = world.client("strict", "alice").token(&token);
                let report = client.option("--measure", "1").run(&[]);
                let (nanoseconds, _) = report.value("strict").split_once(' ').expect("a time");
                nanoseconds.parse::<f64>().expect("a number") / 1e6 - DEADLINE.as_secs_f64() * 1e3
            })
            .collect();
        beyond.sort_by(f64::total_cmp);
        println!("| {title} | {:.2} | {:.2} |", quantile(&beyond, 50), quantile(&beyond, 100));
    }
}
