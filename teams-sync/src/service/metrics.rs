//! The board as Prometheus reads it.

use std::fmt;
use std::sync::Arc;

use super::board::{Board, ServerState, State, TeamState};
use super::page::{self, Page, Scrape, exact};

pub(super) use super::page::CONTENT_TYPE;

/// All metrics as text.
pub(super) fn text(board: &Arc<Board>) -> Result<String, fmt::Error> {
    page::text(Numbers(Arc::clone(board)))
}

#[derive(Debug)]
struct Numbers(Arc<Board>);

impl Scrape for Numbers {
    fn scrape(&self, page: &mut Page<'_>) -> fmt::Result {
        let state = self.0.state();
        of_service(page, &state)?;
        of_teams(page, &state)?;
        of_servers(page, &state)
    }
}

fn of_service(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    page.gauges("teams_sync_build_info", "Which teams-sync this is", |family| {
        family.gauge(&version, 1_u64)
    })?;
    if let Some(fetched) = state.fetched {
        let help = "How long the last fetch of all teams took";
        page.gauges("teams_sync_fetch_duration_seconds", help, |family| {
            family.one_gauge(fetched.as_secs_f64())
        })?;
    }
    let help = "How often the configuration was read anew, whatever came of it";
    page.counters("teams_sync_config_reloads", help, |family| family.one_counter(state.reloads))?;
    let help = "How often a new configuration was refused";
    page.counters("teams_sync_config_reload_failures", help, |family| {
        family.one_counter(state.refused_reloads)
    })
}

fn of_teams(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let mut each = |name, help, value: &dyn Fn(&TeamState) -> Option<f64>| {
        page.gauges(name, help, |family| {
            for (team, known) in &state.teams {
                if let Some(value) = value(known) {
                    family.gauge(&[("team", team.as_str())], value)?;
                }
            }
            Ok(())
        })
    };
    let help = "Time since the last complete answer about a team, or since it was first wanted";
    each("teams_sync_source_age_seconds", help, &|team| Some(team.good.elapsed().as_secs_f64()))?;
    let help = "Whether the last answer about a team was complete";
    each("teams_sync_source_up", help, &|team| Some(f64::from(u8::from(team.up))))?;
    let help = "Members of a team in its last complete answer";
    each("teams_sync_team_members", help, &|team| team.members.map(exact))
}

fn of_servers(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let mut each = |name, help, value: &dyn Fn(&ServerState) -> Option<f64>| {
        page.gauges(name, help, |family| {
            // Nothing is known before the first pass.
            for (server, known) in state.servers.iter().filter(|(_, known)| known.passes > 0) {
                if let Some(value) = value(known) {
                    family.gauge(&[("server", server.as_str())], value)?;
                }
            }
            Ok(())
        })
    };
    let help = "Whether the last pass over a server came to its end";
    each("teams_sync_server_up", help, &|server| Some(f64::from(u8::from(server.up))))?;
    let help = "When a pass over a server last came to its end";
    each("teams_sync_server_last_success_timestamp_seconds", help, &|server| {
        server.success.map(|time| time.as_duration().as_secs_f64())
    })?;
    let help = "How long the last pass over a server took";
    each("teams_sync_server_duration_seconds", help, &|server| Some(server.elapsed.as_secs_f64()))?;
    let help = "People who are in";
    each("teams_sync_people", help, &|server| server.seen(server.people))?;
    let help = "Roles of which the guard holds something";
    each("teams_sync_held", help, &|server| server.seen(server.held))?;
    let help = "What cannot be done as it is configured";
    each("teams_sync_problems", help, &|server| server.seen(server.problems))?;
    let mut each = |name, help, value: &dyn Fn(&ServerState) -> u64| {
        page.counters(name, help, |family| {
            for (server, known) in &state.servers {
                family.counter(&[("server", server.as_str())], value(known))?;
            }
            Ok(())
        })
    };
    let help = "Passes over a server, whatever came of them";
    each("teams_sync_passes", help, &|server| server.passes)?;
    let help = "Sessions ended of people who are out";
    each("teams_sync_sessions_ended", help, &|server| server.sessions)?;
    page.counters("teams_sync_changes", "Changes made to roles", |family| {
        for (server, known) in &state.servers {
            for (change, number) in &known.changes {
                family.counter(&[("server", server.as_str()), ("change", *change)], *number)?;
            }
        }
        Ok(())
    })?;
    let help = "Passes that ended early, changes refused, and sessions that could not be ended";
    page.counters("teams_sync_failures", help, |family| {
        for (server, known) in &state.servers {
            for (kind, number) in &known.failures {
                family.counter(&[("server", server.as_str()), ("kind", *kind)], *number)?;
            }
        }
        Ok(())
    })
}

impl ServerState {
    /// Nothing can be said of roles that no pass has seen to the end.
    fn seen(&self, number: usize) -> Option<f64> {
        self.success.map(|_| exact(number))
    }
}
