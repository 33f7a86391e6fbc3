//! `teams-sync run`: everything, again and again.

use std::sync::Arc;

use teams_sync::arguments::{Common, LogLevel, Output, Run};
use teams_sync::service::{Live, Notifier, Service, Watchdog, clean, log_panics, signals};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::output::Exit;
use super::setup;

pub(crate) async fn run(common: &Common, arguments: &Run) -> Exit {
    if common.output == Output::Sql {
        return setup::usage("--output sql is for plan");
    }
    log_to_stderr(common.output, arguments.log);
    log_panics();
    // Before anything else: what comes without a handler would end us at once.
    let signals = match signals() {
        Ok(signals) => signals,
        Err(error) => return setup::usage(&format!("signals cannot be handled: {error}")),
    };
    let notifier = match Notifier::new(std::env::var_os("NOTIFY_SOCKET").as_deref()) {
        Ok(notifier) => notifier,
        Err(error) => return setup::usage(&format!("NOTIFY_SOCKET cannot be used: {error}")),
    };
    let variable = |name: &str| std::env::var(name).ok();
    let watchdog = Watchdog::new(
        variable("WATCHDOG_USEC").as_deref(),
        variable("WATCHDOG_PID").as_deref(),
        std::process::id(),
    );
    let work = Live { path: common.config.clone(), only: common.server.clone() };
    match Service::start(Arc::new(work), signals, notifier, watchdog).await {
        Ok(service) => service.run().await,
        Err(error) => {
            tracing::error!(error = &*clean(&error.to_string()), "service not started");
            return Exit::Usage;
        }
    }
    Exit::Fine
}

/// Only what this program itself says: libraries are less careful with secrets.
fn log_to_stderr(output: Output, level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let own = Targets::new().with_target("teams_sync", level);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false);
    let registry = tracing_subscriber::registry().with(own);
    match output {
        Output::Json => registry.with(lines.json().flatten_event(true)).init(),
        Output::Human | Output::Sql => registry.with(lines).init(),
    }
}
