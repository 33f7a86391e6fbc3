//! What can be typed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Print an access token, and nothing else.
///
/// A token that was obtained before is used while five minutes of it are left. Else a refresh token
/// brings the next one, or you log in: in the browser, or on another device where there is none.
/// Messages go to stderr.
#[derive(Debug, Parser)]
#[command(
    name = "ztoken",
    version,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  PGPASSWORD=$(ztoken) psql -h db.example.com
                                 log in to PostgreSQL with a token
  ztoken -n prod                 the token of the profile `prod`
  ztoken login --device          log in on another device, such as a phone
  ztoken exec -- psql -h db.example.com
                                 the same as the first, without a token in your shell
  ztoken exec --passfile -- pg_restore -j 8 -h db.example.com -d app app.dump
                                 for what opens connections for hours
  curl -H @<(echo \"Authorization: Bearer $(ztoken)\") https://api.example.com
                                 no token in the list of processes (bash)

Files:
  ~/.config/ztoken/config.toml   profiles of yours; they replace those of the same name in
  /etc/ztoken/config.toml        profiles of everybody on this machine
  ~/.local/state/ztoken/         tokens, readable by you alone

Exit codes:
  0  done
  1  usage, configuration, files or clock: whoever set this up has to look
  2  somebody has to log in: ztoken login
  3  the identity provider gave no good answer: try again later
  125  `exec`: ztoken itself failed, in one of these ways
  Else `exec` ends as its command does; 126 and 127 as in a shell."
)]
pub(crate) struct Arguments {
    /// The profile; without it `default` of the configuration, or the only one.
    #[arg(short = 'n', long = "name", global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// This configuration file, and no other.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Never ask anybody to log in; so it is anyway where stderr is no terminal.
    #[arg(long, global = true)]
    pub(crate) no_login: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Log in, whatever is kept.
    #[command(after_help = "\
Examples:
  ztoken login                   in the browser, or on another device where there is none
  ztoken -n prod login --device  on a phone, for the profile `prod`")]
    Login(Login),
    /// Delete the tokens of a profile, and have the provider revoke them.
    #[command(after_help = "\
Examples:
  ztoken logout
  ztoken -n prod logout")]
    Logout,
    /// Who is logged in, for how long, and at which provider.
    #[command(after_help = "\
Examples:
  ztoken whoami
  ztoken -n prod whoami")]
    Whoami,
    /// Run one command with a token in PGPASSWORD.
    ///
    /// The login is renewed while the command runs. Signals and exit code are those of the command.
    #[command(after_help = "\
Examples:
  ztoken exec -- psql -h db.example.com
  ztoken -n prod exec --passfile -- pgbench -C -T 7200 -h db.example.com app

The environment of a running process cannot be changed, so PGPASSWORD is good for connections that
are made while its token lasts. With --passfile the token is in a file that libpq reads at every
connection, and that is renewed.")]
    Exec(Exec),
}

#[derive(Args, Debug)]
pub(crate) struct Login {
    /// In the browser of this machine.
    #[arg(long, conflicts_with = "device")]
    pub(crate) browser: bool,
    /// On another device, such as a phone.
    #[arg(long)]
    pub(crate) device: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Exec {
    /// Set PGPASSFILE instead, to a file that is renewed as long as the command runs.
    #[arg(long)]
    pub(crate) passfile: bool,
    /// The command and its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub(crate) command: Vec<OsString>,
}
