//! `manuals FOLDER DATE`: arguments in, exit code out.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let written = match words.as_slice() {
        [folder, date] => manuals::write(Path::new(folder), date),
        _ => Err("usage: manuals FOLDER YYYY-MM-DD".to_owned()),
    };
    if let Err(complaint) = written {
        let _nobody_reads = writeln!(std::io::stderr(), "manuals: {complaint}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
