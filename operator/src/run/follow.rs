//! What goes on beside the workers: a configuration that changes, teams that change, robots that
//! change, and objects that nobody owns any more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::source::Followed;
use super::{Place, access, board, crds, limits, with};
use crate::admin::{Access, LogControl, QueueEntry};
use crate::cli::Run;
use crate::cluster::ClusterId;
use crate::config::{self, Loaded};
use crate::context::Context;
use crate::controller::everybody;
use crate::controller::queue::Why;
use crate::leader::Election;
use crate::report::News;

/// How often the HTTP API learns what waits.
const BEAT: Duration = Duration::from_secs(1);
/// How often objects without a manifest are looked for.
const ORPHANS: Duration = Duration::from_secs(60);

/// Lists that take longer are told of.
const SLOW: Duration = Duration::from_secs(30);

/// Starts all of it; ends when the set is dropped. `anew` hears of a configuration that cannot
/// be taken over by what runs.
pub(super) fn start(
    context: &Arc<Context>,
    place: &Arc<Place>,
    log: &LogControl,
    arguments: &Run,
    election: &Arc<Election>,
    access: watch::Sender<Access>,
    anew: Sender<Loaded>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let (changed, configured) = watch::channel(());
    let source = place.source.clone();
    let readings = source.follow(&context.client, &place.environment);
    let (own, place, arguments) = (Arc::clone(context), Arc::clone(place), arguments.clone());
    let log = log.clone();
    tasks.spawn(async move {
        let mut readings = readings;
        while let Some(reading) = readings.next().await {
            let loaded = match reading {
                Followed::Read(loaded) => with(&arguments, *loaded),
                Followed::Broken(reason) => {
                    tracing::warn!("{reason}");
                    continue;
                }
                Followed::Refused(reason) => {
                    own.board.reloaded(true);
                    let note = format!("{reason}; the configuration in use stays");
                    own.events.tell(&source.reference(), &News::warning("Configuration", note));
                    continue;
                }
            };
            match take(&own, &place, &log, loaded) {
                Taken::Same => {}
                Taken::InUse => {
                    let _nobody_follows = changed.send(());
                }
                Taken::NeedsNewBeginning(loaded) => {
                    let _it_begins_already = anew.send(*loaded).await;
                    return;
                }
            }
        }
    });
    tasks.spawn(access::follow(Arc::clone(context), access, configured.clone()));
    tasks.spawn(robots(Arc::clone(context), configured));
    tasks.spawn(queues(Arc::clone(context)));
    tasks.spawn(teams(Arc::clone(context), election.leading()));
    tasks.spawn(orphans(Arc::clone(context)));
    tasks.spawn(leading(Arc::clone(context), election.leading(), election.others()));
    if context.config().operation.enable_crd_registration {
        tasks.spawn(crds::keep(Arc::clone(context), election.leading()));
    }
    tasks
}

enum Taken {
    Same,
    InUse,
    NeedsNewBeginning(Box<Loaded>),
}

fn take(context: &Context, place: &Place, log: &LogControl, loaded: Loaded) -> Taken {
    let before = context.config();
    if *before == loaded.config {
        return Taken::Same;
    }
    for change in config::changes(&before, &loaded.config) {
        tracing::info!("the configuration changes: {change}");
    }
    let stuck = config::needs_restart(&before, &loaded.config);
    if !stuck.is_empty() {
        tracing::info!("a new beginning for {}", stuck.join(", "));
        return Taken::NeedsNewBeginning(Box::new(loaded));
    }
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    context.identity.configure(&loaded.config);
    context.board.reloaded(false);
    context.board.limit(limits(&loaded.config));
    context.memory.forget_namespaces();
    log.debug(loaded.config.operation.debug_logging);
    board::configured(&context.board, place, &loaded.config);
    context.configure(Arc::new(loaded.config));
    everybody(context);
    Taken::InUse
}

/// Follows the infrastructure roles of the configuration in use.
async fn robots(context: Arc<Context>, mut configured: watch::Receiver<()>) {
    loop {
        let config = context.config();
        let told = || {
            let robots = context.identity.robots.now(&config.identity);
            board::infrastructure_roles(&context.board, &robots);
            everybody(&context);
        };
        let follow = context.identity.robots.follow(&context.client, &config.identity, &told);
        tokio::select! {
            () = follow => return,
            changed = configured.changed() => if changed.is_err() { return },
        }
    }
}

/// Asks about all teams again and again; clusters whose teams changed are looked at.
async fn teams(context: Arc<Context>, mut leading: watch::Receiver<bool>) {
    loop {
        tokio::time::sleep(context.config().identity.teams_refresh_period).await;
        if leading.wait_for(|leads| *leads).await.is_err() {
            return;
        }
        // The source may be another one than before the sleep.
        let config = context.config();
        if !config.identity.enable_teams_api {
            continue;
        }
        let teams = context.memory.teams();
        context.identity.directory.keep_only(&teams);
        let changed =
            context.identity.directory.ask(&context.client, &config.identity, &teams).await;
        let clusters: BTreeSet<ClusterId> =
            changed.iter().flat_map(|team| context.memory.with_team(team)).collect();
        for id in clusters {
            context.databases.add(&id, Why::Surroundings);
        }
    }
}

/// Objects whose manifest is not there are told of, and left alone.
async fn orphans(context: Arc<Context>) {
    while tokio::time::timeout(SLOW, context.caches.filled()).await.is_err() {
        let kinds = context.caches.missing().join(", ");
        tracing::warn!(
            "nothing is worked on before these kinds could be listed: {kinds}; see the warnings above, and packaging/kustomize/rbac.yaml for the rights"
        );
    }
    let mut told = BTreeSet::new();
    loop {
        let orphans = context.caches.orphans();
        // Another operator may be at it.
        let ended: BTreeSet<ClusterId> =
            orphans.iter().filter(|id| context.caches.tombstone(id).is_some()).cloned().collect();
        for id in ended.iter().filter(|id| context.begun(id).is_some()) {
            // A deletion that had begun when the operator was stopped.
            context.objects.add(id, Why::Object);
        }
        let orphans: BTreeSet<ClusterId> = orphans.difference(&ended).cloned().collect();
        let objects = board::orphans(&context, &orphans);
        for id in orphans.difference(&told) {
            let objects = objects.get(id).map(|all| all.join(", ")).unwrap_or_default();
            tracing::warn!(
                cluster = %id,
                "there are objects of this cluster and no manifest: they stay as they are; delete them by hand, or apply the manifest: {objects}"
            );
        }
        told = orphans;
        tokio::time::sleep(ORPHANS).await;
    }
}

/// `others` hears each time that another one was seen to lead.
async fn leading(
    context: Arc<Context>,
    mut leading: watch::Receiver<bool>,
    mut others: watch::Receiver<()>,
) {
    loop {
        let leads = *leading.borrow_and_update();
        context.board.leads(leads);
        if leads {
            context.deletions.we_lead();
        } else {
            // Whoever leads meanwhile knows better who is in which team.
            context.identity.directory.clear();
        }
        loop {
            tokio::select! {
                changed = leading.changed() => match changed {
                    Ok(()) => break,
                    Err(_nobody_tells) => return,
                },
                seen = others.changed() => match seen {
                    Ok(()) => context.deletions.another_leads(),
                    Err(_nobody_tells) => return,
                },
            }
        }
    }
}

/// The HTTP API shows what waits.
async fn queues(context: Arc<Context>) {
    loop {
        let now = jiff::Timestamp::now();
        let waiting = context.objects.waiting().into_iter().chain(context.databases.waiting());
        let due = waiting.filter(|entry| entry.due_in.is_none()).map(|entry| QueueEntry {
            cluster: entry.cluster,
            why: entry.why.word().to_owned(),
            since: now,
        });
        context.board.queue_changed(due.collect());
        context.board.not_listed(context.caches.missing());
        context.board.beat();
        tokio::time::sleep(BEAT).await;
    }
}
