//! `pam-oauth2-check`: why was this login refused?
//!
//! The decision of `pam_oauth2.so`, made by the same code and told step by step. Reads the token
//! from standard input only and never prints it; writes to a cache only where it is told to.

mod cli;
mod login;
mod pam_file;
mod validate;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

/// `EX_USAGE` of <sysexits.h>. No PAM return code is as large.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let arguments = match cli::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are what was asked for; everything else is a mistake.
            let code = if error.use_stderr() { USAGE } else { 0 };
            let _closed_pipe = error.print();
            return ExitCode::from(code);
        }
    };
    let answer = match arguments.command {
        Some(cli::Command::Config(what)) => validate::run(&what),
        Some(cli::Command::Metrics { cache_dir }) => metrics(&cache_dir),
        None => login::run(&arguments.login),
    };
    print(&answer);
    ExitCode::from(answer.code)
}

/// What is printed, and the exit code that goes with it.
struct Answer {
    output: String,
    complaint: String,
    code: u8,
}

impl Answer {
    fn usage(complaint: impl Into<String>) -> Self {
        let complaint = format!("pam-oauth2-check: {}\nTry --help.\n", complaint.into());
        Self { output: String::new(), complaint, code: USAGE }
    }
}

/// The only writer. That nobody reads to the end is no error.
fn print(answer: &Answer) {
    let _closed_pipe = std::io::stdout().write_all(answer.output.as_bytes());
    let _closed_pipe = std::io::stderr().write_all(answer.complaint.as_bytes());
}

fn metrics(cache_dir: &std::path::Path) -> Answer {
    match pam_oauth2_module::diagnosis::metrics_of(cache_dir) {
        Ok(output) => Answer { output, complaint: String::new(), code: 0 },
        Err(fault) => Answer { output: String::new(), complaint: format!("{fault}\n"), code: 3 },
    }
}
