//! Somebody who writes all the time, through a Service: which of the acknowledged rows are there in
//! the end, and for how long nothing could be written.
//!
//! A write without an answer may be there or not, as everywhere; the next one has another number.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use teams_sync::connect::{Dsn, Session, connect};
use teams_sync::sync::last_text;
use tokio::runtime;

use crate::eventually;
use crate::node_agent::NodeAgent;

/// Between two writes, so that others have some of the machine.
const PAUSE: Duration = Duration::from_millis(5);
/// For a login, and for an answer: whoever waits longer comes again by another connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// For the rows in the end.
const LAST: Duration = Duration::from_secs(60);

/// Writes until it is stopped or dropped.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<BTreeSet<u64>, String>>>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Written {
    pub acknowledged: usize,
    /// Acknowledged, and not there in the end.
    pub lost: Vec<u64>,
    /// The longest time between two acknowledged writes, first to last.
    pub longest_gap: Duration,
    /// How often a connection ended, or none could be had after one.
    pub interruptions: usize,
}

/// What tests allow beside what Patroni alone needs.
const MORE: Duration = Duration::from_secs(10);

impl Written {
    /// Prints the longest gaps beside that of a switchover of Patroni alone, and holds each to it;
    /// and nothing that was acknowledged is lost.
    #[track_caller]
    pub fn assert_kept(&self, of_patroni: Duration, gaps: &[(&str, Duration)]) {
        #[allow(clippy::print_stderr, reason = "figures of the test")]
        {
            eprintln!(
                "longest write gap: switchover of Patroni alone {of_patroni:?}, {gaps:?}; {} rows, {} interruptions",
                self.acknowledged, self.interruptions
            );
        }
        assert!(self.lost.is_empty(), "acknowledged and lost: {:?}", self.lost);
        for (what, gap) in gaps {
            assert!(*gap <= of_patroni + MORE, "{what}: {gap:?} beside {of_patroni:?}");
        }
    }
}

#[derive(Debug)]
struct Shared {
    place: Place,
    stopped: AtomicBool,
    seen: Mutex<Seen>,
}

/// Where it writes, and as whom.
#[derive(Debug)]
struct Place {
    /// Names and addresses as pods know them; they change.
    hosts: PathBuf,
    host: String,
    user: String,
    password: String,
    table: String,
}

#[derive(Debug, Default)]
struct Seen {
    acknowledged: Vec<(u64, Instant)>,
    interruptions: usize,
    last_error: String,
}

impl Writer {
    /// Makes a table of its own, and returns after the first row.
    #[track_caller]
    pub fn start(agent: &NodeAgent, host: &str, user: &str, password: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::new(Shared {
            place: Place {
                hosts: agent.hosts_file().to_owned(),
                host: host.to_owned(),
                user: user.to_owned(),
                password: password.to_owned(),
                table: format!("public.writes_{}_{number}", std::process::id()),
            },
            stopped: AtomicBool::new(false),
            seen: Mutex::default(),
        });
        let running = Arc::clone(&shared);
        let work = move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(running.run())
        };
        // Threads stay in the network of the thread that starts them.
        let thread = agent.network().enter(|| std::thread::spawn(work));
        let writer = Self { shared, thread: Some(thread) };
        eventually(&format!("{user} writes at {host}"), || {
            let seen = writer.shared.seen();
            if seen.acknowledged.is_empty() { Err(seen.last_error.clone()) } else { Ok(()) }
        });
        writer
    }

    /// The longest time since then without an acknowledged write; the one that is under way counts.
    pub fn longest_gap_since(&self, since: Instant) -> Duration {
        let seen = self.shared.seen();
        let times = seen.acknowledged.iter().map(|(_, at)| *at).filter(|at| *at > since);
        longest(std::iter::once(since).chain(times).chain([Instant::now()]))
    }

    /// Waits until something that was begun from now on is acknowledged.
    #[track_caller]
    pub fn goes_on(&self) {
        let before = self.shared.seen().acknowledged.len();
        eventually("a row is written", || {
            let seen = self.shared.seen();
            // The first may have been under way.
            if seen.acknowledged.len() > before + 1 { Ok(()) } else { Err(seen.last_error.clone()) }
        });
    }

    /// Ends the writing, and looks at what is there.
    #[track_caller]
    pub fn stop(mut self) -> Written {
        self.shared.stopped.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is stopped once");
        let there = thread.join().expect("the writer does not panic");
        let there = there.unwrap_or_else(|error| panic!("the rows cannot be read: {error}"));
        let seen = self.shared.seen();
        let numbers = seen.acknowledged.iter().map(|(number, _)| *number);
        Written {
            acknowledged: seen.acknowledged.len(),
            lost: numbers.filter(|number| !there.contains(number)).collect(),
            longest_gap: longest(seen.acknowledged.iter().map(|(_, at)| *at)),
            interruptions: seen.interruptions,
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes until it is stopped; then the numbers of all rows that are there.
    async fn run(&self) -> Result<BTreeSet<u64>, String> {
        let table = &self.place.table;
        let mut next = 0_u64;
        let mut session = None;
        let mut has_table = false;
        while !self.stopped.load(Ordering::Relaxed) {
            next += 1;
            let make = format!("create table if not exists {table} (id bigint primary key);");
            let insert = format!("insert into {table} values ({next})");
            let first = if has_table { "" } else { &make };
            match write(&self.place, &mut session, &format!("{first}{insert}")).await {
                Ok(()) => {
                    has_table = true;
                    self.seen().acknowledged.push((next, Instant::now()));
                }
                Err(error) => {
                    let mut seen = self.seen();
                    // Before the first one there is nothing to interrupt.
                    seen.interruptions += usize::from(session.take().is_some() && has_table);
                    seen.last_error = error;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        drop(session);
        let start = Instant::now();
        loop {
            match rows(&self.place).await {
                Err(_) if start.elapsed() < LAST => tokio::time::sleep(PAUSE).await,
                result => return result,
            }
        }
    }
}

/// One answer or an error, by the session that there is or another one.
async fn write(place: &Place, session: &mut Option<Session>, sql: &str) -> Result<(), String> {
    if session.is_none() {
        *session = Some(place.connect().await?);
    }
    let Some(session) = session else { return Err("no session".to_owned()) };
    answer(session, sql).await.map(|_| ())
}

/// The last value of an answer, if there is one.
async fn answer(session: &Session, sql: &str) -> Result<Option<String>, String> {
    let answer = tokio::time::timeout(PATIENCE, session.batch(sql)).await;
    let answer = answer.map_err(|_| format!("no answer within {PATIENCE:?}"))?;
    Ok(last_text(&answer.map_err(|error| format!("{error:?}"))?))
}

/// All numbers, at a server that takes writes.
async fn rows(place: &Place) -> Result<BTreeSet<u64>, String> {
    let session = place.connect().await?;
    let recovers = answer(&session, "select pg_is_in_recovery()::text").await?;
    if recovers.as_deref() != Some("false") {
        return Err("this is no primary".to_owned());
    }
    let all = format!("select string_agg(id::text, ',') from {}", place.table);
    let all = answer(&session, &all).await?.unwrap_or_default();
    let numbers = all.split(',').filter(|number| !number.is_empty());
    numbers.map(|number| number.parse().map_err(|_| number.to_owned())).collect()
}

fn longest(times: impl Iterator<Item = Instant>) -> Duration {
    let times: Vec<Instant> = times.collect();
    let pairs = times.iter().zip(times.iter().skip(1));
    pairs.map(|(one, next)| next.duration_since(*one)).max().unwrap_or_default()
}

impl Place {
    async fn connect(&self) -> Result<Session, String> {
        let address = self.address().ok_or_else(|| format!("{} has no address", self.host))?;
        let Self { user, password, .. } = self;
        let dsn = format!("host={address} user={user} password={password} sslmode=require");
        let dsn = Dsn::parse(&dsn, &|_| None).map_err(|error| error.to_string())?;
        connect(&dsn, "postgres", PATIENCE).await.map_err(|error| error.to_string())
    }

    fn address(&self) -> Option<String> {
        let text = std::fs::read_to_string(&self.hosts).ok()?;
        let line = text.lines().find(|line| line.split(' ').skip(1).any(|name| name == self.host));
        line?.split(' ').next().map(str::to_owned)
    }
}
