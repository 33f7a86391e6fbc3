//! `teams-sync doctor`: what is in the way on each server, and what mends it.

use futures_util::future::join_all;
use serde_json::json;
use teams_sync::arguments::{Common, Output};
use teams_sync::doctor::{Findings, examine};
use teams_sync::fleet;

use super::output::{self, Exit};
use super::setup;

pub(crate) async fn run(common: &Common) -> Exit {
    let setup = match setup::load(common) {
        Ok(setup) => setup,
        Err(exit) => return exit,
    };
    let facts = setup::facts(&setup).await;
    let each = setup.servers.iter().map(|server| {
        let desired = fleet::desired_of(&setup.config, &facts, server);
        let engine = &setup.engine;
        async move {
            let found = examine(server, engine, &desired).await;
            (desired.frozen, desired.frozen_robots, found)
        }
    });
    let all = join_all(each).await;
    let exit = all.iter().map(|(frozen, robots, found)| match found {
        Err(_) => Exit::Target,
        Ok(_) if !frozen.is_empty() || robots.is_some() => Exit::Source,
        Ok(found) if !found.missing.is_empty() || !found.problems.is_empty() => Exit::Partly,
        Ok(_) => Exit::Fine,
    });
    let exit = exit.max().unwrap_or(Exit::Fine);
    let mut text = String::new();
    let mut objects = Vec::new();
    for (server, (frozen, robots, found)) in setup.servers.iter().zip(&all) {
        let name = server.name.escape_debug();
        let mut unknown: Vec<String> = frozen
            .iter()
            .map(|(team, reason)| format!("team {team:?} gave no answer: {reason}"))
            .collect();
        unknown.extend(
            robots.iter().map(|reason| format!("infrastructure roles cannot be read: {reason}")),
        );
        match (common.output, found) {
            (Output::Json, found) => objects.push(json!({
                "server": server.name,
                "error": found.as_ref().err().map(ToString::to_string),
                "findings": found.as_ref().ok(),
                "sources": unknown,
            })),
            (Output::Human, Ok(found)) => text.push_str(&human(&server.name, found, &unknown)),
            (Output::Human, Err(error)) => text.push_str(&format!("{name}: {error}\n")),
            (Output::Sql, Ok(found)) => {
                text.push_str(&format!("-- server {name}\n"));
                for missing in &found.missing {
                    text.push_str(&format!("{}; -- {}\n", missing.sql, missing.why));
                }
            }
            (Output::Sql, Err(error)) => output::complain(&format!("{name}: {error}")),
        }
    }
    if common.output == Output::Json {
        text = format!("{:#}\n", json!({ "exit_code": exit.code(), "servers": objects }));
    }
    output::print(&text);
    exit
}

fn human(server: &str, found: &Findings, unknown: &[String]) -> String {
    let mut lines = Vec::new();
    for missing in &found.missing {
        lines.push(format!("{};", missing.sql));
        lines.push(format!("    because {}", missing.why));
    }
    lines.extend(found.problems.iter().map(|problem| format!("problem: {problem}")));
    lines.extend(unknown.iter().cloned());
    lines.extend(found.owned.iter().cloned());
    let role = if found.superuser { "a superuser" } else { "no superuser" };
    let version = found.version;
    let title = match found.missing.is_empty() && found.problems.is_empty() && unknown.is_empty() {
        true => "all is well",
        false if found.missing.is_empty() => "something needs a person",
        false => "a superuser has to run this",
    };
    let (major, minor) = (version / 10_000, version % 10_000);
    let mut text =
        format!("{server} (PostgreSQL {major}.{minor}, as {}, {role}): {title}\n", found.me);
    for line in lines {
        text.push_str(&format!("  {line}\n"));
    }
    text
}
