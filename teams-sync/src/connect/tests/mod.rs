//! Without PostgreSQL: connection strings, password files, and sessions with a server made here
//! that says what a test wants it to say.

mod conninfo;
mod environment;
mod failures;
mod fake_server;
mod files;
mod hosts;
mod password_file;
mod sessions;
mod tls;
mod uri;

use super::{ConnectError, Dsn, DsnError, Session, connect};
use std::time::Duration;

fn nothing(_: &str) -> Option<String> {
    None
}

fn parse(text: &str) -> Result<Dsn, DsnError> {
    Dsn::parse(text, &nothing)
}

/// A connection string that is none, and what is said of it.
fn refusal(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

async fn try_connect(text: &str) -> Result<Session, ConnectError> {
    connect(&parse(text).expect(text), "app", Duration::from_secs(20)).await
}
