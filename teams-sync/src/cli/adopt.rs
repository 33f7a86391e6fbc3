//! `teams-sync adopt`: takes over people whom something else made roles for.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::json;
use teams_sync::adopt::{Adopted, adopt};
use teams_sync::arguments::{Adopt, Common, Output};
use teams_sync::fleet;
use teams_sync::role::RoleName;

use super::output::{self, Exit};
use super::setup;

pub(crate) async fn run(common: &Common, arguments: &Adopt) -> Exit {
    if common.output == Output::Sql {
        return setup::usage("--output sql is for plan and doctor");
    }
    let setup = match setup::load(common) {
        Ok(setup) => setup,
        Err(exit) => return exit,
    };
    let facts = setup::facts(&setup).await;
    let now = Timestamp::now();
    let each = setup.servers.iter().map(|server| {
        let desired = fleet::desired_of(&setup.config, &facts, server);
        let engine = &setup.engine;
        async move {
            let result =
                adopt(server, engine, &desired, arguments.leavers, arguments.dry_run, now).await;
            (!desired.frozen.is_empty(), result)
        }
    });
    let all = join_all(each).await;
    let exit = all.iter().map(|(frozen, result)| match result {
        Err(_) => Exit::Target,
        Ok(_) if *frozen => Exit::Source,
        Ok(adopted) if !adopted.outcome.failures.is_empty() => Exit::Partly,
        Ok(_) => Exit::Fine,
    });
    let exit = exit.max().unwrap_or(Exit::Fine);
    let each = setup.servers.iter().zip(&all);
    let text = match common.output {
        Output::Json => {
            let servers: Vec<_> = each
                .map(|(server, (_, result))| match result {
                    Ok(adopted) => json!({
                        "server": server.name,
                        "error": null,
                        "findings": adopted.findings,
                        "changes": adopted.outcome.done.iter().map(ToString::to_string).collect::<Vec<_>>(),
                        "failures": adopted.outcome.failures,
                    }),
                    Err(error) => json!({ "server": server.name, "error": error.to_string() }),
                })
                .collect();
            format!("{:#}\n", json!({ "exit_code": exit.code(), "servers": servers }))
        }
        _ => each
            .map(|(server, (_, result))| match result {
                Ok(adopted) => human(&server.name, adopted, arguments),
                Err(error) => format!("{}: {error}\n", server.name),
            })
            .collect(),
    };
    output::print(&text);
    exit
}

fn human(server: &str, adopted: &Adopted, arguments: &Adopt) -> String {
    let found = &adopted.findings;
    let mut text = format!("{server}:\n");
    let marked = |marked: bool| match (marked, arguments.dry_run) {
        (true, true) => "would be marked as managed",
        (true, false) => "marked as managed",
        (false, _) => "left alone; with --leavers they are marked, and the next apply locks them",
    };
    let mut list = |what: &str, roles: &BTreeSet<RoleName>, then: &str| {
        if !roles.is_empty() {
            let names: Vec<_> = roles.iter().map(ToString::to_string).collect();
            text.push_str(&format!("  {what}, {then}: {}\n", names.join(", ")));
        }
    };
    list("named by a team", &found.current, marked(true));
    let leavers = marked(arguments.leavers);
    list("can log in, and no team names them", &found.forgotten, leavers);
    list("renamed when they left", &found.renamed, leavers);
    list("left, under their old name", &found.locked, leavers);
    list("can log in, and a team that may name them gave no answer", &found.unclear, "left alone");
    for failure in &adopted.outcome.failures {
        text.push_str(&format!("  not done: {}: {}\n", failure.change, failure.message));
    }
    if text.lines().count() == 1 {
        text.push_str("  nobody to adopt\n");
    }
    text
}
