//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Why was this login refused? The decision of pam_oauth2.so, step by step.
///
/// The token is read from standard input (one line break at its end is dropped) and is never
/// printed. Nothing is written, unless --write-cache says so.
///
/// Run it as the user of the server: a cache directory of somebody else is not used, and one that
/// root makes is not used by the server.
///
/// The exit code is the PAM return code: 0 accepted, 3 configuration wrong, 7 refused, 9 nobody
/// could be asked, 10 no such user; 64 for a mistake on this command line.
#[derive(Debug, Parser)]
#[command(name = "pam-oauth2-check", version, args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  ztoken | pam-oauth2-check --service postgresql --user alice
  pam-oauth2-check --user alice --json < token -- https://info.example.com/tokeninfo?access_token= uid realm=/employees
  pam-oauth2-check config /etc/pam.d/postgresql
  pam-oauth2-check config /etc/pam_oauth2.toml
  pam-oauth2-check config 'https://info.example.com/tokeninfo?access_token= uid realm=/employees'
  pam-oauth2-check metrics --cache-dir /var/cache/pam-oauth2")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) login: LoginArguments,
}

#[derive(Debug, Args)]
pub(crate) struct LoginArguments {
    /// The PAM service: its file says what is demanded, and its name is the section of a
    /// configuration file.
    #[arg(long, value_name = "NAME", default_value = "postgresql")]
    pub(crate) service: String,
    /// The role that the login is for.
    #[arg(long, value_name = "ROLE")]
    pub(crate) user: Option<String>,
    /// Where the client is, as PostgreSQL would tell.
    #[arg(long, value_name = "HOST")]
    pub(crate) remote_host: Option<String>,
    /// Where PAM service files are.
    #[arg(long, value_name = "FOLDER", default_value = "/etc/pam.d")]
    pub(crate) pam_dir: PathBuf,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write to the cache directory all that a login does: key sets, verdicts, refusals, counters.
    #[arg(long)]
    pub(crate) write_cache: bool,
    /// The words behind pam_oauth2.so, instead of those in the service file.
    #[arg(last = true, value_name = "ARGUMENT")]
    pub(crate) words: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Is a PAM service file, a TOML file or an argument line in order? Exit code 0 or 3.
    #[command(after_help = "\
Examples:
  pam-oauth2-check config /etc/pam.d/postgresql
  pam-oauth2-check config /etc/pam.d/db --service postgresql
  pam-oauth2-check config /etc/pam_oauth2.toml
  pam-oauth2-check config 'https://info.example.com/tokeninfo?access_token= uid realm=/employees'")]
    Config(ConfigArguments),
    /// The counters that logins leave in a cache directory, as Prometheus text.
    #[command(after_help = "\
Examples:
  pam-oauth2-check metrics --cache-dir /var/cache/pam-oauth2")]
    Metrics {
        /// The value of --cache-dir.
        #[arg(long, value_name = "FOLDER")]
        cache_dir: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    /// The path of a PAM service file or of a .toml file, or the words behind pam_oauth2.so as
    /// one argument.
    #[arg(value_name = "FILE|LINE")]
    pub(crate) what: String,
    /// The PAM service, where it is not the name of the file.
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
}
