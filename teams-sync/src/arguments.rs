//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::approve::PlanId;
use crate::fake_api::FakeApiArguments;

/// Roles in PostgreSQL that follow teams.
///
/// Reads teams from a Teams API, a SCIM service or files, and brings the roles of every server in
/// line: members can log in, who leaves is out, robots have their passwords.
#[derive(Debug, Parser)]
#[command(
    name = "teams-sync",
    version,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  teams-sync plan                          what would change, and why; changes nothing
  teams-sync plan --output sql             the same as statements
  teams-sync apply                         do it, once
  teams-sync apply --release 0f3a5c7e9b1d2c4d6e8fa0b1c2d3e4f5
                                           also what the guard holds under that id
  teams-sync run                           do it every 30 s, until stopped
  teams-sync explain alice                 which team, source and rule give her what

Exit codes:
  0  in sync, or applied              4  something is held by the guard
  1  usage or configuration           5  a source gave no answer; its teams stay as they are
  2  drift (plan)                     6  a server could not be brought in line
  3  something was refused, or cannot be done as configured
  Where several hold, the first of 1, 6, 5, 4, 3, 2 counts."
)]
pub struct Arguments {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args, Debug)]
pub struct Common {
    /// The configuration file (TOML).
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "/etc/teams-sync/teams-sync.toml"
    )]
    pub config: PathBuf,
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value_t = Output::Human)]
    pub output: Output,
    /// Only these servers, by their names in the configuration; may be repeated.
    #[arg(long, global = true, value_name = "NAME")]
    pub server: Vec<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Output {
    Human,
    Json,
    /// Statements; for `plan`.
    Sql,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what would change, and why; changes nothing.
    #[command(after_help = "\
Examples:
  teams-sync plan
  teams-sync plan --server orders --output sql
  teams-sync plan --output json | jq .")]
    Plan(Plan),
    /// Bring every server in line, once.
    #[command(after_help = "\
Examples:
  teams-sync apply
  teams-sync apply --server orders
  teams-sync apply --release 0f3a5c7e9b1d2c4d6e8fa0b1c2d3e4f5")]
    Apply(Apply),
    /// Which team, source and rule give somebody what, on each server.
    #[command(after_help = "\
Examples:
  teams-sync explain alice
  teams-sync explain alice@example.com --server orders --output json")]
    Explain(Explain),
    /// Who is out, and what they left behind.
    #[command(after_help = "\
Examples:
  teams-sync leavers
  teams-sync leavers --server orders --output json")]
    Leavers,
    /// Bring every server in line again and again, as a service; reads the configuration anew on
    /// SIGHUP.
    #[command(after_help = "\
Examples:
  teams-sync run
  teams-sync run --output json --log warn
  systemctl reload teams-sync")]
    Run(Run),
    /// What is in the way on each server, and the statements that mend it.
    #[command(after_help = "\
Examples:
  teams-sync doctor
  teams-sync doctor --server orders --output sql | psql -h db1.example.com -U postgres")]
    Doctor,
    /// Take over people whom zalando/postgres-operator, or somebody by hand, made roles for.
    ///
    /// Marks roles as managed, and changes nothing else about them: those whom a team names, and
    /// with --leavers those whom nobody names any more, whom the next apply then locks out.
    #[command(after_help = "\
Examples:
  teams-sync adopt --dry-run
  teams-sync adopt
  teams-sync adopt --leavers --server orders")]
    Adopt(Adopt),
    /// Serve a Teams API for demos and tests, with faults on demand.
    FakeApi(FakeApiArguments),
}

#[derive(Args, Debug)]
pub struct Plan {}

#[derive(Args, Debug)]
pub struct Apply {
    /// Also do what the guard holds under this id; may be repeated.
    #[arg(long, value_name = "PLAN_ID")]
    pub release: Vec<PlanId>,
}

#[derive(Args, Debug)]
pub struct Explain {
    /// A role, or the name that a directory has for a person.
    #[arg(value_name = "ROLE")]
    pub role: String,
}

#[derive(Args, Debug)]
pub struct Run {
    /// What is told at least, on stderr; with --output json one object per line.
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = LogLevel::Info)]
    pub log: LogLevel,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

#[derive(Args, Debug)]
pub struct Adopt {
    /// Only say what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Also mark people in the PAM role whom no team names: they left, and something forgot them.
    #[arg(long)]
    pub leavers: bool,
}
