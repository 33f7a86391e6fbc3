//! The task of one server: newest facts in, one pass after the other, for as long as it is in the
//! configuration.
//!
//! It waits for nobody but itself: for its place in the period, for a turn where only so many may
//! run at once, and for the end of its pause when something failed. A panic is a failed pass.

use std::any::Any;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::board::Board;
use super::confirm::Confirm;
use super::news::ServerNews;
use super::{Work, pace};
use crate::approve::Releases;
use crate::fleet::{Facts, Setup};
use crate::sync::{Report, Server};

/// What is known at some moment. Facts belong to the configuration that asked for them.
#[derive(Clone, Debug)]
pub(super) struct World {
    /// Of the configuration.
    pub(super) generation: u64,
    pub(super) setup: Arc<Setup>,
    /// None yet of this configuration, or the newest.
    pub(super) facts: Option<News>,
}

#[derive(Clone, Debug)]
pub(super) struct News {
    /// Of the fetch.
    pub(super) number: u64,
    pub(super) facts: Arc<Facts>,
    pub(super) since: Instant,
}

impl World {
    fn server(&self, name: &str) -> Option<&Server> {
        self.setup.servers.iter().find(|server| server.name == name)
    }
}

/// After a panic, however long the pause is.
const REST: Duration = Duration::from_secs(1);

pub(super) struct Keeper {
    pub(super) name: String,
    pub(super) work: Arc<dyn Work>,
    pub(super) board: Arc<Board>,
    /// Closed when the service ends.
    pub(super) worlds: watch::Receiver<World>,
    pub(super) turns: Arc<Semaphore>,
    pub(super) state: KeeperState,
}

#[derive(Default)]
pub(super) struct KeeperState {
    /// Of the last pass.
    generation: Option<u64>,
    number: u64,
    /// When the next pass is to be, where facts came that it has not seen.
    start: Option<Instant>,
    failures: u32,
    /// When the next pass is to be, where the last one failed.
    retry: Option<Instant>,
    confirm: Confirm,
    news: ServerNews,
}

struct Job {
    world: World,
    news: News,
    server: Server,
    turn: OwnedSemaphorePermit,
}

impl Keeper {
    /// Ends when the service does, or when the server is not in the configuration any more; a
    /// pass that runs then comes to its end.
    pub(super) async fn keep(mut self) {
        loop {
            match AssertUnwindSafe(self.next()).catch_unwind().await {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return,
                Err(panic) => {
                    self.heard(&Report::broken(&self.name, &words(panic.as_ref())));
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    async fn next(&mut self) -> ControlFlow<()> {
        let Some(job) = self.job().await else { return ControlFlow::Break(()) };
        let Job { world, news, server, turn } = job;
        let setup = &world.setup;
        if self.state.generation != Some(world.generation) {
            self.state.failures = 0;
        }
        self.state.generation = Some(world.generation);
        self.state.number = news.number;
        self.state.start = None;
        self.state.retry = None;
        let due = self.state.confirm.due(setup.config.confirm_for);
        let by_time: BTreeSet<_> = due.cloned().into_iter().collect();
        for plan in &by_time {
            let server = &*super::clean(&self.name);
            tracing::info!(server, %plan, "held changes let through, they stayed the same");
        }
        let releases = Releases { by_time, ..Releases::default() };
        let report = self.work.sync(setup, &server, &news.facts, releases).await;
        drop(turn);
        self.heard(&report);
        ControlFlow::Continue(())
    }

    /// Waits until there is something to do, and a turn to do it; `None` is the end.
    async fn job(&mut self) -> Option<Job> {
        loop {
            let world = self.worlds.borrow_and_update().clone();
            world.server(&self.name)?;
            let due = self.due(&world);
            tokio::select! {
                // First, or a pass could begin when none should any more.
                biased;
                changed = self.worlds.changed() => {
                    changed.ok()?;
                    continue;
                }
                () = at(due) => {}
            }
            let turn = self.turn().await?;
            let world = self.worlds.borrow_and_update().clone();
            let server = world.server(&self.name)?.clone();
            if let Some(news) = world.facts.clone() {
                return Some(Job { world, news, server, turn });
            }
        }
    }

    fn due(&mut self, world: &World) -> Option<Instant> {
        let news = world.facts.as_ref()?;
        if self.state.generation != Some(world.generation) {
            return Some(news.since);
        }
        if self.state.retry.is_some() {
            return self.state.retry;
        }
        if self.state.number == news.number {
            return None;
        }
        let start = news.since + pace::offset(&self.name, world.setup.config.service.period);
        // Newer facts do not move it: it would never come where they come fast.
        Some(*self.state.start.get_or_insert(start))
    }

    /// A place in the queue is kept whatever else changes.
    async fn turn(&mut self) -> Option<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.turns).acquire_owned();
        tokio::pin!(turn);
        loop {
            tokio::select! {
                biased;
                changed = self.worlds.changed() => {
                    changed.ok()?;
                    self.worlds.borrow_and_update().server(&self.name)?;
                }
                turn = &mut turn => return turn.ok(),
            }
        }
    }

    fn heard(&mut self, report: &Report) {
        let now = Instant::now();
        let (generation, setup) = {
            let world = self.worlds.borrow();
            (world.generation, Arc::clone(&world.setup))
        };
        if self.state.generation != Some(generation) {
            // It ran with rules that do not count any more, and may have left them behind.
            setup.engine.identities.forget_rules();
        }
        if report.error.is_none() {
            let held = report.plan_id.as_ref().filter(|_| !report.held.is_empty());
            self.state.confirm.observe(held, now.into_std());
            self.state.failures = 0;
        } else {
            self.state.failures = self.state.failures.saturating_add(1);
            let period = setup.config.service.period;
            self.state.retry = Some(now + pace::pause(&self.name, period, self.state.failures));
        }
        self.board.passed(report, Timestamp::now());
        self.state.news.tell(report);
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words").to_owned()
}
