//! The command line of the fake Teams API.

use std::fmt;
use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use super::{FakeApi, FakeApiOptions, Fault};

const EXAMPLE: &str = "\
Examples:
  teams-sync fake-api --team acid=alice,bob --team ops=carol
  curl http://127.0.0.1:8080/teams/acid
  curl -X PUT http://127.0.0.1:8080/control/teams/acid -d '[\"alice\"]'
  curl -X PUT http://127.0.0.1:8080/control/faults/acid -d 500
  curl -X DELETE http://127.0.0.1:8080/control/faults/acid

Faults: 401, 404, 429, 500, case-twins, cut, down, duplicates, empty-array, empty-object,
hostile-names, html, huge, no-member, not-json, slow, slow:SECONDS, wrong-team.";

/// A Teams API for demos and tests, with faults on demand.
#[derive(Args, Clone)]
#[command(after_help = EXAMPLE)]
pub struct FakeApiArguments {
    /// Where to listen; port 0 takes one that is free and prints it
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// A team with its members; may be given several times. Without any team and without a
    /// file every team exists, with ten names that are the same each time
    #[arg(long, value_name = "TEAM=NAME,NAME", value_parser = team)]
    pub team: Vec<(String, Vec<String>)>,

    /// A file of teams (.toml, .yaml), read anew for each request
    #[arg(long, value_name = "FILE")]
    pub teams_file: Option<PathBuf>,

    /// Answer 401 to requests without this token. Everybody on this machine can see it: use
    /// one that is worth nothing
    #[arg(long, value_name = "TOKEN")]
    pub require_token: Option<String>,

    /// What is wrong with a team from the start; * is every team
    #[arg(long, value_name = "TEAM=FAULT", value_parser = fault)]
    pub fault: Vec<(String, Fault)>,

    /// Listen on an address that others can reach. They can change every team
    #[arg(long)]
    pub allow_remote: bool,
}

impl fmt::Debug for FakeApiArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeApiArguments").field("listen", &self.listen).finish_non_exhaustive()
    }
}

impl FakeApiArguments {
    /// All but the address.
    pub fn options(&self) -> FakeApiOptions {
        FakeApiOptions {
            teams: self.team.iter().cloned().collect(),
            file: self.teams_file.clone(),
            token: self.require_token.clone().map(Zeroizing::new),
            faults: self.fault.iter().cloned().collect(),
            allow_remote: self.allow_remote,
        }
    }
}

/// Listens, says where on `out`, and serves until `shutdown`.
///
/// # Errors
///
/// An address that is taken or that others can reach, a file of an unknown format.
pub async fn run(
    arguments: &FakeApiArguments,
    out: &mut (dyn Write + Send),
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let api = FakeApi::new(arguments.options()).map_err(io::Error::other)?;
    let listener = TcpListener::bind(arguments.listen).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {}: {error}", arguments.listen))
    })?;
    writeln!(out, "listening on http://{}", listener.local_addr()?)?;
    out.flush()?;
    api.serve(listener, shutdown).await
}

fn team(text: &str) -> Result<(String, Vec<String>), String> {
    let (team, members) = text.split_once('=').ok_or("it has no =, as in acid=alice,bob")?;
    if team.is_empty() {
        return Err("it has no name before the =".to_owned());
    }
    let members = members.split(',').filter(|name| !name.is_empty()).map(str::to_owned);
    Ok((team.to_owned(), members.collect()))
}

fn fault(text: &str) -> Result<(String, Fault), String> {
    let (team, fault) = text.split_once('=').ok_or("it has no =, as in acid=500 or *=slow")?;
    let fault = fault.parse().map_err(|unknown: super::fault::UnknownFault| unknown.to_string())?;
    Ok((team.to_owned(), fault))
}
