//! `teams-sync leavers`: who is out, and what they left behind.

use futures_util::future::join_all;
use serde_json::json;
use teams_sync::arguments::{Common, Output};
use teams_sync::leavers::{Leaver, leavers};

use super::output::{self, Exit};
use super::setup;

pub(crate) async fn run(common: &Common) -> Exit {
    if common.output == Output::Sql {
        return setup::usage("--output sql is for plan and doctor");
    }
    let setup = match setup::load(common) {
        Ok(setup) => setup,
        Err(exit) => return exit,
    };
    let all = join_all(setup.servers.iter().map(|server| leavers(server, &setup.engine))).await;
    let exit = match all.iter().any(Result::is_err) {
        true => Exit::Target,
        false => Exit::Fine,
    };
    let each = setup.servers.iter().zip(&all);
    let text = match common.output {
        Output::Json => {
            let servers: Vec<_> = each
                .map(|(server, leavers)| match leavers {
                    Ok(leavers) => {
                        json!({ "server": server.name, "error": null, "leavers": leavers })
                    }
                    Err(error) => {
                        json!({ "server": server.name, "error": error.to_string(), "leavers": [] })
                    }
                })
                .collect();
            format!("{:#}\n", json!({ "exit_code": exit.code(), "servers": servers }))
        }
        _ => each
            .map(|(server, leavers)| match leavers {
                Ok(leavers) if leavers.is_empty() => format!("{}: nobody left\n", server.name),
                Ok(leavers) => {
                    let lines: String = leavers.iter().map(human).collect();
                    format!("{}:\n{lines}", server.name)
                }
                Err(error) => format!("{}: {error}\n", server.name),
            })
            .collect(),
    };
    output::print(&text);
    exit
}

fn human(leaver: &Leaver) -> String {
    let mut parts = Vec::new();
    if !leaver.teams.is_empty() {
        let teams: Vec<_> = leaver.teams.iter().map(|team| format!("{team:?}")).collect();
        parts.push(format!("was in {}", teams.join(" and ")));
    }
    match leaver.left {
        Some(left) => parts.push(format!("left {left:.0}")),
        None => parts.push("left before teams-sync looked after this server".to_owned()),
    }
    if leaver.sessions > 0 {
        parts.push(format!("{} sessions still open", leaver.sessions));
    }
    if leaver.has_power {
        parts.push("still has memberships or is a superuser: run teams-sync apply".to_owned());
    }
    for owned in &leaver.owns {
        let place = match &owned.database {
            Some(database) => format!("in database {}", database.escape_debug()),
            None => "outside of databases".to_owned(),
        };
        parts.push(format!("owns {} objects {place}", owned.objects));
    }
    format!("  {}: {}\n", leaver.role, parts.join(", "))
}
