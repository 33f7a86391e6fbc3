//! The board as Prometheus reads it. Written at each scrape, so nothing is left of what is gone.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric, MetricEncoder,
    prometheus_text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Registry;

use super::board::{Board, ServerState, State, TeamState};

pub(super) use prometheus_text::CONTENT_TYPE;

/// All metrics as text.
pub(super) fn text(board: &Arc<Board>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(Arc::clone(board))));
    let mut text = String::new();
    prometheus_text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Scrape(Arc<Board>);

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let state = self.0.state();
        let mut page = Page { encoder };
        of_service(&mut page, &state)?;
        of_teams(&mut page, &state)?;
        of_servers(&mut page, &state)
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

/// No server has so many roles that the number would not be exact.
#[allow(clippy::cast_precision_loss, reason = "below 2^52")]
fn exact(number: usize) -> f64 {
    number as f64
}

struct Page<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Page<'_> {
    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        write: impl FnOnce(&mut Family<'_>) -> fmt::Result,
    ) -> fmt::Result {
        write(&mut Family(self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?))
    }

    /// The encoder writes `_total` behind the name.
    fn counters(
        &mut self,
        name: &str,
        help: &str,
        write: impl FnOnce(&mut Family<'_>) -> fmt::Result,
    ) -> fmt::Result {
        write(&mut Family(self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?))
    }
}

struct Family<'a>(MetricEncoder<'a>);

impl Family<'_> {
    fn gauge(&mut self, labels: &impl EncodeLabelSet, value: impl EncodeGaugeValue) -> fmt::Result {
        self.0.encode_family(labels)?.encode_gauge(&value)
    }

    fn one_gauge(&mut self, value: f64) -> fmt::Result {
        self.0.encode_gauge(&value)
    }

    fn counter(&mut self, labels: &impl EncodeLabelSet, value: u64) -> fmt::Result {
        ConstCounter::new(value).encode(self.0.encode_family(labels)?)
    }

    fn one_counter(&mut self, value: u64) -> fmt::Result {
        self.0.encode_counter::<[(&str, &str); 0], _, u64>(&value, None)
    }
}
