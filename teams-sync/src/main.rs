//! `teams-sync`: arguments in, exit code out; everything else is in the library.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use teams_sync::arguments::{Arguments, Command};

use cli::output::{self, Exit};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are what was asked for; everything else is a mistake, and what
            // clap makes 2 means drift here.
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Fine };
            let _closed_pipe = error.print();
            return code.into();
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(&format!("no threads can be started: {error}"));
            return Exit::Usage.into();
        }
    };
    let exit = runtime.block_on(async {
        match arguments.command {
            Command::Plan(plan) => cli::plan::run(&arguments.common, &plan).await,
            Command::Apply(apply) => cli::apply::run(&arguments.common, &apply).await,
            Command::Explain(explain) => cli::explain::run(&arguments.common, &explain).await,
            Command::Adopt(adopt) => cli::adopt::run(&arguments.common, &adopt).await,
            Command::Doctor => cli::doctor::run(&arguments.common).await,
            Command::FakeApi(fake) => cli::fake_api::run(&fake).await,
            Command::Leavers => cli::leavers::run(&arguments.common).await,
            Command::Run(run) => cli::run::run(&arguments.common, &run).await,
        }
    });
    // A lookup of a name may still hold a thread; nobody waits for its answer.
    runtime.shutdown_timeout(std::time::Duration::from_millis(100));
    exit.into()
}
