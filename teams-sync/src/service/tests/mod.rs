//! The service without PostgreSQL: a world that does as a script says, and a clock that jumps.

mod confirm;
mod http;
mod log;
mod metrics;
mod notify;
mod pace;
mod reload;
mod schedule;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use regex_lite::Regex;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::board::Board;
use super::http::Endpoints;
use super::{Notifier, Service, Setup, Signal, Work};
use crate::approve::{self, Held, PlanId, Reason, Releases};
use crate::config::{ApplyConfig, Config, InfrastructureConfig, ServiceConfig};
use crate::connect::Dsn;
use crate::desired::{HumanRules, ServerRules};
use crate::fleet::Facts;
use crate::infrastructure::Infrastructure;
use crate::names::{Case, DEFAULT_PATTERN, Names};
use crate::plan::Style;
use crate::role::RoleName;
use crate::sync::{Report, Server};
use crate::teams::BoxFuture;

const PERIOD: Duration = Duration::from_secs(30);

fn role(name: &str) -> RoleName {
    RoleName::from_catalog(name.to_owned())
}

fn config(servers: &[&str]) -> Config {
    let server = |name: &&str| Server {
        name: (*name).to_owned(),
        dsn: Dsn::parse("host=localhost user=postgres", &|_| None).unwrap(),
        standbys: Vec::new(),
        system_identifier: None,
        rules: ServerRules {
            team: Some(format!("team of {name}")),
            additional_teams: BTreeSet::new(),
            levels: BTreeMap::new(),
            vocabulary: BTreeSet::new(),
        },
        style: Style {
            vocabulary: BTreeSet::new(),
            revoke_other_memberships: false,
            role_deletion_suffix: None,
            pam_role: role("users"),
            keep_static: false,
            admins_at_creation: false,
            yielding: BTreeSet::new(),
            adopts_people: false,
        },
    };
    Config {
        sources: Vec::new(),
        names: Names {
            case: Case::Lower,
            strip_domains: BTreeSet::new(),
            pattern: Regex::new(DEFAULT_PATTERN).unwrap(),
            map: BTreeMap::new(),
            reserved_bytes: 0,
            protected: BTreeSet::new(),
        },
        humans: HumanRules {
            pam_role: role("users"),
            admin_role: None,
            superuser_teams: BTreeSet::new(),
            parameters: Vec::new(),
            teams: BTreeMap::new(),
            level: "admin".to_owned(),
        },
        infrastructure: InfrastructureConfig::default(),
        roles: Vec::new(),
        guard: approve::Limits::default(),
        confirm_for: Some(Duration::from_secs(120)),
        apply: ApplyConfig {
            database: "postgres".to_owned(),
            parallel: 32,
            connect_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(30),
            timeout: Duration::from_secs(300),
        },
        service: ServiceConfig { period: PERIOD, listen: None },
        servers: servers.iter().map(server).collect(),
        warnings: Vec::new(),
    }
}

fn setup(servers: &[&str]) -> Result<Setup, String> {
    Setup::of(config(servers), &[])
}

/// What a pass does.
#[derive(Clone)]
enum Act {
    Succeed,
    Fail,
    Panic,
    Hang,
    Take(Duration),
    Hold(&'static str),
}

#[derive(Clone, Debug)]
struct Pass {
    server: String,
    /// Since the service started.
    start: Duration,
    /// Whether it came to its end.
    ended: bool,
    released: BTreeSet<PlanId>,
}

type Script = Box<dyn Fn(&str, usize) -> Act + Send + Sync>;

struct Scripted {
    start: Instant,
    setups: Mutex<VecDeque<Result<Setup, String>>>,
    fetches: Mutex<Vec<Duration>>,
    fetch_takes: Duration,
    passes: Mutex<Vec<Pass>>,
    /// What a server does at its pass of this number, from 0.
    script: Script,
}

impl Scripted {
    fn new(servers: &[&str], script: impl Fn(&str, usize) -> Act + Send + Sync + 'static) -> Self {
        Self {
            start: Instant::now(),
            setups: Mutex::new(VecDeque::from([setup(servers)])),
            fetches: Mutex::default(),
            fetch_takes: Duration::ZERO,
            passes: Mutex::default(),
            script: Box::new(script),
        }
    }

    fn then(self, setup: Result<Setup, String>) -> Self {
        self.setups.lock().unwrap().push_back(setup);
        self
    }

    fn passes_of(&self, server: &str) -> Vec<Pass> {
        let passes = self.passes.lock().unwrap();
        passes.iter().filter(|pass| pass.server == server).cloned().collect()
    }

    /// In seconds.
    fn starts_of(&self, server: &str) -> Vec<f64> {
        self.passes_of(server).iter().map(|pass| pass.start.as_secs_f64()).collect()
    }
}

fn fine(server: &str) -> Report {
    Report { error: None, people: 7, ..Report::broken(server, "") }
}

impl Work for Scripted {
    fn load(&self) -> BoxFuture<'_, Result<Setup, String>> {
        let next = self.setups.lock().unwrap().pop_front();
        Box::pin(async move { next.unwrap_or_else(|| Err("no more of them".to_owned())) })
    }

    fn fetch<'a>(&'a self, _setup: &'a Setup) -> BoxFuture<'a, Facts> {
        self.fetches.lock().unwrap().push(self.start.elapsed());
        Box::pin(async {
            tokio::time::sleep(self.fetch_takes).await;
            Facts { answers: BTreeMap::new(), robots: Infrastructure::default() }
        })
    }

    fn sync<'a>(
        &'a self,
        _setup: &'a Setup,
        server: &'a Server,
        _facts: &'a Facts,
        releases: Releases,
    ) -> BoxFuture<'a, Report> {
        let number = self.passes_of(&server.name).len();
        let act = (self.script)(&server.name, number);
        let place = {
            let mut passes = self.passes.lock().unwrap();
            passes.push(Pass {
                server: server.name.clone(),
                start: self.start.elapsed(),
                ended: false,
                released: releases.by_time.clone(),
            });
            passes.len() - 1
        };
        Box::pin(async move {
            let report = match act {
                Act::Succeed => fine(&server.name),
                Act::Fail => Report::broken(&server.name, "it is so in the script"),
                Act::Panic => panic!("it is so in the script"),
                Act::Hang => std::future::pending().await,
                Act::Take(time) => {
                    tokio::time::sleep(time).await;
                    fine(&server.name)
                }
                Act::Hold(id) => {
                    let id: PlanId = id.parse().unwrap();
                    let held = match releases.by_time.contains(&id) {
                        true => Vec::new(),
                        false => vec![Held {
                            role: role("alice"),
                            reason: Reason::NoRobots,
                            changes: Vec::new(),
                        }],
                    };
                    Report { held, plan_id: Some(id), ..fine(&server.name) }
                }
            };
            self.passes.lock().unwrap()[place].ended = true;
            report
        })
    }
}

/// A service that runs.
struct Running {
    work: Arc<Scripted>,
    board: Arc<Board>,
    endpoints: Arc<Endpoints>,
    signals: mpsc::Sender<Signal>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(work: Scripted) -> Self {
        Self::notifying(work, Notifier::new(None).unwrap()).await
    }

    async fn notifying(work: Scripted, notifier: Notifier) -> Self {
        let work = Arc::new(work);
        let (signals, receiver) = mpsc::channel(1);
        let service = Service::start(Arc::clone(&work) as Arc<dyn Work>, receiver, notifier, None);
        let service = service.await.unwrap();
        let (board, endpoints) = (Arc::clone(&service.board), Arc::clone(&service.endpoints));
        let task = tokio::spawn(service.run());
        Self { work, board, endpoints, signals, task }
    }

    async fn send(&self, signal: Signal) {
        self.signals.send(signal).await.unwrap();
    }

    /// Nothing is left to be done at this moment.
    async fn until(&self, seconds: u64) {
        tokio::time::sleep_until(self.work.start + Duration::from_secs(seconds)).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    fn status(&self, path: &str) -> u16 {
        self.endpoints.answer(&hyper::Method::GET, path).status().as_u16()
    }

    fn metrics(&self) -> String {
        super::metrics::text(&self.board).unwrap()
    }
}
