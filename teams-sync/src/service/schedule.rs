//! The loop: when teams are asked, which servers have a task, and what signals do.
//!
//! It waits for everything at once and does nothing that takes long by itself, so its heartbeat
//! says whether the service lives.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior};

use super::board::Board;
use super::health::{BEAT, Heartbeat};
use super::http::Endpoints;
use super::keeper::{Keeper, KeeperState, News, World};
use super::listen::Listening;
use super::news::FactNews;
use super::notify::{Notifier, Watchdog};
use super::{Signal, Work, clean};
use crate::fleet::Setup;
use crate::fleet::{self, Facts};

/// For passes that run when the service is to end.
const GRACE: Duration = Duration::from_secs(20);
/// For tasks that were told to drop everything.
const DROP: Duration = Duration::from_secs(1);

/// A fetch that takes so long is worth a line.
const SLOW: Duration = Duration::from_secs(300);

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("{0}")]
    Configuration(String),
    #[error("{address} cannot be listened on: {source}")]
    Listen { address: SocketAddr, source: io::Error },
}

/// The service, about to start.
pub struct Service {
    work: Arc<dyn Work>,
    signals: mpsc::Receiver<Signal>,
    notifier: Notifier,
    pub(super) board: Arc<Board>,
    pub(super) endpoints: Arc<Endpoints>,
    listening: Option<Listening>,
    worlds: watch::Sender<World>,
    turns: Arc<Semaphore>,
    parallel: usize,
    keepers: JoinSet<()>,
    names: BTreeMap<Id, String>,
    fetching: JoinSet<(Facts, Duration)>,
    /// When teams are to be asked next.
    next: Instant,
    /// Since when they are being asked, until somebody was told that it takes long.
    asked: Option<Instant>,
    loading: JoinSet<Result<Setup, String>>,
    /// Somebody asked for another reload during one.
    again: bool,
    news: FactNews,
    status: String,
    watchdog: Option<JoinSet<()>>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("board", &self.board).finish_non_exhaustive()
    }
}

impl Service {
    /// Reads the configuration, listens, and tells systemd so.
    ///
    /// # Errors
    /// The configuration cannot be used, or its address cannot be listened on.
    pub async fn start(
        work: Arc<dyn Work>,
        signals: mpsc::Receiver<Signal>,
        notifier: Notifier,
        watchdog: Option<Watchdog>,
    ) -> Result<Self, ServiceError> {
        let setup = Arc::new(work.load().await.map_err(ServiceError::Configuration)?);
        let now = Instant::now();
        let board = Arc::new(Board::default());
        board.expect(&setup, now);
        let heartbeat = Arc::new(Heartbeat::new());
        let endpoints =
            Arc::new(Endpoints { board: Arc::clone(&board), heartbeat: Arc::clone(&heartbeat) });
        let listening = match setup.config.service.listen {
            None => None,
            Some(address) => Some(listen(address, &endpoints).await?),
        };
        let watchdog = watchdog.map(|watchdog| {
            let mut task = JoinSet::new();
            task.spawn(watchdog.watch(notifier.clone(), heartbeat));
            task
        });
        let parallel = setup.config.apply.parallel;
        let (worlds, _) =
            watch::channel(World { generation: 0, setup: Arc::clone(&setup), facts: None });
        let mut service = Self {
            work,
            signals,
            notifier,
            board,
            endpoints,
            listening,
            worlds,
            turns: Arc::new(Semaphore::new(parallel)),
            parallel,
            keepers: JoinSet::new(),
            names: BTreeMap::new(),
            fetching: JoinSet::new(),
            next: now,
            asked: None,
            loading: JoinSet::new(),
            again: false,
            news: FactNews::default(),
            status: String::new(),
            watchdog,
        };
        warn(&setup);
        service.keep();
        service.notifier.ready();
        tracing::info!(
            servers = setup.servers.len(),
            period = ?setup.config.service.period,
            listen = service.address().map(tracing::field::display),
            "service started"
        );
        Ok(service)
    }

    /// Where it listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listening.as_ref().map(Listening::address)
    }

    /// Until it is told to stop.
    pub async fn run(mut self) {
        let mut beats = tokio::time::interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beats.tick() => self.beat(),
                signal = self.signals.recv() => match signal {
                    Some(Signal::Reload) => self.reload(),
                    Some(Signal::Stop) | None => break,
                },
                Some(loaded) = self.loading.join_next() => self.loaded(loaded).await,
                () = tokio::time::sleep_until(self.next), if self.fetching.is_empty() => {
                    self.fetch();
                }
                Some(fetched) = self.fetching.join_next() => self.fetched(fetched),
                Some(ended) = self.keepers.join_next_with_id() => self.ended(ended),
            }
        }
        self.stop().await;
    }

    fn beat(&mut self) {
        self.endpoints.heartbeat.beat();
        let status = self.board.summary();
        if status != self.status {
            self.notifier.status(&status);
            self.status = status;
        }
        if self.asked.is_some_and(|since| since.elapsed() >= SLOW) {
            self.asked = None;
            tracing::warn!(limit = ?SLOW, "teams not asked to the end yet, servers stay as they are");
        }
    }

    fn setup(&self) -> Arc<Setup> {
        Arc::clone(&self.worlds.borrow().setup)
    }

    /// The next one is due a period after this one began, and not before it has ended.
    fn fetch(&mut self) {
        let (work, setup, start) = (Arc::clone(&self.work), self.setup(), Instant::now());
        self.next = start + setup.config.service.period;
        self.asked = Some(start);
        self.fetching.spawn(async move {
            let facts = work.fetch(&setup).await;
            (facts, start.elapsed())
        });
    }

    fn fetched(&mut self, fetched: Result<(Facts, Duration), JoinError>) {
        self.asked = None;
        let (facts, elapsed) = match fetched {
            Ok(fetched) => fetched,
            Err(error) if error.is_cancelled() => return,
            Err(error) => {
                tracing::error!(
                    error = &*clean(&error.to_string()),
                    "teams not asked, which is a bug"
                );
                return;
            }
        };
        let (setup, now) = (self.setup(), Instant::now());
        self.board.fetched(&setup.config, &facts, elapsed, now);
        self.news.tell(&setup.config, &fleet::teams(&setup.config, &setup.servers), &facts);
        let facts = Arc::new(facts);
        self.worlds.send_modify(|world| {
            let number = world.facts.as_ref().map_or(1, |known| known.number + 1);
            world.facts = Some(News { number, facts, since: now });
        });
    }

    fn reload(&mut self) {
        if !self.loading.is_empty() {
            self.again = true;
            return;
        }
        self.notifier.reloading();
        let work = Arc::clone(&self.work);
        self.loading.spawn(async move { work.load().await });
    }

    async fn loaded(&mut self, loaded: Result<Result<Setup, String>, JoinError>) {
        let loaded = loaded.unwrap_or_else(|error| Err(error.to_string()));
        let swapped = match loaded {
            Ok(setup) => self.swap(setup).await,
            Err(error) => Err(error),
        };
        self.board.reloaded(swapped.is_err());
        match swapped {
            Ok(servers) => tracing::info!(servers, "configuration read anew"),
            Err(error) => {
                let error = &*clean(&error);
                tracing::error!(error, "configuration refused, the one before stays in use");
            }
        }
        self.notifier.ready();
        self.beat();
        if std::mem::take(&mut self.again) {
            self.reload();
        }
    }

    async fn swap(&mut self, mut setup: Setup) -> Result<usize, String> {
        let wanted = setup.config.service.listen;
        if wanted != self.listening.as_ref().map(Listening::wanted) {
            // First of all, as nothing else of it can fail.
            self.listening = match wanted {
                None => None,
                Some(address) => {
                    let new = listen(address, &self.endpoints).await;
                    Some(new.map_err(|error| error.to_string())?)
                }
            };
        }
        let identities = self.setup().engine.identities.clone();
        identities.forget_rules();
        setup.engine.identities = identities;
        warn(&setup);
        self.resize(setup.config.apply.parallel);
        let (setup, now) = (Arc::new(setup), Instant::now());
        self.board.expect(&setup, now);
        // What is under way was asked for by the old one.
        self.fetching = JoinSet::new();
        self.next = now;
        self.worlds.send_modify(|world| {
            world.generation += 1;
            world.setup = Arc::clone(&setup);
            world.facts = None;
        });
        self.keep();
        Ok(setup.servers.len())
    }

    /// Passes that run have their turn until they end, however few there may be now.
    fn resize(&mut self, parallel: usize) {
        self.turns.add_permits(parallel.saturating_sub(self.parallel));
        for _ in parallel..self.parallel {
            let turns = Arc::clone(&self.turns);
            // All of them queue up now, or each would wait for everybody anew.
            tokio::spawn(async move {
                if let Ok(turn) = turns.acquire().await {
                    turn.forget();
                }
            });
        }
        self.parallel = parallel;
    }

    /// A task for each server that has none. Those that vanished end theirs by themselves.
    fn keep(&mut self) {
        let kept: BTreeSet<_> = self.names.values().cloned().collect();
        for server in &self.setup().servers {
            if !kept.contains(&server.name) {
                self.keep_one(server.name.clone(), Duration::ZERO);
            }
        }
    }

    fn keep_one(&mut self, name: String, pause: Duration) {
        let keeper = Keeper {
            name: name.clone(),
            work: Arc::clone(&self.work),
            board: Arc::clone(&self.board),
            worlds: self.worlds.subscribe(),
            turns: Arc::clone(&self.turns),
            state: KeeperState::default(),
        };
        let task = self.keepers.spawn(async move {
            tokio::time::sleep(pause).await;
            keeper.keep().await;
        });
        self.names.insert(task.id(), name);
    }

    /// A task ended: its server is gone, and may have come again meanwhile.
    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (id, pause) = match ended {
            Ok((id, ())) => (id, Duration::ZERO),
            // Panics end in the task, so this one was told by something that panics itself.
            Err(error) => (error.id(), self.setup().config.service.period),
        };
        let Some(name) = self.names.remove(&id) else { return };
        if self.setup().servers.iter().any(|server| server.name == name) {
            self.keep_one(name, pause);
        }
    }

    /// No pass begins any more; those that run may end.
    async fn stop(mut self) {
        self.notifier.stopping();
        tracing::info!("service stopping");
        self.fetching.abort_all();
        self.loading.abort_all();
        let (worlds, _) = watch::channel(self.worlds.borrow().clone());
        // The keepers see their channel closed.
        drop(std::mem::replace(&mut self.worlds, worlds));
        let end = Instant::now() + GRACE;
        let mut beats = tokio::time::interval(BEAT);
        loop {
            tokio::select! {
                ended = self.keepers.join_next() => if ended.is_none() { break },
                _ = beats.tick() => self.endpoints.heartbeat.beat(),
                Some(signal) = self.signals.recv() => if signal == Signal::Stop {
                    tracing::warn!(passes = self.keepers.len(), "service told twice to stop");
                    break;
                },
                () = tokio::time::sleep_until(end) => {
                    tracing::warn!(passes = self.keepers.len(), "passes given up");
                    break;
                }
            }
        }
        // A session that is dropped is rolled back.
        let _stuck = tokio::time::timeout(DROP, self.keepers.shutdown()).await;
        drop(self.watchdog.take());
        tracing::info!("service stopped");
    }
}

async fn listen(
    address: SocketAddr,
    endpoints: &Arc<Endpoints>,
) -> Result<Listening, ServiceError> {
    let listening = Listening::start(address, endpoints).await;
    listening.map_err(|source| ServiceError::Listen { address, source })
}

/// What is accepted and should not be so.
fn warn(setup: &Setup) {
    for warning in &setup.config.warnings {
        tracing::warn!(warning = &*clean(warning), "configuration used with a warning");
    }
}
