//! The operator from its start to its end.
//!
//! A configuration that cannot be used ends it at the start with a reason; later, the one in use
//! stays. What cannot change while it runs (labels, namespaces, ports) begins anew inside the
//! same process, once the Lease is given back; manifests are followed all the while.

mod access;
mod board;
mod client;
mod crds;
mod follow;
mod limit;
mod source;

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::admin::{Admin, Board, Limits, LogControl, LogFormat, everywhere, listen};
use crate::cli::{Run, Way};
use crate::config::{Config, ConnectTo, Environment, Loaded, NamespacedName};
use crate::context::{Context, Parts};
use crate::controller::lasting::Lasting;
use crate::controller::{Kind, listen as listen_to, watch as follow_objects, work};
use crate::identity::{AT_ONCE, Identity};
use crate::leader::{Election, Term};
use source::Source;

/// To read the infrastructure roles before the first look at a cluster.
const ROBOTS: Duration = Duration::from_secs(10);
/// To list the nodes before that; without a right to, nobody waits.
const NODES: Duration = Duration::from_secs(5);
/// Workers may finish what they are at within this, after somebody asked us to stop. All in all
/// an end takes 20 seconds at most.
const FINISH: Duration = Duration::from_secs(12);

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// In one line, what keeps it from running.
pub fn run(arguments: &Run) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("no threads: {error}"))?;
    let ended = runtime.block_on(until_stopped(arguments));
    // Nothing that hangs on a network keeps the process.
    runtime.shutdown_timeout(Duration::from_millis(500));
    ended
}

async fn until_stopped(arguments: &Run) -> Result<(), String> {
    // Whoever installed one before us has one, which is as good.
    let _installed_before = rustls::crypto::ring::default_provider().install_default();
    let mut stop = Stop::new()?;
    let place = Place::of(arguments)?;
    let term = Arc::new(Term::default());
    let client = client::client(arguments.kubeconfig.as_deref(), Arc::clone(&term)).await?;
    let loaded = tokio::select! {
        loaded = first(&place, &client, arguments) => loaded?,
        () = stop.asked() => return Ok(()),
    };
    let board = Arc::new(Board::new(limits(&loaded.config)));
    let format = if arguments.json { LogFormat::Json } else { LogFormat::Text };
    let is_debug = loaded.config.operation.debug_logging;
    let log = LogControl::start(format, is_debug, Arc::clone(&board));
    let log = log.map_err(|error| error.to_string())?;
    let world = World { arguments, place: Arc::new(place), client, term, board, log };
    let mut loaded = loaded;
    let mut manifests = None;
    loop {
        for warning in &loaded.warnings {
            tracing::warn!("{}: {warning}", world.place.source);
        }
        world.log.debug(loaded.config.operation.debug_logging);
        match era(&world, loaded.config, &mut manifests, &mut stop).await? {
            Some(next) => loaded = next,
            None => return Ok(()),
        }
    }
}

/// The configuration at the start. The kind of its object may be as new as we are.
async fn first(place: &Place, client: &Client, arguments: &Run) -> Result<Loaded, String> {
    if matches!(place.source, Source::OperatorConfiguration(_)) {
        crds::register_configuration(client).await?;
    }
    place.read(client, arguments).await
}

/// What lasts as long as the process.
struct World<'a> {
    arguments: &'a Run,
    place: Arc<Place>,
    client: Client,
    term: Arc<Term>,
    board: Arc<Board>,
    log: LogControl,
}

fn limits(config: &Config) -> Limits {
    Limits {
        workers: config.operation.workers,
        log_lines: config.operation.ring_log_lines,
        history_entries: config.operation.cluster_history_entries,
    }
}

/// Until somebody asks to stop, or a configuration comes that needs a new beginning.
async fn era(
    world: &World<'_>,
    config: Config,
    manifests: &mut Option<Manifests>,
    stop: &mut Stop,
) -> Result<Option<Loaded>, String> {
    let World { arguments, place, client, term, board, log } = world;
    let config = Arc::new(config);
    let namespace = watched(place, &config);
    let lasting = Manifests::of(manifests, namespace.as_deref());
    board.limit(limits(&config));
    board::configured(board, place, &config);
    let identity = Identity::new(&config).ok_or("the system has no randomness")?;
    let context = Context::new(Parts {
        client: client.clone(),
        config: Arc::clone(&config),
        identity,
        board: Arc::clone(board),
        lasting: Arc::clone(&lasting),
        controller_id: arguments.controller_id.clone().filter(|id| !id.is_empty()),
        instance: place.instance.clone(),
    });
    let context = Arc::new(context.map_err(|error| format!("no HTTP client: {error}"))?);
    let (access, accessed) = watch::channel(access::initially(&config));
    let admin = Admin::new(Arc::clone(board), accessed);
    let listening = listen(everywhere(config.operation.api_port), &admin).await;
    let listening = listening.map_err(|error| error.to_string())?;
    tracing::info!(address = %listening.address(), "the HTTP API listens");
    if config.operation.enable_crd_registration {
        tokio::select! {
            registered = crds::register(client, &config) => registered?,
            () = stop.asked() => return Ok(None),
        }
    }
    let leases = kube::Api::namespaced(client.clone(), &place.namespace);
    let election = Arc::new(Election::new(leases, place.instance.clone(), Arc::clone(term)));
    let (ending, ended) = watch::channel(false);
    let taking_part = {
        let (election, ended) = (Arc::clone(&election), ended.clone());
        tokio::spawn(async move { election.run(ended).await })
    };
    let watches = follow_objects(&context, namespace.as_deref());
    listen_to(&lasting, &context);
    Manifests::follow(manifests, client, board);
    let (asked, mut anew) = tokio::sync::mpsc::channel(1);
    let followers = follow::start(&context, place, log, arguments, &election, access, asked);
    let mut workers = JoinSet::new();
    {
        let (context, leading) = (Arc::clone(&context), election.leading());
        let number = config.operation.workers;
        workers.spawn(async move {
            context.caches.filled().await;
            // Without them everything would be looked at twice; whoever is not there is no reason
            // to wait for long.
            let settings = &context.config().identity;
            let read = context.identity.robots.filled(settings);
            let _either = tokio::time::timeout(ROBOTS, read).await;
            let _either = tokio::time::timeout(NODES, context.nodes.answered()).await;
            context.board.in_sync(true);
            let mut each = JoinSet::new();
            for worker in 0..number {
                each.spawn(work(Arc::clone(&context), Kind::Objects, worker, leading.clone()));
            }
            for worker in number..number + AT_ONCE {
                each.spawn(work(Arc::clone(&context), Kind::Databases, worker, leading.clone()));
            }
            while each.join_next().await.is_some() {}
        });
    }
    let next = tokio::select! {
        next = anew.recv() => next,
        () = stop.asked() => None,
    };
    tracing::info!("stops: workers finish what they are at");
    context.objects.close();
    context.databases.close();
    // Whoever only stands by does nothing that could be finished.
    if context.caches.are_filled() && *election.leading().borrow() {
        let all = async { while workers.join_next().await.is_some() {} };
        if tokio::time::timeout(FINISH, all).await.is_err() {
            tracing::warn!("some work was cut off; the next operator takes it up");
        }
    }
    drop((workers, watches, followers, listening));
    lasting.stop_listening();
    board.in_sync(false);
    let _nobody_listens = ending.send(true);
    let _ended = taking_part.await;
    election.release().await;
    Ok(next)
}

/// `None` is everywhere.
fn watched(place: &Place, config: &Config) -> Option<String> {
    let namespace = config.operation.watched_namespace.as_ref().unwrap_or(&place.namespace);
    Some(namespace.clone()).filter(|all| all != "*")
}

/// The manifests, followed for as long as they are looked for in the same place: a deletion comes
/// only once, also while everything else begins anew.
struct Manifests {
    namespace: Option<String>,
    lasting: Arc<Lasting>,
    watch: JoinSet<()>,
}

impl Manifests {
    /// Those of before, where the place is the same.
    fn of(known: &mut Option<Self>, namespace: Option<&str>) -> Arc<Lasting> {
        if let Some(known) = known.as_ref().filter(|known| known.namespace.as_deref() == namespace)
        {
            return Arc::clone(&known.lasting);
        }
        let (namespace, watch) = (namespace.map(str::to_owned), JoinSet::new());
        let new = known.insert(Self { namespace, lasting: Arc::default(), watch });
        Arc::clone(&new.lasting)
    }

    /// Unless that has begun before.
    fn follow(known: &mut Option<Self>, client: &Client, board: &Arc<Board>) {
        if let Some(known) = known.as_mut().filter(|known| known.watch.is_empty()) {
            known.watch = known.lasting.watch(client, known.namespace.as_deref(), board);
        }
    }
}

/// Where we are.
#[derive(Debug)]
struct Place {
    source: Source,
    namespace: String,
    environment: Environment,
    /// Another one in each process.
    instance: String,
}

impl Place {
    fn of(arguments: &Run) -> Result<Self, String> {
        let own = arguments.operator_namespace.clone().filter(|name| !name.is_empty());
        let namespace = own.or_else(client::own_namespace).unwrap_or_else(|| "default".to_owned());
        let object = arguments.configuration_object.as_deref().filter(|name| !name.is_empty());
        let map = arguments.config_map_name.as_deref().filter(|name| !name.is_empty());
        let named = |text: &str| NamespacedName::parse(text, &namespace);
        let source = match (map, object) {
            (Some(name), None) => Source::ConfigMap(named(name)),
            // As the reference has it: the object wins.
            (_, Some(name)) => Source::OperatorConfiguration(named(name)),
            (None, None) => {
                return Err("nothing says where the configuration is: set CONFIG_MAP_NAME or POSTGRES_OPERATOR_CONFIGURATION_OBJECT".to_owned());
            }
        };
        let environment = Environment {
            operator_namespace: namespace.clone(),
            watched_namespace: arguments.watched_namespace.clone().filter(|name| !name.is_empty()),
            controller_id: arguments.controller_id.clone().filter(|id| !id.is_empty()),
        };
        let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "operator".to_owned());
        let start = jiff::Timestamp::now().as_nanosecond();
        let instance = format!("{host}-{}-{start:x}", std::process::id());
        Ok(Self { source, namespace, environment, instance })
    }

    async fn read(&self, client: &Client, arguments: &Run) -> Result<Loaded, String> {
        let loaded = self.source.read(client, &self.environment).await?;
        Ok(with(arguments, loaded))
    }
}

/// What the command line says is above what the configuration says.
fn with(arguments: &Run, mut loaded: Loaded) -> Loaded {
    let config = &mut loaded.config;
    match arguments.connect_to {
        Some(Way::Pod) => config.operation.connect_to = ConnectTo::Pod,
        Some(Way::Service) => config.operation.connect_to = ConnectTo::Service,
        None => {}
    }
    if let Some(port) = arguments.api_port {
        config.operation.api_port = port;
    }
    // No argument: everybody on the machine can read those.
    let scalyr = std::env::var("SCALYR_API_KEY").ok().filter(|key| !key.is_empty());
    config.sidecars.scalyr_api_key = config.sidecars.scalyr_api_key.take().or(scalyr);
    config.identity.enable_database_access &= !arguments.no_database_access;
    config.identity.enable_teams_api &= !arguments.no_teams_api;
    loaded
}

/// SIGTERM or SIGINT.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> Result<Self, String> {
        let listen = |kind| signal(kind).map_err(|error| format!("signals: {error}"));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
