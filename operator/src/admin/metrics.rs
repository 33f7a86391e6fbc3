//! The board as Prometheus reads it. Clusters have a label of their own in one family only.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use teams_sync::service::page::{self, Page, Scrape, exact};

use super::board::{Board, State};
use super::counts::PassResult;

pub(super) use teams_sync::service::page::CONTENT_TYPE;

/// All metrics as text.
pub(super) fn text(board: &Arc<Board>) -> Result<String, fmt::Error> {
    page::text(Numbers(Arc::clone(board)))
}

#[derive(Debug)]
struct Numbers(Arc<Board>);

impl Scrape for Numbers {
    fn scrape(&self, page: &mut Page<'_>) -> fmt::Result {
        let state = self.0.state();
        of_operator(page, &state)?;
        of_passes(page, &state)?;
        of_clusters(page, &state)?;
        of_people(page, &state)
    }
}

/// Phases come from the API server, where anybody may have written another word.
fn phase(word: &str) -> &'static str {
    const PHASES: [&str; 7] = [
        "Creating",
        "Updating",
        "Running",
        "CreateFailed",
        "UpdateFailed",
        "SyncFailed",
        "Invalid",
    ];
    PHASES.into_iter().find(|known| *known == word).unwrap_or("Unknown")
}

fn of_operator(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let version = [("version", env!("CARGO_PKG_VERSION"))];
    page.gauges("postgres_operator_build_info", "Which operator this is", |family| {
        family.gauge(&version, 1_u64)
    })?;
    let busy = state.workers.values().filter(|worker| worker.current.is_some()).count();
    let leads = usize::from(state.leading == Some(true));
    let gauges = [
        ("postgres_operator_leader", "Whether this operator is the leader", leads),
        ("postgres_operator_in_sync", "Whether the caches are full", usize::from(state.in_sync)),
        ("postgres_operator_queue_length", "Clusters that wait for a worker", state.queue.len()),
        ("postgres_operator_workers", "Workers", state.workers.len()),
        ("postgres_operator_workers_busy", "Workers that work on a cluster", busy),
    ];
    for (name, help, value) in gauges {
        page.gauges(name, help, |family| family.one_gauge(exact(value)))?;
    }
    let help = "How often the configuration was read anew, whatever came of it";
    page.counters("postgres_operator_config_reloads", help, |family| {
        family.one_counter(state.counts.reloads)
    })?;
    let help = "How often a new configuration was refused";
    page.counters("postgres_operator_config_reload_failures", help, |family| {
        family.one_counter(state.counts.refused_reloads)
    })?;
    let help = "Watches of the API server that began anew";
    by_word(page, "postgres_operator_watch_restarts", help, "kind", &state.counts.watch_restarts)
}

fn of_passes(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let counts = &state.counts;
    page.counters("postgres_operator_reconciles", "Passes over a cluster", |family| {
        for result in PassResult::ALL {
            let number = counts.passes.get(&result).copied().unwrap_or_default();
            family.counter(&[("result", result.word())], number)?;
        }
        Ok(())
    })?;
    let (name, help) = ("postgres_operator_reconcile_duration_seconds", "How long a pass took");
    page.histogram(name, help, counts.durations.sum, &counts.durations.buckets)?;
    let (name, help) = ("postgres_operator_stage_failures", "Stages of a pass that failed");
    by_word(page, name, help, "stage", &counts.stage_failures)?;
    page.counters("postgres_operator_api_writes", "Writes to the API server", |family| {
        for ((kind, verb), number) in &counts.writes {
            family.counter(&[("kind", *kind), ("verb", *verb)], *number)?;
        }
        Ok(())
    })
}

fn of_clusters(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let mut phases: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (_, facts) in state.seen() {
        *phases.entry(phase(&facts.phase)).or_default() += 1;
    }
    page.gauges("postgres_operator_clusters", "Clusters by their phase", |family| {
        for (phase, number) in &phases {
            family.gauge(&[("phase", *phase)], *number)?;
        }
        Ok(())
    })?;
    let help = "In which phase a cluster is: 1 at its phase";
    page.gauges("postgres_operator_cluster_phase", help, |family| {
        for (id, facts) in state.seen() {
            let id = id.to_string();
            family.gauge(&[("cluster", id.as_str()), ("phase", phase(&facts.phase))], 1_u64)?;
        }
        Ok(())
    })?;
    let mut orphans: BTreeMap<&'static str, u64> = BTreeMap::new();
    for orphan in &state.orphans {
        *orphans.entry(orphan.kind).or_default() += 1;
    }
    let help = "Objects of clusters whose manifest does not exist";
    page.gauges("postgres_operator_orphaned_objects", help, |family| {
        for (kind, number) in &orphans {
            family.gauge(&[("kind", *kind)], *number)?;
        }
        Ok(())
    })
}

fn of_people(page: &mut Page<'_>, state: &State) -> fmt::Result {
    let mut sums = [0; 3];
    for known in state.clusters.values() {
        let people = known.people;
        for (sum, number) in
            sums.iter_mut().zip([people.people, people.held_plans, people.frozen_teams])
        {
            *sum += number;
        }
    }
    let gauges = [
        ("postgres_operator_people", "People who are in, over all clusters"),
        ("postgres_operator_held_plans", "Clusters' plans that wait for a person"),
        ("postgres_operator_frozen_teams", "Teams, per cluster, of which nothing new is known"),
    ];
    for ((name, help), sum) in gauges.into_iter().zip(sums) {
        page.gauges(name, help, |family| family.one_gauge(exact(sum)))?;
    }
    Ok(())
}

/// Counters that differ in one word.
fn by_word(
    page: &mut Page<'_>,
    name: &str,
    help: &str,
    label: &str,
    counts: &BTreeMap<&'static str, u64>,
) -> fmt::Result {
    page.counters(name, help, |family| {
        for (word, number) in counts {
            family.counter(&[(label, *word)], *number)?;
        }
        Ok(())
    })
}
