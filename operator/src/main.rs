//! `operator run`, `operator crds` and `operator adopt`.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use operator::cli::{Arguments, Command};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _nobody_reads = error.print();
            return if error.use_stderr() { ExitCode::from(1) } else { ExitCode::SUCCESS };
        }
    };
    let ended = match arguments.command {
        Command::Crds => print(&operator::api::crds::yaml()).map(|()| 0),
        Command::Run(run) => operator::run::run(&run).map(|()| 0),
        Command::Adopt(adopt) => operator::run::adopt(&adopt, &print),
    };
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _nobody_reads = writeln!(std::io::stderr(), "operator: {error}");
            ExitCode::from(1)
        }
    }
}

fn print(text: &str) -> Result<(), String> {
    let mut output = std::io::stdout().lock();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    written.map_err(|error| format!("standard output: {error}"))
}
