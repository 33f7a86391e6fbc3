//! The only writer. Results go to stdout, everything else to stderr.

use std::io::{self, Write};

/// A result. Whoever wanted it has to get all of it.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// What a person should read. That nobody can is no error.
pub(crate) fn say(text: &str) {
    let _nobody_reads = io::stderr().write_all(format!("ztoken: {text}\n").as_bytes());
}
